"""`make pictures`: the pages as people see them, at phone, tablet and desktop width, by day and by night.

A real house, real browsers in a real call; only the faces before the cameras are drawn. Each page becomes one sheet of six.
"""

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, Page, sync_playwright

from tests.journeys.house import CHROMIUM, FLAGS, Visitor, WholeHouse
from tests.journeys.test_room import dictates

HERE = Path(__file__).parent
WIDTHS = ((390, 844), (820, 1060), (1440, 900))
SCHEMES = ("light", "dark")
SHEET_HEIGHT, GAP = 620, 24
# Name, wall, skin, hair, clothes.
PEOPLE = (
    ("Ana Moreno", "#d9cbb6", "#e2b08c", "#3a2419", "#0f6b5c"), ("Ben Okafor", "#b9c7c9", "#7a4a2e", "#1b1412", "#c9822b"),
    ("Cleo Laurent", "#cfd6c4", "#f0c9a8", "#a0522d", "#5a4a8a"), ("Dan Petrescu", "#d7c3c0", "#d8a17c", "#54463c", "#2d4a6e"),
)  # fmt: skip


def face(path: Path, wall: str, skin: str, hair: str, clothes: str) -> None:
    """Somebody before a wall, as a camera's picture (Y4M, 640×360, what Chromium plays as a camera)."""
    room = Image.new("RGB", (1280, 720), wall)
    draw = ImageDraw.Draw(room)
    draw.rectangle((880, 90, 1180, 420), fill=tuple(min(255, value + 22) for value in room.getpixel((0, 0))))  # type: ignore[union-attr]
    room = room.filter(ImageFilter.GaussianBlur(14))
    draw = ImageDraw.Draw(room)
    draw.ellipse((380, 520, 900, 1050), fill=clothes)
    draw.rounded_rectangle((580, 430, 700, 600), 50, fill=skin)
    draw.ellipse((490, 150, 790, 420), fill=hair)
    draw.ellipse((515, 195, 765, 500), fill=skin)
    draw.pieslice((490, 140, 790, 420), 180, 360, fill=hair)
    for eye in (590, 690):
        draw.ellipse((eye - 11, 330, eye + 11, 352), fill="#2b2320")
    draw.arc((585, 370, 695, 440), 20, 160, fill="#8c3b34", width=8)
    frame = av.VideoFrame.from_image(room.resize((640, 360), Image.Resampling.LANCZOS)).reformat(format="yuv420p")
    frame.time_base = Fraction(1, 10)
    planes = b"".join(np.asarray(plane).tobytes() for plane in frame.planes)
    path.write_bytes(b"YUV4MPEG2 W640 H360 F10:1 Ip A1:1 C420jpeg\n" + (b"FRAME\n" + planes) * 10)


@contextmanager
def cameras(folder: Path) -> Iterator[list[Browser]]:
    """A browser with a face before its camera, for each of PEOPLE."""
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        opened = []
        for number, (_, *colours) in enumerate(PEOPLE):
            path = folder / f"{number}.y4m"
            face(path, *colours)
            one = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, f"--use-file-for-fake-video-capture={path}"])
            stack.callback(one.close)
            opened.append(one)
        yield opened


def sheet(name: str, page: Page, settle: Callable[[], None] = lambda: None) -> None:
    """Six pictures of what the page shows now, side by side in two rows."""
    rows = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        shots = []
        for width, height in WIDTHS:
            page.set_viewport_size({"width": width, "height": height})
            settle()
            page.wait_for_function("() => !document.querySelector('#announcements')?.children.length")
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            shots.append(shot.resize((round(shot.width * SHEET_HEIGHT / shot.height), SHEET_HEIGHT), Image.Resampling.LANCZOS))
        rows.append(shots)
    total = sum(shot.width for shot in rows[0]) + GAP * 4
    made = Image.new("RGB", (total, SHEET_HEIGHT * 2 + GAP * 3), "#8d949a")
    for row, shots in enumerate(rows):
        left = GAP
        for shot in shots:
            made.paste(shot, (left, GAP + row * (SHEET_HEIGHT + GAP)))
            left += shot.width + GAP
    made.save(HERE / f"{name}.webp", quality=82, method=6)
    print(f"{name}.webp", made.size)


def everybody_moves(one: Visitor) -> None:
    one.page.wait_for_function("() => [...document.querySelectorAll('.tile video')].every(video => video.videoWidth > 300)")


def is_written(speaker: Visitor, reader: Visitor) -> None:
    """What somebody says stands there as text."""
    speaker.page.evaluate("() => hear('Good morning, everybody. Shall we begin with the plan for next year?', true)")
    reader.page.wait_for_selector("#captions li")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="letterbox-pictures-") as name, cameras(Path(name)) as browsers:
        house = WholeHouse(Path(name) / "data")
        try:
            take(house, browsers)
        finally:
            house.stop()


def take(house: WholeHouse, browsers: list[Browser]) -> None:
    ana, *others = (Visitor(browser, house) for browser in browsers)
    ana.page.goto(house.url)
    sheet("start", ana.page)
    room = ana.makes_room("Board meeting")
    ana.page.goto(house.url + room)
    ana.page.wait_for_function("() => document.querySelector('#preview').videoWidth > 0")
    ana.page.fill("[data-testid=name-input]", PEOPLE[0][0])
    sheet("before", ana.page)

    ana.joins(room, PEOPLE[0][0])
    for one, (who, *_) in zip(others, PEOPLE[1:], strict=True):
        one.joins(room, who)
        one.page.keyboard.press("m")
    ana.is_connected_to(3)
    ana.page.click("[data-testid=record-start]")
    for one in (ana, *others):
        one.agrees()
    ana.page.wait_for_selector("[data-testid=recording-banner][data-state=recording]")
    others[1].page.keyboard.press("h")
    others[0].page.keyboard.press("m")
    sheet("call", ana.page, lambda: everybody_moves(ana))
    hero(ana)

    ana.page.keyboard.press("l")
    for who, text in (
        (0, "Good morning, everybody"),
        (1, "The plan: https://intranet.example/plan-2027"),
        (2, "Thank you, I have it"),
    ):
        others[who].page.keyboard.press("c")
        others[who].page.fill("[data-testid=chat-input]", text)
        others[who].page.keyboard.press("Enter")
    ana.page.keyboard.press("c")
    ana.page.click("#panel-title")
    ana.page.keyboard.press("t")
    dictates(others[0])
    sheet("speaker", ana.page, lambda: is_written(others[0], ana))

    ana.page.keyboard.press("Escape")
    ana.page.keyboard.press("k")
    ana.page.wait_for_function("() => document.querySelector('#recording-time').textContent >= '0:40'")
    ana.page.click("[data-testid=record-stop]")
    ana.page.goto(f"{house.url}{room}/recordings")
    ana.page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=240_000)
    ana.page.wait_for_selector("[data-testid=chapters] button")
    ana.page.wait_for_function("() => document.querySelector('[data-testid=player]').readyState >= 2")
    sheet("recordings", ana.page)


def hero(one: Visitor) -> None:
    """The one picture at the top of the README."""
    one.page.set_viewport_size({"width": 1200, "height": 720})
    one.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    everybody_moves(one)
    Image.open(io.BytesIO(one.page.screenshot())).convert("RGB").save(HERE / "hero.webp", quality=84, method=6)


if __name__ == "__main__":
    main()
