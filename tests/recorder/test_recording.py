"""A real recorder process at a real server, with people who really send: what they sent is what is handed in."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from people import RECORDER_KEY, ROOT, Cast, Gunicorn, eventually
from senders import Caller, Picture, Sender, Voice, number_in, until

from recorder import manifest


class Recorder:
    """`python -m recorder`, and what it says."""

    def __init__(self, house: Gunicorn, work_dir: Path, capacity: int = 10) -> None:
        self.lines: list[str] = []
        told = {key: value for key, value in os.environ.items() if not key.startswith("LETTERBOX_")}
        told |= {"LETTERBOX_SERVER_URL": house.url, "LETTERBOX_RECORDER_KEY": RECORDER_KEY, "LETTERBOX_WORK_DIR": str(work_dir)}
        told |= {"LETTERBOX_RECORDER_CAPACITY": str(capacity)}
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "recorder"], cwd=ROOT, env=told, stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        eventually(lambda: self.said("waiting for recordings"), 20)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def ends(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(30)


@pytest.fixture
def house(sqlite: Any, serve: Any) -> Gunicorn:
    return serve(sqlite.settings(lease_s=4))


@pytest.fixture
def start(house: Gunicorn, tmp_path: Path) -> Iterator[Callable[[], Recorder]]:
    """Start a recorder, on the same disk unless another is named."""
    started: list[Recorder] = []

    def one(disk: str = "recorder", capacity: int = 10) -> Recorder:
        started.append(Recorder(house, tmp_path / disk, capacity))
        return started[-1]

    yield one
    for recorder in started:
        if recorder.process.poll() is None:
            recorder.ends(signal.SIGTERM)


def artifacts(house: Gunicorn, recording: str, kind: str = "track") -> list[dict[str, Any]]:
    found = house.get(f"recordings/{recording}", RECORDER_KEY)
    return [artifact for artifact in found["artifacts"] if artifact["kind"] == kind]


def numbers(house: Gunicorn, artifact: dict[str, Any]) -> list[int]:
    """Of the pictures in a file, decoded."""
    with av.open(io.BytesIO(house.get(artifact["url"]).content)) as container:
        return [number_in(frame) for frame in container.decode(video=0)]


def sound_s(house: Gunicorn, artifact: dict[str, Any]) -> float:
    with av.open(io.BytesIO(house.get(artifact["url"]).content)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


async def begins(cast: Cast) -> str:
    return (await asyncio.to_thread(cast.host, "start"))["recording"]["id"]


async def stops(cast: Cast, house: Gunicorn, recording: str) -> dict[str, Any]:
    """Stop, and wait until everything is handed in; the recording."""
    await asyncio.to_thread(cast.host, "stop")

    def handed_in() -> Any:
        found = house.get(f"recordings/{recording}", RECORDER_KEY)
        return found.json if found["state"] in ("processing", "failed") else None

    return dict(await asyncio.to_thread(eventually, handed_in, 40))


def test_every_picture_that_was_sent_is_in_the_file_and_the_sound_beside_it(house: Gunicorn, start: Any) -> None:
    cast, _ = Cast(house), start()

    async def story() -> tuple[dict[str, Any], Sender]:
        async with Caller(cast.alice, camera=Picture, microphone=Voice) as alice:
            recording = await begins(cast)
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 100)
            sender = alice.newest
            return await stops(cast, house, recording), sender

    recording, sender = asyncio.run(story())
    assert recording["state"] == "processing"
    camera, voice = sorted(artifacts(house, recording["id"]), key=lambda artifact: artifact["meta"]["source"])
    found = numbers(house, camera)
    assert found == list(range(found[0], found[0] + len(found))), "none lost, none twice, in order"
    # Before the first key frame was asked for nothing could be decoded; what was sent after the stop is not ours.
    assert found[0] <= 10
    assert len(found) >= 95
    assert camera["meta"]["frames"] == len(found)
    assert (camera["meta"]["width"], camera["meta"]["height"], camera["meta"]["lost_packets"]) == (320, 180, 0)
    assert sound_s(house, voice) == pytest.approx(len(found) / 25, abs=0.5)
    # The two are asked for by tasks of their own, one of which may be late.
    apart_us = (sender.tracks["camera"].began_s - sender.tracks["microphone"].began_s) * 1e6
    assert abs(camera["meta"]["start_us"] - found[0] * 40_000 - voice["meta"]["start_us"] - apart_us) < 100_000


def test_a_screen_shown_for_a_while_and_a_late_joiner_have_files_of_their_own(house: Gunicorn, start: Any) -> None:
    cast, _ = Cast(house), start()

    async def story() -> dict[str, Any]:
        async with Caller(cast.alice, camera=Picture) as alice:
            recording = await begins(cast)
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 30)
            shown = alice.newest.tracks["screen"] = Picture((640, 360), 10)
            transceiver = alice.newest.connection.addTransceiver(shown, direction="sendonly")
            await alice.offers(next(iter(alice.senders)))
            await until(lambda: shown.sent > 15)
            del alice.newest.tracks["screen"]
            transceiver.direction = "inactive"
            await alice.offers(next(iter(alice.senders)))
            late = await asyncio.to_thread(cast.door.join, cast.room, "Bea")
            async with Caller(late) as bea:
                recorder = next(iter(alice.senders))
                bea.senders[recorder] = Sender(microphone=Voice())
                await bea.offers(recorder)
                await until(lambda: bea.newest.tracks["microphone"].sent > 60)
                live = await asyncio.to_thread(eventually, lambda: sources_live(house, recording) == ["camera", "microphone"])
                assert live, "a screen that is shown no more is not reported as silent"
                return await stops(cast, house, recording)

    recording = asyncio.run(story())
    tracks = artifacts(house, recording["id"])
    by_source = {artifact["meta"]["source"]: artifact for artifact in tracks}
    assert sorted(by_source) == ["camera", "microphone", "screen"]
    assert len(numbers(house, by_source["screen"])) >= 8
    assert by_source["screen"]["meta"]["width"] == 640
    assert by_source["camera"]["meta"]["start_us"] < by_source["screen"]["meta"]["start_us"]
    assert by_source["screen"]["meta"]["start_us"] < by_source["microphone"]["meta"]["start_us"]
    assert by_source["microphone"]["meta"]["person"] == "Bea"


def sources_live(house: Gunicorn, recording: str) -> list[str]:
    live = house.get(f"recordings/{recording}", RECORDER_KEY)["live"]
    return sorted(track["source"] for track in live.get("tracks", []))


def test_while_paused_nothing_is_kept_and_the_gap_says_why(house: Gunicorn, start: Any) -> None:
    cast, _ = Cast(house), start()

    async def story() -> tuple[dict[str, Any], tuple[int, int]]:
        async with Caller(cast.alice, camera=Picture) as alice:
            recording = await begins(cast)
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 40)
            picture = alice.newest.tracks["camera"]
            await asyncio.to_thread(cast.host, "pause")
            await until(lambda: alice.states[-1] == "paused")
            left_out = picture.sent
            await until(lambda: picture.sent > left_out + 60)
            await asyncio.to_thread(cast.host, "resume")
            goes_on = picture.sent
            await until(lambda: picture.sent > goes_on + 60)
            return await stops(cast, house, recording), (left_out, goes_on)

    recording, (left_out, goes_on) = asyncio.run(story())
    (camera,) = artifacts(house, recording["id"])
    found = numbers(house, camera)
    # 5: what was under way when the word came.
    assert not [number for number in found if left_out + 5 < number < goes_on - 5]
    assert [number for number in found if number > goes_on + 40]
    assert [gap["reason"] for gap in camera["meta"]["gaps"]] == ["paused"]


def test_a_recorder_killed_in_the_middle_loses_under_a_second_and_both_parts_are_handed_in(house: Gunicorn, start: Any) -> None:
    cast, first = Cast(house), start()

    async def story() -> tuple[dict[str, Any], int, Recorder]:
        async with Caller(cast.alice, camera=Picture, microphone=Voice) as alice:
            recording = await begins(cast)
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 75)
            sent = alice.newest.tracks["camera"].sent
            before = set(alice.senders)
            first.ends(signal.SIGKILL)
            again = await asyncio.to_thread(start)
            await until(lambda: set(alice.senders) - before and alice.newest.tracks["camera"].sent > 50, 60)
            return await stops(cast, house, recording), sent, again

    recording, sent, again = asyncio.run(story())
    assert again.said("of an earlier run is handed in")
    cameras = [artifact for artifact in artifacts(house, recording["id"]) if artifact["meta"]["source"] == "camera"]
    assert len(cameras) == 2
    assert len(artifacts(house, recording["id"], "segment")) == 2
    assert max(numbers(house, cameras[0])) >= sent - 25
    assert recording["state"] == "processing"


def silences_s(house: Gunicorn, recording: str) -> list[float]:
    """Between one segment and the next: nobody recorded."""
    found = [
        manifest.Manifest.model_validate_json(house.get(one["url"]).content) for one in artifacts(house, recording, "segment")
    ]
    ordered = sorted(found, key=lambda part: part.started_at_ms)
    ends = [part.started_at_ms + part.duration_us / 1000 for part in ordered]
    return [(after.started_at_ms - end) / 1000 for end, after in zip(ends, ordered[1:], strict=False)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_another_recorder_goes_on_when_one_dies_or_is_shut_down(house: Gunicorn, start: Any, number: signal.Signals) -> None:
    cast, first = Cast(house), start()

    async def story() -> tuple[dict[str, Any], Recorder]:
        async with Caller(cast.alice, camera=Picture, microphone=Voice) as alice:
            recording = await begins(cast)
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 50)
            second = await asyncio.to_thread(start, "another machine")
            before = set(alice.senders)
            await asyncio.to_thread(first.ends, number)
            await until(lambda: set(alice.senders) - before and alice.newest.tracks["camera"].sent > 50, 60)
            # What the dead one had on its disk comes with its next run; a film of the rest is made without waiting for it.
            if number == signal.SIGKILL:
                await asyncio.to_thread(start)
            return await stops(cast, house, recording), second

    recording, second = asyncio.run(story())

    assert second.said(f"recording={recording['id']} room={cast.room} claimed")
    eventually(lambda: len(artifacts(house, recording["id"], "segment")) == 2, 30)
    (silence_s,) = silences_s(house, recording["id"])
    # Its lease is 4 s here.
    assert -1 < silence_s < (15 if number == signal.SIGKILL else 5)
    cameras = [artifact for artifact in artifacts(house, recording["id"]) if artifact["meta"]["source"] == "camera"]
    assert len(cameras) == 2


def test_a_recording_whose_recorder_was_shut_down_goes_on_when_it_is_back(house: Gunicorn, start: Any) -> None:
    cast, first = Cast(house), start()

    async def story() -> dict[str, Any]:
        async with Caller(cast.alice, camera=Picture) as alice:
            recording = await begins(cast)
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 50)
            before = set(alice.senders)
            await asyncio.to_thread(first.ends, signal.SIGTERM)
            assert first.said("is left to the recorder that comes next")
            await asyncio.to_thread(start)
            await until(lambda: set(alice.senders) - before and alice.newest.tracks["camera"].sent > 50, 60)
            return await stops(cast, house, recording)

    recording = asyncio.run(story())

    assert recording["state"] == "processing"
    assert len(artifacts(house, recording["id"], "segment")) == 2


def test_one_recorder_records_two_rooms_at_once(house: Gunicorn, start: Any) -> None:
    cast, only = Cast(house), start()

    async def story() -> list[str]:
        async with Caller(cast.alice, camera=Picture) as alice, Caller(cast.charlie, camera=Picture) as charlie:
            recording = await begins(cast)
            other = f"rooms/{cast.other_room}/recording"
            asked = await asyncio.to_thread(house.post, other, {"action": "start"}, cast.charlie.token)
            both = [recording, asked["recording"]["id"]]
            for one in (alice, charlie):
                await until(lambda one=one: one.senders and one.newest.tracks["camera"].sent > 50)
            await stops(cast, house, recording)
            await asyncio.to_thread(house.post, other, {"action": "stop"}, cast.charlie.token)
            await asyncio.to_thread(eventually, lambda: artifacts(house, both[1]), 40)
            return both

    recordings = asyncio.run(story())

    assert only.process.poll() is None
    for recording in recordings:
        (camera,) = artifacts(house, recording)
        found = numbers(house, camera)
        assert found == list(range(found[0], found[0] + len(found)))
        assert len(found) >= 45


def test_a_recorder_that_is_full_says_so_and_begins_when_it_is_free(house: Gunicorn, start: Any) -> None:
    cast, _ = Cast(house), start(capacity=1)

    async def story() -> None:
        async with Caller(cast.alice, camera=Picture) as alice, Caller(cast.charlie, camera=Picture) as charlie:
            recording = await begins(cast)
            await until(lambda: alice.senders)
            await asyncio.to_thread(house.post, f"rooms/{cast.other_room}/recording", {"action": "start"}, cast.charlie.token)
            there = f"rooms/{cast.other_room}"

            def waiting() -> Any:
                return house.get(there)["recording"]["waiting"]

            told = await asyncio.to_thread(eventually, lambda: (found := waiting()) and found["why"] == "busy" and found, 20)
            assert told["place"] == 1
            assert told["starts_in_s"] >= 60
            await stops(cast, house, recording)
            await until(lambda: charlie.senders and charlie.newest.tracks["camera"].sent > 20, 40)
            assert await asyncio.to_thread(waiting) is None

    asyncio.run(story())


def test_a_recorder_killed_right_after_a_track_began_knows_of_it_afterwards(house: Gunicorn, start: Any, tmp_path: Path) -> None:
    cast, first = Cast(house), start()

    async def story() -> str:
        async with Caller(cast.alice, microphone=Voice) as alice:
            recording = await begins(cast)
            await until(lambda: first.said("microphone (opus) has begun"))
            first.ends(signal.SIGKILL)
            assert alice.senders
            return recording

    recording = asyncio.run(story())
    (described,) = (tmp_path / "recorder" / recording).glob("*/live.json")
    assert "microphone" in described.read_text()


def test_a_server_that_is_away_at_the_end_gets_everything_when_it_is_back(house: Gunicorn, start: Any, tmp_path: Path) -> None:
    cast, recorder = Cast(house), start()

    async def story() -> str:
        async with Caller(cast.alice, camera=Picture) as alice:
            recording = await begins(cast)
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 50)
            return recording

    recording = asyncio.run(story())
    house.stop()
    eventually(lambda: recorder.said("recording goes on"))
    recorder.process.send_signal(signal.SIGTERM)
    eventually(lambda: list((tmp_path / "recorder" / recording).glob("*/segment.json")), 30)
    house.start()
    recorder.process.wait(30)
    (camera,) = artifacts(house, recording)
    assert len(numbers(house, camera)) >= 45
    house.post(f"rooms/{cast.room}/recording", {"action": "stop"}, cast.host_key)
    start()
    eventually(lambda: house.get(f"recordings/{recording}", RECORDER_KEY)["state"] == "processing", 30)


def test_an_old_client_that_offers_without_consent_is_not_recorded(house: Gunicorn, start: Any) -> None:
    cast, recorder = Cast(house), start()

    async def story() -> dict[str, Any]:
        async with Caller(cast.alice, camera=Picture) as alice, Caller(cast.bob, camera=Picture) as bob:
            bob.offers = bob.offers_anyway
            recording = await begins(cast)
            await until(lambda: recorder.said(f"participant={cast.bob.id} has not agreed"))
            await until(lambda: alice.senders and alice.newest.tracks["camera"].sent > 50)
            return await stops(cast, house, recording)

    recording = asyncio.run(story())
    assert [artifact["meta"]["person"] for artifact in artifacts(house, recording["id"])] == ["Alice"]


def test_withdrawal_ends_the_track_even_if_its_sender_goes_on_and_consent_begins_another(house: Gunicorn, start: Any) -> None:
    cast, _ = Cast(house), start()

    async def story() -> tuple[dict[str, Any], int]:
        async with Caller(cast.alice, camera=Picture) as alice, Caller(cast.bob, camera=Picture) as bob:
            recording = await begins(cast)
            await until(lambda: alice.senders and bob.senders and bob.newest.tracks["camera"].sent > 40)
            picture, recorder = bob.newest.tracks["camera"], next(iter(bob.senders))
            await asyncio.to_thread(cast.bob.answers, "withdrawn")
            withdrawn = picture.sent
            # Deaf to its own person's wish: the recorder must not be.
            await until(lambda: picture.sent > withdrawn + 50 or picture.readyState == "ended")
            await bob.senders[recorder].close()
            bob.senders[recorder] = Sender(camera=Picture())
            await bob.offers(recorder)
            await until(lambda: bob.newest.tracks["camera"].sent > 40)
            return await stops(cast, house, recording), withdrawn

    recording, withdrawn = asyncio.run(story())
    bobs = [artifact for artifact in artifacts(house, recording["id"]) if artifact["meta"]["person"] == "Bob"]
    first, second = sorted(bobs, key=lambda artifact: artifact["meta"]["start_us"])
    # 5: what was under way when the word came.
    assert max(numbers(house, first)) <= withdrawn + 5
    assert len(numbers(house, second)) >= 20
    assert second["meta"]["start_us"] > first["meta"]["start_us"] + first["meta"]["duration_us"]
