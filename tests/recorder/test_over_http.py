"""People on plain HTTP at a real server, and the recorder among them: what they sealed is in the file, in step."""

import asyncio
import io
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from people import RECORDER_KEY, Cast, Gunicorn
from sealed import FPS, TONE_AT, HttpCaller
from senders import number_in, until

from recorder import handin
from recorder.api import Server
from recorder.config import Settings
from recorder.room import RoomRecorder
from signaling.config import Settings as ServerSettings


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Any:
    folder = tmp_path_factory.mktemp("over-http")
    shutil.copy(migrated_sqlite, folder / "letterbox.db")
    named = {"data_dir": folder, "recorder_key": RECORDER_KEY, "secret_key": "a secret of the tests"}
    settings = ServerSettings(**named, lease_s=20, grace_s=300)
    server = Gunicorn(settings)
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows once all is handed in is the pipeline's, which has tests of its own."""

    async def ended(*_: Any) -> None:
        return None

    monkeypatch.setattr(handin, "end", ended)


@asynccontextmanager
async def recording(cast: Cast, work_dir: Path) -> AsyncIterator[RoomRecorder]:
    """A recorder of ours in the room, until it has handed in what it has."""
    settings = Settings.from_environ(
        {"LETTERBOX_SERVER_URL": cast.door.url, "LETTERBOX_RECORDER_KEY": RECORDER_KEY, "LETTERBOX_WORK_DIR": str(work_dir)}
    )
    server = Server(settings)
    rec = await asyncio.to_thread(cast.rec)
    name = (await asyncio.to_thread(cast.host, "start"))["recording"]["id"]
    claim = await asyncio.to_thread(rec.claim, name)

    async def nothing_earlier() -> None:
        return None

    recorder = RoomRecorder(settings, server, claim.json, nothing_earlier)
    running = asyncio.create_task(recorder.run())
    try:
        yield recorder
        await asyncio.to_thread(cast.host, "stop")
        await asyncio.wait_for(running, 40)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.close()


def tracks(house: Gunicorn, recorder: RoomRecorder) -> dict[str, list[dict[str, Any]]]:
    """source → what is in the library."""
    found: dict[str, list[dict[str, Any]]] = {}
    for artifact in house.get(f"recordings/{recorder.recording}", RECORDER_KEY)["artifacts"]:
        if artifact["kind"] == "track":
            found.setdefault(artifact["meta"]["source"], []).append(artifact)
    return found


def pictures(house: Gunicorn, artifact: dict[str, Any]) -> list[tuple[int, float]]:
    """(number, microseconds on the recording's timeline) of each."""
    with av.open(io.BytesIO(house.get(artifact["url"]).content)) as container:
        return [(number_in(one), artifact["meta"]["start_us"] + one.time * 1e6) for one in container.decode(video=0)]


def tone_us(house: Gunicorn, artifact: dict[str, Any]) -> float:
    """When the tone begins, on the recording's timeline."""
    with av.open(io.BytesIO(house.get(artifact["url"]).content)) as container:
        for frame in container.decode(audio=0):
            loud = np.abs(frame.to_ndarray()).max(axis=0) > (0.1 if frame.format.name.startswith("flt") else 3000)
            if loud.any():
                return float(artifact["meta"]["start_us"] + (frame.time + np.argmax(loud) / frame.sample_rate) * 1e6)
    raise AssertionError("no tone")


async def sends(caller: HttpCaller, more: int) -> None:
    goal = caller.sent + more
    await until(lambda: caller.sent >= goal)


async def keeps(recorder: RoomRecorder, more: int) -> None:
    """Until so many more pictures are in the file."""

    def kept() -> int:
        return sum(one.writer.frames for one in recorder._tracks._open.values() if one.track.kind == "video")

    goal = kept() + more
    await until(lambda: kept() >= goal)


def test_who_is_on_http_is_recorded_as_any_other_every_picture_once_and_the_sound_in_step(house, tmp_path):
    cast = Cast(house)

    async def story() -> tuple[RoomRecorder, int]:
        async with recording(cast, tmp_path) as recorder, HttpCaller(cast.alice) as alice:
            await sends(alice, 75)
        return recorder, alice.sent

    recorder, sent = asyncio.run(story())
    found = tracks(house, recorder)
    (camera,), (voice,) = found["camera"], found["microphone"]
    shown = pictures(house, camera)
    numbers = [number for number, _ in shown]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "none lost, none twice, in order"
    assert numbers[0] <= 10
    assert numbers[-1] == sent - 1, "up to the stop"
    assert len(numbers) >= 55
    assert (camera["meta"]["codec"], camera["meta"]["width"], camera["meta"]["lost_packets"]) == ("VP8", 320, 0)
    picture_us = next(at for number, at in shown if number == TONE_AT)
    assert abs(picture_us - tone_us(house, voice)) <= 20_000
    assert voice["meta"]["lost_packets"] == 0
    steps = np.diff([at for _, at in shown])
    assert abs(steps - 1e6 / FPS).max() < 1_500


def test_who_has_not_agreed_is_not_taken_in_and_who_withdraws_is_taken_in_no_more(house, tmp_path):
    cast = Cast(house)

    async def story() -> tuple[RoomRecorder, int]:
        async with recording(cast, tmp_path) as recorder, HttpCaller(cast.alice) as alice, HttpCaller(cast.bob, agrees=False):
            await keeps(recorder, 20)
            assert recorder.sending == 1
            await asyncio.to_thread(cast.alice.answers, "withdrawn", recorder.recording)
            await until(lambda: recorder.sending == 0)
            withdrawn = alice.sent
            await sends(alice, 20)
            return recorder, withdrawn

    recorder, withdrawn = asyncio.run(story())
    found = tracks(house, recorder)
    assert [len(files) for files in found.values()] == [1, 1]
    assert max(number for number, _ in pictures(house, found["camera"][0])) < withdrawn


def test_a_pause_is_a_gap_and_the_picture_goes_on_with_a_key_frame(house, tmp_path):
    cast = Cast(house)

    async def story() -> tuple[RoomRecorder, int, int]:
        async with recording(cast, tmp_path) as recorder, HttpCaller(cast.alice) as alice:
            await sends(alice, 40)
            await asyncio.to_thread(cast.host, "pause")
            await until(lambda: recorder.is_paused)
            paused = alice.sent
            await sends(alice, 50)
            await asyncio.to_thread(cast.host, "resume")
            await until(lambda: not recorder.is_paused)
            resumed = alice.sent
            # The key frame has to be asked for first.
            await keeps(recorder, 10)
            return recorder, paused, resumed

    recorder, paused, resumed = asyncio.run(story())
    (camera,) = tracks(house, recorder)["camera"]
    numbers = [number for number, _ in pictures(house, camera)]
    assert not [number for number in numbers if paused + 10 < number < resumed - 10]
    assert [number for number in numbers if number > resumed]
    assert numbers == sorted(set(numbers))
    assert "paused" in [gap["reason"] for gap in camera["meta"]["gaps"]]
