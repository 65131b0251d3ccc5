"""A room in a frame of another site: real Chromium, the page around it from another origin."""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.house import ROOT, Visitor, WholeHouse
from tests.people import free_port

pytestmark = pytest.mark.browser

# What a page of one's own needs to show a room; what it is told it keeps, for the test.
AROUND = """<!doctype html><html lang="en"><title>Intranet</title><link rel="icon" href="data:,">
<div id="call" style="height: 600px"></div>
<script type="module">
  import {{ embed }} from "{server}/static/embed.js";
  const room = embed(document.querySelector("#call"), "{room}", {options});
  globalThis.told = [];
  globalThis.room = room;
  const names = ["ready", "joined", "left", "participant-joined", "participant-left", "recording", "muted", "camera", "error"];
  for (const event of names) room.on(event, (detail) => told.push([event, detail]));
</script>"""
MANUAL = (ROOT / "docs/embed.md").read_text()


class Site:
    """Somebody else's web server."""

    def __init__(self, port: int) -> None:
        self.port, self.pages = port, {}
        pages = self.pages

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = pages.get(self.path, "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def show(self, page: str, **values: str) -> str:
        """Put up a page; its address."""
        self.pages["/page"] = page.format(**values)
        return f"{self.origin}/page"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def intranet() -> Iterator[Site]:
    site = Site(free_port())
    yield site
    site.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory, intranet) -> Iterator[WholeHouse]:
    started = WholeHouse(tmp_path_factory.mktemp("data"), LETTERBOX_EMBED_ORIGINS=intranet.origin)
    yield started
    started.stop()


@pytest.fixture
def people(browser, house) -> Iterator[Any]:
    here: list[Visitor] = []

    def come(**options: Any) -> Visitor:
        here.append(Visitor(browser, house, **options))
        return here[-1]

    yield come
    for one in here:
        one.leaves()


def told(page: Any, event: str, count: int = 1) -> Any:
    """The detail of the last of so many events, waited for."""
    page.wait_for_function("([event, count]) => told.filter(([name]) => name === event).length >= count", arg=[event, count])
    return page.evaluate("(event) => told.filter(([name]) => name === event).at(-1)[1]", event)


def embeds(visitor: Visitor, site: Site, room: str, **options: str) -> None:
    visitor.page.goto(site.show(AROUND, server=visitor.house.url, room=visitor.house.url + room, options=json.dumps(options)))


def test_a_page_elsewhere_shows_a_room_hears_who_comes_and_mutes_by_command(people, intranet):
    ana, ben = people(bypass_csp=False), people()
    room = ben.makes_room("Embedded")

    embeds(ana, intranet, room, name="Ana", join="now", chat="off", theme="dark")

    assert told(ana.page, "ready")["title"] == "Embedded"
    assert told(ana.page, "joined")["participant"]["name"] == "Ana"
    frame = ana.page.frame_locator("iframe")
    assert not frame.locator(".brand").is_visible()
    assert not frame.locator("#show-chat").is_visible()
    assert frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(20, 23, 28)"

    ben.joins(room, "Ben")
    assert told(ana.page, "participant-joined")["participant"]["name"] == "Ben"
    ben.is_connected_to(1)
    ana.page.evaluate("() => room.mute()")

    assert told(ana.page, "muted", 2) == {"muted": True}
    ben.page.wait_for_selector("[data-testid=tile]:not(.mine) .muted:not([hidden])")
    ben.media_flows_from(1)
    assert ana.complaints == []

    ana.page.evaluate("() => room.leave()")
    assert told(ana.page, "left") == {"reason": "left"}
    ben.page.wait_for_function("() => letterbox.peers().length === 0")


def test_who_is_put_into_a_recorded_call_is_asked_there_and_has_left_when_the_frame_is_taken_away(people, intranet):
    ana, ben = people(), people()
    room = ben.makes_room("Recorded")
    ben.joins(room, "Ben")
    ben.page.click("[data-testid=record-start]")
    ben.agrees()

    embeds(ana, intranet, room, name="Ana", join="now", camera="off")

    assert told(ana.page, "joined")["participant"]["name"] == "Ana"
    assert told(ana.page, "recording")["by"] == "Ben"
    frame = ana.page.frame_locator("iframe")
    frame.locator("[data-testid=consent-yes]").wait_for()
    assert frame.locator("[data-testid=recording-banner]").is_visible()
    assert frame.locator("body").evaluate("() => letterbox.consent") is None
    ben.is_connected_to(1)

    ana.page.evaluate("() => globalThis.room.remove()")

    ben.page.wait_for_function("() => letterbox.peers().every(({ kind }) => kind !== 'person')", timeout=5000)


def test_a_page_that_is_not_named_is_refused_by_the_browser(people, house):
    ana, stranger = people(), Site(free_port())
    try:
        room = ana.makes_room("Not for everyone")
        with ana.page.expect_event("console", lambda message: "frame-ancestors" in message.text):
            embeds(ana, stranger, room, name="Ana", join="now")

        assert ana.page.evaluate("() => told") == []
        assert ana.page.frames[1].url.startswith("chrome-error:")
    finally:
        stranger.stop()


def test_where_the_browser_forbids_storage_in_frames_the_call_works_all_the_same(people, intranet):
    ana, ben = people(), people()
    ana.page.add_init_script(
        """if (self !== top) {
             const refuse = { configurable: true, get() { throw new DOMException("no", "SecurityError"); } };
             Object.defineProperty(globalThis, "localStorage", refuse);
             Object.defineProperty(globalThis, "sessionStorage", refuse);
             navigator.locks.request = () => Promise.reject(new DOMException("no", "SecurityError"));
           }"""
    )
    room = ben.makes_room("No storage")
    ben.joins(room, "Ben")

    embeds(ana, intranet, room, name="Ana")
    ana.page.frame_locator("iframe").locator("[data-testid=join]").click()

    assert [one["name"] for one in told(ana.page, "joined")["participants"]] == ["Ben"]
    ben.is_connected_to(1)
    ben.media_flows_from(1)
    assert ana.complaints == []


def example(beginning_with: str, house: WholeHouse, room: str) -> str:
    """A whole page of the manual, with this server and this room in it."""
    pages = re.findall(r"```html\n(.*?)```", MANUAL, re.DOTALL)
    page = next(page for page in pages if beginning_with in page)
    assert "https://call.example" in page
    page = page.replace("k3f9-xq2m-7pdw", room.rpartition("/")[2]).replace("https://call.example", house.url)
    return page.replace("<title>", '<link rel="icon" href="data:,"><title>', 1)


def test_the_manuals_page_with_a_frame_does_what_it_says(people, intranet):
    ana, ben = people(), people()
    room = ben.makes_room("Manual")
    intranet.pages["/page"] = example("Our meeting</title>\n<div", ana.house, room)

    ana.page.goto(f"{intranet.origin}/page")
    ana.page.frame_locator("iframe").locator("[data-testid=join]").click()
    ana.page.wait_for_function("() => document.querySelector('#people').textContent === '0 were here before.'")
    ben.joins(room, "Ben")
    ana.page.wait_for_function("() => document.querySelector('#people').textContent === 'Ben has come.'")
    ana.page.click("#mute")

    ana.page.wait_for_function("() => document.querySelector('#mute').textContent === 'Unmute'")
    assert ana.complaints == []


def test_the_modules_carry_a_call_on_a_page_of_ones_own(people, intranet):
    cleo, ben = people(), people()
    room = ben.makes_room("Own page")
    ben.joins(room, "Ben")

    intranet.pages["/page"] = example("thirty lines", cleo.house, room)
    cleo.page.goto(f"{intranet.origin}/page")
    cleo.page.click("#join")

    ben.is_connected_to(1)
    ben.media_flows_from(1)
    cleo.page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
    assert cleo.complaints == []
    cleo.page.goto("about:blank")
    ben.page.wait_for_function("() => letterbox.peers().length === 0", timeout=5000)
