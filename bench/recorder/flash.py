"""How exact the times in the files are: a page that knows when it drew each picture and when each tone began."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from playwright.sync_api import Browser, Page

from bench.recorder import processes
from bench.recorder.browser import CHROMIUM, FLAGS, connect, page_with
from recorder.manifest import Manifest, Track
from recorder.segment import LiveSegment, clocks_of, finalise

HZ = 48_000


def number_in(frame: Any) -> int:
    """The number flash.js wrote into a picture: bright columns of the upper half are ones."""
    grey = frame.to_ndarray(format="gray8").astype(int)
    height, cell = grey.shape[0], grey.shape[1] / 16
    middle = [grey[height // 8 : height * 3 // 8, int((bit + 0.3) * cell) : int((bit + 0.7) * cell)].mean() for bit in range(16)]
    return sum(1 << bit for bit in range(16) if middle[bit] > 128)


def pictures(path: Path) -> list[tuple[int, float]]:
    """(number, milliseconds in the file) of each."""
    with av.open(str(path)) as container:
        return [(number_in(frame), float(frame.time * 1000)) for frame in container.decode(video=0)]


def tones(path: Path) -> list[float]:
    """Milliseconds in the file at which a tone begins."""
    resampler, parts, begin_ms = av.AudioResampler(format="flt", layout="mono", rate=HZ), [], None
    with av.open(str(path)) as container:
        at = 0
        for frame in container.decode(audio=0):
            begin_ms = float(frame.time * 1000) if begin_ms is None else begin_ms
            samples = np.concatenate([part.to_ndarray().ravel() for part in resampler.resample(frame)])
            # Where nothing was sent there are no samples; the place in time is the frame's own.
            place = round((float(frame.time * 1000) - begin_ms) * HZ / 1000)
            if abs(place - at) < 240:
                place = at
            parts.append((place, samples))
            at = place + len(samples)
    whole = np.zeros(at, np.float32)
    for place, samples in parts:
        whole[place : place + len(samples)] = samples
    loud = np.abs(whole) > 0.1
    onsets, quiet_since = [], -HZ
    for index in np.flatnonzero(loud):
        if index - quiet_since > HZ // 4:
            onsets.append(index * 1000 / HZ + (begin_ms or 0.0))
        quiet_since = index
    return onsets


class Person(NamedTuple):
    """What a recording says of one: by how many milliseconds each picture, and each tone, lies after its true moment."""

    pictures: list[tuple[float, float]]
    tones: list[tuple[float, float]]


def compare(folder: Path, described: Manifest, name: str, known: dict[str, Any]) -> Person:
    """(true wall time, error) of each picture and tone, milliseconds."""
    start_ms = started_us(folder) / 1000
    drawn = {int(number): at_ms for number, at_ms in known["drawn"].items()}

    def place(track: Track) -> float:
        return start_ms + track.start_us / 1000

    seen, heard = [], []
    reached_ms = statistics.median(known["reached"] or [0.0])
    for track in described.tracks:
        if track.participant == name and track.kind == "video":
            seen += [(drawn[n], place(track) + at - drawn[n]) for n, at in pictures(folder / track.file) if n in drawn]
        elif track.participant == name:
            for at_ms in tones(folder / track.file):
                true_ms = min(known["beeps"], key=lambda beep: abs(beep - place(track) - at_ms))
                if abs(true_ms - place(track) - at_ms) < 300:
                    heard.append((true_ms, float(place(track) + at_ms - true_ms - reached_ms)))
    return Person(seen, heard)


def started_us(folder: Path) -> float:
    """Wall time of the recording's zero, to the microsecond; the manifest has milliseconds."""
    live = LiveSegment.model_validate_json((folder / "live.json").read_bytes())
    clocks = clocks_of(live)
    return int(min(clocks[track.file].wall(track.first_timestamp) for track in live.tracks))


def thirds(errors: list[tuple[float, float]]) -> list[float]:
    """The median error at the start, in the middle and at the end."""
    values = [error for _, error in sorted(errors)]
    third = max(1, len(values) // 3)
    return [statistics.median(part) for part in (values[:third], values[third : 2 * third] or values, values[-third:])]


class Offsets(NamedTuple):
    """Milliseconds, the worst of start, middle and end."""

    events: int
    av_ms: float
    people_ms: float
    details: dict[str, dict[str, list[float]]]


def measure(browser: Browser, folder: Path, seconds: float) -> Offsets:
    """Two people, in two browsers, at one recorder."""
    other = browser.browser_type.launch(executable_path=CHROMIUM, args=FLAGS)
    try:
        with processes.receiver("ours", folder) as receiver:
            pages = {"pana": page_with(browser, "flash.js"), "pben": page_with(other, "flash.js")}
            for name, page in pages.items():
                connect(page, receiver, name)
            wait(pages.values(), seconds)
            known = {name: page.evaluate("() => known") for name, page in pages.items()}
            receiver.ask({"stop": 1})
            receiver.process.wait(30)
    finally:
        other.close()
    return offsets_of(folder, known)


def wait(pages: Any, seconds: float) -> None:
    """While the browsers go on."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for page in pages:
            page.wait_for_timeout(100)


def offsets_of(folder: Path, known: dict[str, Any], looked_at: Callable[[Manifest], None] | None = None) -> Offsets:
    described = finalise(folder)
    if looked_at is not None:
        looked_at(described)
    people = {name: compare(folder, described, name, one) for name, one in known.items()}
    details = {name: {"pictures": thirds(one.pictures), "tones": thirds(one.tones)} for name, one in people.items()}
    av_ms = max(abs(heard - seen) for one in details.values() for heard, seen in zip(one["tones"], one["pictures"], strict=True))
    between = [
        abs(one - other)
        for what in ("pictures", "tones")
        for one, other in zip(*(details[name][what] for name in details), strict=True)
    ]
    return Offsets(sum(len(one.tones) for one in people.values()), av_ms, max(between, default=0.0), details)


def connect_through(page: Page, receiver: Any, name: str, rewrite: Callable[[str], str], codec: str = "video/VP8") -> None:
    """As `connect`; the other side's candidates are what `rewrite` makes of the answer, ours are not told."""
    sdp = page.evaluate("([name, codec]) => offers(name, codec)", [name, codec])
    hidden = "\r\n".join(line for line in sdp.split("\r\n") if not line.startswith("a=candidate"))
    answer = receiver.ask({"offer": {"type": "offer", "sdp": hidden}, "id": name})["answer"]
    page.evaluate("([name, sdp]) => answered(name, sdp)", [name, rewrite(answer["sdp"])])
