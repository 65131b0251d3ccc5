"""A host records; afterwards what was downloaded through the page is decoded and compared with what was sent."""

import io
import os
import re
import signal
import time

import av
import numpy as np
import pytest

from tests.journeys.house import LIMIT_S, Visitor, WholeHouse
from tests.people import eventually

pytestmark = pytest.mark.browser


def download(page, link) -> tuple[str, bytes]:
    """Click a download; (file name, bytes)."""
    with page.expect_download() as waiting:
        link.click()
    found = waiting.value
    return found.suggested_filename, found.path().read_bytes()


def decode(data: bytes, kind: str) -> list:
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(**{kind: 0}))


def seconds(data: bytes) -> float:
    with av.open(io.BytesIO(data)) as container:
        return container.duration / 1e6


def loudness(data: bytes) -> np.ndarray:
    """Root mean square of each 100 ms."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
    with av.open(io.BytesIO(data)) as container:
        samples = [part.to_ndarray().ravel() for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    joined = np.concatenate(samples)
    windows = joined[: len(joined) // 1600 * 1600].reshape(-1, 1600)
    return np.sqrt((windows**2).mean(axis=1))


def begin(host, *others) -> None:
    host.page.click("[data-testid=record-start]")
    for one in (host, *others):
        one.agrees().page.wait_for_selector("[data-testid=recording-banner][data-state=recording]")


def two_recorded(visitor, title: str) -> tuple:
    """(the host, Ben, the room's path): both are being recorded."""
    ana, ben = visitor(), visitor()
    room = ana.makes_room(title)
    ana.joins(room, "Ana")
    ben.joins(room, "Ben")
    begin(ana, ben)
    return ana, ben, room


def reaches(one, count: int) -> None:
    """The recorder gets this person's pictures."""
    eventually(lambda: one.sent_to_recorder()["frames"] >= count, 40)


@pytest.mark.timeout(300)
def test_a_recorded_call_with_a_late_joiner_is_downloaded_whole(visitor):
    ana, ben, cleo = visitor(), visitor(), visitor()
    room = ana.makes_room("Board meeting")
    ana.joins(room, "Ana")
    ben.joins(room, "Ben")
    ana.is_connected_to(1)

    begin(ana, ben)
    began = time.monotonic()
    reaches(ana, 60)
    cleo.joins(room, "Cleo").agrees()
    cleo.page.wait_for_selector("[data-testid=recording-banner][data-state=recording]")
    cleo_began = time.monotonic()
    reaches(cleo, 60)
    eventually(lambda: time.monotonic() - began > 12, 30)
    sent = {one: one.sent_to_recorder()["frames"] for one in (ana, ben, cleo)}
    ana.page.click("[data-testid=record-stop]")
    lasted, cleo_lasted = time.monotonic() - began, time.monotonic() - cleo_began
    ana.page.wait_for_selector("[data-testid=recording-banner]", state="hidden")

    host = ana.page.context.new_page()
    host.goto(f"{ana.house.url}{room}/recordings")
    # Every track is there before the film is.
    host.wait_for_selector("[data-testid=recording-item]")
    host.wait_for_function("() => document.querySelectorAll('[data-testid=download-track]').length === 6", timeout=30_000)
    host.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)
    host.click("details.tracks summary")

    tracks = dict(download(host, link) for link in host.locator("[data-testid=download-track]").all())
    name, film = download(host, host.locator("[data-testid=download-composed]"))

    date = r"\d{4}-\d\d-\d\d"
    assert re.fullmatch(rf"{date} Board meeting\.mp4", name)
    by_person = {re.fullmatch(rf"{date} Board meeting – (.*)\.webm", file)[1]: data for file, data in tracks.items()}
    assert sorted(by_person) == sorted(f"{who} ({what})" for who in ("Ana", "Ben", "Cleo") for what in ("camera", "microphone"))
    for who, name in ((ana, "Ana"), (ben, "Ben"), (cleo, "Cleo")):
        frames = decode(by_person[f"{name} (camera)"], "video")
        assert len(frames) >= 0.95 * sent[who], f"{name} sent {sent[who]} frames, {len(frames)} are in the file"
        true_s = cleo_lasted if who is cleo else lasted
        assert seconds(by_person[f"{name} (microphone)"]) == pytest.approx(true_s, abs=2.0)
        # The fake microphone beeps once a second.
        loud = loudness(by_person[f"{name} (microphone)"])
        assert (loud > 0.02).sum() >= true_s / 2
        assert (loud < 0.005).sum() >= true_s / 2
    assert seconds(film) == pytest.approx(max(seconds(data) for data in tracks.values()), abs=0.5)
    assert (loudness(film) > 0.02).sum() >= lasted / 2
    _shows_everybody(decode(film, "video"))


def _shows_everybody(frames: list) -> None:
    """In the last second of the film three cells hold the fake camera's green, at the start two, and the rest is dark."""
    late = frames[-30].to_ndarray(format="rgb24")
    for x, y in ((320, 60), (960, 60), (640, 420)):
        red, green, blue = late[y, x].astype(int)
        assert green > 90 > max(red, blue), f"no picture at {x},{y}: {late[y, x]}"
    assert late[700, 20].max() < 60
    early = frames[45].to_ndarray(format="rgb24")
    for x in (320, 960):
        assert early[300, x].astype(int)[1] > 90
    assert early[100, 640].max() < 60


@pytest.mark.timeout(240)
def test_the_film_plays_in_the_page_and_range_requests_are_answered(visitor):
    ana = visitor()
    room = ana.makes_room("Alone")
    ana.joins(room, "Ana")
    begin(ana)
    reaches(ana, 60)
    ana.page.click("[data-testid=record-stop]")
    ana.page.goto(f"{ana.house.url}{room}/recordings")
    ana.page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)

    ana.page.evaluate("() => document.querySelector('[data-testid=player]').play()")

    ana.page.wait_for_function("() => document.querySelector('[data-testid=player]').currentTime > 0.3")
    address = ana.page.get_attribute("[data-testid=download-composed]", "href")
    part = ana.context.request.get(ana.house.url + address, headers={"Range": "bytes=100-199"})
    whole = ana.context.request.get(ana.house.url + address)
    assert part.status == 206
    assert part.body() == whole.body()[100:200]
    assert part.headers["etag"] == whole.headers["etag"]

    ana.page.click("[data-testid=delete-recording]")
    ana.page.click("[data-testid=confirm-delete]")

    ana.page.wait_for_selector("#empty:not([hidden])", timeout=15_000)
    assert ana.context.request.get(ana.house.url + address).status == 404


@pytest.mark.timeout(240)
def test_a_recorder_that_is_killed_is_followed_by_another_segment_and_nothing_on_disk_is_lost(visitor, whole_house):
    ana = visitor()
    room = ana.makes_room("Killed")
    ana.joins(room, "Ana")
    begin(ana)
    reaches(ana, 90)
    printed = len(whole_house.log)

    os.kill(whole_house.pid_of("-m recorder"), signal.SIGKILL)

    # The lease lapses, the restarted recorder claims it and joins as a new participant.
    eventually(lambda: any("joined, 1 people" in line for line in whole_house.log[printed:]), 40)
    eventually(lambda: ana.sent_to_recorder()["frames"] >= 60, 40)
    ana.page.click("[data-testid=record-stop]")
    ana.page.goto(f"{ana.house.url}{room}/recordings")
    ana.page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)
    ana.page.click("details.tracks summary")
    tracks = [download(ana.page, link) for link in ana.page.locator("[data-testid=download-track]").all()]
    pictures = [data for name, data in tracks if "(camera" in name]
    assert len(pictures) == 2
    assert all(len(decode(data, "video")) >= 30 for data in pictures)


@pytest.mark.timeout(240)
def test_the_host_is_told_whose_picture_does_not_reach_the_recording(visitor):
    ana, ben, _ = two_recorded(visitor, "Honest")
    reaches(ben, 30)
    assert not ana.page.is_visible("[data-testid=recording-alarms]")

    ben.page.evaluate(
        """() => letterbox.peers().find(p => p.kind === 'recorder').connection.getSenders()
            .find(s => s.track?.kind === 'video').replaceTrack(null)"""
    )

    alarms = ana.page.locator("[data-testid=recording-alarms]")
    alarms.get_by_text("Ben").wait_for(timeout=20_000)
    assert not ben.page.is_visible("[data-testid=recording-alarms]"), "it is the host's to know"
    ana.page.click("[data-testid=record-stop]")
    alarms.wait_for(state="hidden", timeout=20_000)


@pytest.mark.timeout(240)
def test_when_the_host_leaves_another_can_stop_the_recording(visitor):
    ana, ben, _ = two_recorded(visitor, "Left")
    reaches(ben, 30)
    assert not ben.page.is_visible("#host-recording")

    ana.page.click("[data-testid=leave]")

    ben.page.wait_for_selector("[data-testid=record-stop]")
    ben.page.click("[data-testid=record-stop]")
    ben.page.wait_for_selector("[data-testid=recording-banner]", state="hidden")
    assert not ben.page.is_visible("[data-testid=record-start]")


def test_ctrl_c_in_a_recorded_call_hands_in_what_was_recorded(browser, tmp_path):
    house = WholeHouse(tmp_path)
    ana = Visitor(browser, house)
    room = ana.makes_room("Cut off")
    ana.joins(room, "Ana")
    ana.page.click("[data-testid=record-start]")
    ana.agrees()
    eventually(lambda: ana.sent_to_recorder()["frames"] > 20, LIMIT_S)

    code = house.stop()

    ana.leaves()
    assert code == 0
    assert not [line for line in house.log if "killed" in line]
    # Camera, microphone, and what they are.
    handed_in = [path for path in (tmp_path / "files" / "recordings").rglob("*") if path.is_file()]
    assert len(handed_in) >= 3, handed_in
