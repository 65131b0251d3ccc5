"""A real Chromium whose every moment is known, at the real capture: what it sent is in the files, all of it, at its time.

The source (bench/recorder/flash.js) draws a number into each picture, and flashes and beeps every second.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lossy import LossyWay
from people import eventually
from playwright.sync_api import Browser, Page

from bench.recorder import flash, processes
from bench.recorder.browser import CHROMIUM, chromium, connect, page_with
from recorder.manifest import Manifest, Track
from recorder.segment import finalise

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
CANDIDATE = re.compile(r"(a=candidate:\S+ 1 udp \d+ )(\d+\.\d+\.\d+\.\d+) (\d+)( typ host[^\r]*)\r\n", re.IGNORECASE)
SECONDS = 12


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    # Playwright's loop must not meet that of the tests that use asyncio: each has a thread of its own at most.
    assert threading.current_thread() is threading.main_thread()
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = page_with(browser, "flash.js")
    yield opened
    opened.context.close()


def through(stack: ExitStack, ways: list[LossyWay], loss: float, jitter_s: float) -> Callable[[str], str]:
    """Puts a lossy way before the recorder's first candidate, and takes the other candidates out of the answer."""

    def rewrite(sdp: str) -> str:
        found = CANDIDATE.search(sdp)
        assert found is not None
        way = stack.enter_context(LossyWay((found[2], int(found[3])), loss, jitter_s))
        ways.append(way)
        only = f"{found[1]}{found[2]} {way.port}{found[4]}\r\n"
        bare = re.sub(r"a=candidate:[^\r]*\r\n", "", sdp)
        return bare.replace("a=end-of-candidates\r\n", only + "a=end-of-candidates\r\n")

    return rewrite


def numbers(folder: Path, track: Track) -> list[int]:
    return [number for number, _ in flash.pictures(folder / track.file)]


def track_of(described: Manifest, kind: str, person: str = "pana") -> Track:
    (found,) = [track for track in described.tracks if track.kind == kind and track.participant == person]
    return found


def stop(receiver: Any) -> None:
    receiver.ask({"stop": 1})
    receiver.process.wait(30)


def sent(page: Page) -> tuple[int, dict[str, Any]]:
    """(number of the newest picture that was drawn, what the browser has sent)."""
    return int(page.evaluate("() => Object.keys(known.drawn).length")), dict(page.evaluate("() => figures('pana')"))


def more(page: Page, frames: int) -> None:
    """Waits until so many more have been sent."""
    count = sent(page)[1]["frames"] + frames
    eventually(lambda: sent(page)[1]["frames"] >= count, 60)


@pytest.mark.parametrize(("loss", "jitter_s"), [(0.0, 0.0), (0.03, 0.04)], ids=["good network", "3 % lost and 40 ms of jitter"])
def test_what_was_sent_is_in_the_file(page: Page, tmp_path: Path, loss: float, jitter_s: float) -> None:
    ways: list[LossyWay] = []
    with ExitStack() as stack, processes.receiver("ours", tmp_path) as receiver:
        if loss:
            flash.connect_through(page, receiver, "pana", through(stack, ways, loss, jitter_s))
        else:
            connect(page, receiver, "pana")
        more(page, 60)
        first, before = sent(page)
        more(page, SECONDS * 25)
        last, after = sent(page)
        more(page, 30)
        packets = sent(page)[1]["packets"]
        stop(receiver)

    assert all(way.lost > 0.02 * way.passed for way in ways)
    described = finalise(tmp_path)
    video, audio = track_of(described, "video"), track_of(described, "audio")
    found = numbers(tmp_path, video)
    between = [number for number in found if first < number <= last]
    # 2: what was on its way through the encoder when it was counted.
    assert len(between) >= 0.99 * (after["frames"] - before["frames"]) - 2
    assert found == sorted(set(found)), "in order, none twice"
    # One each 20 ms, from the first to the last.
    assert audio.frames >= 0.995 * audio.duration_us / 20_000
    assert audio.frames >= 0.9 * packets
    assert all(gap.reason for gap in video.gaps + audio.gaps)


def test_h264_is_recorded_as_exactly(page: Page, tmp_path: Path) -> None:
    if not page.evaluate("() => RTCRtpSender.getCapabilities('video').codecs.some((one) => one.mimeType === 'video/H264')"):
        pytest.skip("this Chromium sends no H.264")
    with processes.receiver("ours", tmp_path) as receiver:
        connect(page, receiver, "pana", "video/H264")
        more(page, 60)
        first, before = sent(page)
        more(page, 150)
        last, after = sent(page)
        more(page, 30)
        stop(receiver)

    video = track_of(finalise(tmp_path), "video")
    assert video.codec == "H264"
    found = numbers(tmp_path, video)
    assert len([number for number in found if first < number <= last]) >= after["frames"] - before["frames"] - 2
    assert found == sorted(set(found))


def test_sound_and_picture_of_two_people_are_at_their_time(browser: Browser, tmp_path: Path) -> None:
    offsets = flash.measure(browser, tmp_path, SECONDS)

    assert offsets.events >= SECONDS, "so many beeps of two people were found"
    assert offsets.av_ms <= 20, offsets.details
    assert offsets.people_ms <= 20, offsets.details


def test_one_timeline_through_mute_another_track_and_another_size(page: Page, tmp_path: Path) -> None:
    with processes.receiver("ours", tmp_path) as receiver:
        connect(page, receiver, "pana")
        more(page, 60)
        page.evaluate("() => { stream.getVideoTracks()[0].enabled = false; }")
        page.wait_for_timeout(1500)
        page.evaluate("() => { stream.getVideoTracks()[0].enabled = true; }")
        more(page, 40)
        page.evaluate("size => grow(size)", [960, 540])
        more(page, 40)
        page.evaluate("() => replaceCamera('pana')")
        more(page, 40)
        stop(receiver)

    described = finalise(tmp_path)
    video = track_of(described, "video")
    shown = flash.pictures(tmp_path / video.file)
    drawn = page.evaluate("() => known.drawn")
    times = [at_ms for _, at_ms in shown]
    assert times == sorted(times)
    # Each picture is as far from the first in the file as it was when it was drawn.
    coloured = [(number, at_ms) for number, at_ms in shown if str(number) in drawn and number > 0]
    begin_number, begin_ms = coloured[len(coloured) // 10]
    for number, at_ms in coloured[len(coloured) // 2 :]:
        assert at_ms - begin_ms == pytest.approx(drawn[str(number)] - drawn[str(begin_number)], abs=100)
    assert coloured[-1][0] > coloured[0][0] + 150
