"""The pipeline as it runs: a real Celery worker on the embedded broker, against a real server."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import people
import pytest
import tracks
from people import ROOT, Cast, Gunicorn, eventually
from tracks import BLUE, GREEN, RED, Film

from recorder import manifest as manifests
from recorder import naming
from recorder.config import BadSetting, Settings
from recorder.publish import Library
from recorder.waveform import Waveform

LIMIT_S = 60.0


class Workshop:
    """A server, a worker with a folder of its own, and a recording made of synthetic tracks."""

    def __init__(self, server: Gunicorn, root: Path) -> None:
        self.cast, self.root = Cast(server), root
        self.environ = {
            "LETTERBOX_SERVER_URL": server.url, "LETTERBOX_RECORDER_KEY": people.RECORDER_KEY,
            "LETTERBOX_WORK_DIR": str(root / "work"), "CELERY_BROKER_URL": "",
        }  # fmt: skip
        self.library = Library(Settings.from_environ(self.environ))
        self.worker: subprocess.Popen[bytes] | None = None
        self.recording = self.segment = ""

    def work(self) -> None:
        """Start a worker."""
        command = [sys.executable, "-m", "celery", "-A", "recorder.jobs", "worker", "--loglevel=WARNING", "--concurrency=1"]
        self.worker = subprocess.Popen(command, cwd=ROOT, env=os.environ | self.environ, start_new_session=True)

    def kill(self) -> None:
        if self.worker is not None and self.worker.poll() is None:
            os.killpg(self.worker.pid, signal.SIGKILL)
            self.worker.wait()

    def close(self) -> None:
        self.kill()
        self.library.close()

    def record(self, seconds: float = 3, spoil: bool = False, alone: bool = False, seen: bool = True) -> list[str]:
        """Ana from the beginning, Ben a second later, both to the end. Handed in; returns the steps to enqueue."""
        rec, self.recording, self.segment = self.cast.record()
        self.rec = rec
        rec.calls(f"recordings/{self.recording}/report", {"segment": self.segment, "state": "recording"})
        made = [
            (tracks.video(self._file("ana-camera"), RED, seconds), "pana", "camera", 0.0, seconds),
            (tracks.sound(self._file("ana-voice"), seconds, [0.5]), "pana", "microphone", 0.0, seconds),
            (tracks.video(self._file("ben-camera"), GREEN, seconds - 1), "pben", "camera", 1.0, seconds - 1),
        ]
        made = [one for one in made if (one[1] == "pana" or not alone) and (one[2] == "microphone" or seen)]
        if spoil:
            for path, *_ in made:
                path.write_bytes(b"no film at all")
        stays = [tracks.person("Ana", 0, seconds), tracks.person("Ben", 1, seconds)][: 1 if alone else 2]
        described = [tracks.track(*facts, segment=self.segment) for facts in made]
        whole = tracks.manifest(seconds, stays, described, self.recording, self.segment)
        for (path, *_), one in zip(made, described, strict=True):
            name = naming.track_name("2026-11-23", whole.title, whole.name_of(one.participant), one.source, ".webm")
            self.library.upload(self.recording, path, name, "track", one.model_dump(exclude_none=True))
        manifests.save(whole, self._file("segment", ".json"))
        self.library.upload(self.recording, self._file("segment", ".json"), f"segment-{self.segment}.json", "segment")
        self.cast.host("stop")
        ended = rec.calls(
            f"recordings/{self.recording}/end",
            {"segment": self.segment, "reason": "stopped", "duration_ms": round(seconds * 1000)},
        )
        return ended["next"]

    def _file(self, name: str, suffix: str = ".webm") -> Path:
        return self.root / f"{self.segment}-{name}{suffix}"

    def enqueue(self, *steps: str) -> None:
        """As the recorder does it: from a process of its own."""
        code = "import sys; from recorder import jobs; [jobs.enqueue(sys.argv[1], step) for step in sys.argv[2:]]"
        subprocess.run([sys.executable, "-c", code, self.recording, *steps], cwd=ROOT, env=os.environ | self.environ, check=True)

    def described(self) -> dict[str, Any]:
        return self.library.describe(self.recording)

    def comes_to(self, *states: str) -> dict[str, Any]:
        eventually(lambda: self.described()["state"] in states, LIMIT_S)
        return self.described()

    def job(self, step: str) -> dict[str, Any]:
        return next(job for job in self.described()["jobs"] if job["step"] == step)

    def told(self, step: str) -> bool:
        """Whether the server has told the recorder to enqueue this step."""
        return any(message["kind"] == "process" and message["body"]["step"] == step for message in self.rec.hear())

    def download(self, artifact: dict[str, Any]) -> Path:
        """As the host does it: by the signed address alone."""
        path = self.root / "downloaded" / artifact["name"]
        path.parent.mkdir(exist_ok=True)
        url = next(
            one["url"]
            for recording in self.cast.door.get(f"rooms/{self.cast.room}/recordings", self.cast.host_key)["recordings"]
            for one in recording["artifacts"]
            if one["id"] == artifact["id"]
        )
        path.write_bytes(httpx.get(self.cast.door.url + url).raise_for_status().content)
        return path


@pytest.fixture
def workshop(sqlite, serve, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(serve(sqlite.settings()), tmp_path)
    yield made
    made.close()


def test_a_recording_becomes_a_film_a_poster_and_a_manifest(workshop: Workshop) -> None:
    workshop.work()
    workshop.enqueue(*workshop.record())
    done = workshop.comes_to("ready", "failed")
    assert (done["state"], done["reason"], done["progress"]) == ("ready", None, 100)
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


def test_where_nobody_was_seen_the_film_is_sound(workshop: Workshop) -> None:
    workshop.work()
    workshop.enqueue(*workshop.record(seen=False))
    done = workshop.comes_to("ready", "failed")
    (film,) = [artifact for artifact in done["artifacts"] if artifact["kind"] == "composed"]
    assert film["name"] == "2026-11-23 Board meeting.m4a"
    assert Film(workshop.download(film)).codecs == {"audio": "aac"}


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
