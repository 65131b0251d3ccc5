"""The pipeline as it runs: a real Celery worker on the embedded broker, against a real server."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import people
import pytest
import tracks
from people import eventually
from tracks import BLUE, GREEN, RED, Film
from workshop import LIMIT_S, Workshop

from recorder import manifest as manifests
from recorder.config import BadSetting, Settings
from recorder.forget import forget_deleted
from recorder.publish import Library
from recorder.waveform import Waveform


@pytest.fixture
def workshop(sqlite, serve, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(serve(sqlite.settings()), tmp_path)
    yield made
    made.close()


def test_a_recording_becomes_a_film_a_poster_and_a_manifest(workshop: Workshop) -> None:
    of_a_deleted_one = workshop.root / "work" / "rdeleted2345" / "pipeline"
    of_a_deleted_one.mkdir(parents=True)
    workshop.work()
    workshop.enqueue(*workshop.record())
    done = workshop.comes_to("ready", "failed")
    assert (done["state"], done["reason"], done["progress"]) == ("ready", None, 100)
    assert not of_a_deleted_one.parent.exists()
    assert {job["state"] for job in done["jobs"]} == {"done"}
    found = {artifact["kind"]: artifact for artifact in done["artifacts"]}
    assert found["composed"]["name"] == "2026-11-23 Board meeting.mp4"
    film = Film(workshop.download(found["composed"]))
    assert film.seconds == pytest.approx(3, abs=0.1)
    assert film.beeps() == pytest.approx([0.5], abs=0.04)
    assert tracks.is_colour(film.picture(0.5)[100, 640], RED)
    assert tracks.is_colour(film.picture(2.5)[240, 320], RED)
    assert tracks.is_colour(film.picture(2.5)[240, 960], GREEN)
    whole = manifests.load(workshop.download(found["manifest"]))
    assert (whole.duration_us, len(whole.tracks)) == (3_000_000, 3)
    assert workshop.download(found["poster"]).read_bytes()[:3] == b"\xff\xd8\xff"
    assert workshop.download(found["thumbnails"]).read_bytes()[:3] == b"\xff\xd8\xff"
    assert "Ben joined" not in workshop.download(found["chapters"]).read_text(), "a second after the beginning"
    waveform = Waveform.model_validate_json(workshop.download(found["waveform"]).read_bytes())
    assert (len(waveform.peaks), [one.name for one in waveform.speaking]) == (30, ["Ana", "Ben"])
    assert workshop.download(found["thumbnails-index"]).read_text().count("-->") == 2
    assert found["quality"]["meta"] == {"verdict": "good"}
    for artifact in done["artifacts"]:
        if artifact["kind"] == "track":
            assert workshop.download(artifact).stat().st_size == artifact["bytes"]
    eventually(lambda: not (workshop.root / "work" / workshop.recording).exists())


def test_the_same_task_twice_does_the_work_once(workshop: Workshop) -> None:
    steps = workshop.record()
    workshop.enqueue(*steps, *steps, "compose", "publish")
    workshop.work()
    done = workshop.comes_to("ready", "failed")
    assert done["state"] == "ready"
    kinds = [artifact["kind"] for artifact in done["artifacts"]]
    assert sorted(kinds) == sorted([*(set(kinds) - {"track"}), *["track"] * 3])


def test_a_file_on_the_recorder_s_disk_is_used_and_a_wrong_one_is_not(workshop: Workshop) -> None:
    steps = workshop.record()
    own = workshop.root / "work" / workshop.recording / workshop.segment
    own.mkdir(parents=True)
    theirs = workshop.root / f"{workshop.segment}-ana-camera.webm"
    (own / theirs.name).write_bytes(
        tracks.video(workshop.root / "other.webm", BLUE, 3).read_bytes().ljust(theirs.stat().st_size)[: theirs.stat().st_size]
    )
    workshop.work()
    workshop.enqueue(*steps)
    done = workshop.comes_to("ready", "failed")
    composed = next(artifact for artifact in done["artifacts"] if artifact["kind"] == "composed")
    assert tracks.is_colour(Film(workshop.download(composed)).picture(0.5)[100, 640], RED)


def test_a_worker_killed_in_the_middle_of_the_film_is_followed_by_another(sqlite, serve, tmp_path: Path) -> None:
    workshop = Workshop(serve(sqlite.settings(job_lease_s=3)), tmp_path)
    try:
        workshop.work()
        workshop.enqueue(*workshop.record(seconds=10))
        eventually(lambda: workshop.job("compose")["state"] == "running" and workshop.job("compose")["progress"] > 0, LIMIT_S)
        workshop.kill()
        assert workshop.described()["state"] == "processing"
        # The server tells a recorder when the dead worker's lease has lapsed.
        eventually(lambda: workshop.told("compose"), LIMIT_S)
        workshop.work()
        workshop.enqueue("compose")
        done = workshop.comes_to("ready", "failed")
        assert (done["state"], done["reason"]) == ("ready", None)
        (composed,) = [artifact for artifact in done["artifacts"] if artifact["kind"] == "composed"]
        assert Film(workshop.download(composed)).seconds == pytest.approx(10, abs=0.1)
    finally:
        workshop.close()


def test_a_step_that_has_nothing_to_tell_keeps_a_short_lease(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LETTERBOX_RECORDER_KEY", people.RECORDER_KEY)
    monkeypatch.setenv("LETTERBOX_WORK_DIR", str(tmp_path))
    from recorder import jobs

    told = threading.Event()

    class Office:
        def advance_job(self, *_: object, **__: object) -> list[str]:
            told.set()
            return []

    heartbeat = jobs.Heartbeat(cast(Library, Office()), "r1", "verify", 1, 0.4)
    try:
        assert told.wait(2), "not a word, though the lease is 0.4 s"
    finally:
        heartbeat.stop()


def test_the_working_copy_of_a_deleted_recording_is_gone_from_a_worker_nobody_told(workshop: Workshop) -> None:
    work = workshop.root / "work"
    workshop.record(seconds=2)
    workshop.process("poster", "verify")
    here = work / workshop.recording / "pipeline"
    # Its recorder has not handed it in yet, and hears then that nobody wants it.
    unpublished = work / "runpubjished" / "sone"
    unpublished.mkdir(parents=True)
    (unpublished / "live.json").touch()
    assert (forget_deleted(workshop.library, work), here.exists()) == ([], True)

    assert workshop.ask("delete").status == 200
    assert forget_deleted(workshop.library, work) == [workshop.recording]

    assert not here.parent.exists()
    assert unpublished.exists()


def test_what_cannot_be_played_fails_with_a_reason_people_understand(workshop: Workshop) -> None:
    workshop.work()
    workshop.enqueue(*workshop.record(spoil=True))
    # Each try that fails is told again by the server when its lease has lapsed; here the recorder is us.
    eventually(lambda: workshop.job("verify")["reason"], LIMIT_S)
    assert workshop.job("verify")["reason"] == "None of the tracks can be played."
    workshop.enqueue("verify")
    workshop.enqueue("verify")
    failed = workshop.comes_to("failed")
    assert failed["reason"] == "None of the tracks can be played."


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "LETTERBOX_RECORDER_KEY"),
        ({"LETTERBOX_RECORDER_KEY": "rk_x", "LETTERBOX_RECORDER_CAPACITY": "many"}, "LETTERBOX_RECORDER_CAPACITY"),
    ],
)
def test_a_bad_setting_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(BadSetting, match=named):
        Settings.from_environ(environ)


def test_one_person_alone_needs_no_composing(workshop: Workshop) -> None:
    workshop.work()
    workshop.enqueue(*workshop.record(alone=True))
    done = workshop.comes_to("ready", "failed")
    (film,) = [artifact for artifact in done["artifacts"] if artifact["kind"] == "composed"]
    assert (film["name"], film["meta"]["copied"]) == ("2026-11-23 Board meeting.webm", True)
    assert Film(workshop.download(film)).codecs == {"video": "vp8", "audio": "opus"}


def test_where_nobody_was_seen_the_only_voice_is_the_film(workshop: Workshop) -> None:
    workshop.work()
    workshop.enqueue(*workshop.record(seen=False))
    done = workshop.comes_to("ready", "failed")
    (film,) = [artifact for artifact in done["artifacts"] if artifact["kind"] == "composed"]
    assert (film["name"], film["media_type"]) == ("2026-11-23 Board meeting.ogg", "audio/ogg")
    assert Film(workshop.download(film)).codecs == {"audio": "opus"}


def test_a_failed_recording_goes_on_where_it_failed_when_somebody_asks(workshop: Workshop) -> None:
    workshop.work()
    workshop.enqueue(*workshop.record(spoil=True))
    eventually(lambda: workshop.job("verify")["reason"], LIMIT_S)
    workshop.enqueue("verify", "verify")
    assert workshop.comes_to("ready", "failed")["state"] == "failed"
    door, again = workshop.cast.door, f"recordings/{workshop.recording}/retry"
    assert door.post(again, {}, workshop.cast.bob.token).status == 403

    assert door.post(again, {}, workshop.cast.host_key).status == 200

    assert workshop.described()["state"] == "processing"
    assert workshop.told("verify")
    assert door.post(again, {}, workshop.cast.host_key).status == 409
