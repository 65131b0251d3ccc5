"""A server, workers, and a recording handed in: the pipeline's stage."""

import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import people
import tracks
from people import ROOT, Cast, Gunicorn, eventually
from tracks import GREEN, RED

from recorder import manifest as manifests
from recorder import naming
from recorder.config import Settings
from recorder.manifest import Manifest
from recorder.pipeline import Pipeline
from recorder.publish import Library
from signaling.library.jobs import STEPS

LIMIT_S = 90.0


class Workshop:
    """A server, a worker with a folder of its own, and a recording made of synthetic tracks."""

    def __init__(self, server: Gunicorn, root: Path, broker: str = "") -> None:
        self.cast, self.root = Cast(server), root
        self.environ = {
            "LETTERBOX_SERVER_URL": server.url, "LETTERBOX_RECORDER_KEY": people.RECORDER_KEY,
            "LETTERBOX_WORK_DIR": str(root / "work"), "CELERY_BROKER_URL": broker,
        }  # fmt: skip
        self.library = Library(Settings.from_environ(self.environ))
        self.worker: subprocess.Popen[bytes] | None = None
        self.recording = self.segment = ""

    def work(self, app: str = "recorder.jobs", concurrency: int = 1, **more: str) -> None:
        """Start a worker."""
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "--loglevel=WARNING", f"--concurrency={concurrency}"]
        self.worker = subprocess.Popen(command, cwd=ROOT, env=os.environ | self.environ | more, start_new_session=True)

    def kill(self) -> None:
        if self.worker is not None and self.worker.poll() is None:
            os.killpg(self.worker.pid, signal.SIGKILL)
            self.worker.wait()

    def close(self) -> None:
        self.kill()
        self.library.close()

    def record(self, seconds: float = 3, spoil: bool = False, alone: bool = False, seen: bool = True) -> list[str]:
        """Ana from the beginning, Ben a second later, both to the end. Handed in; returns the steps to enqueue."""
        self.begin()
        made = [
            (tracks.video(self.file("ana-camera"), RED, seconds), "pana", "camera", 0.0, seconds),
            (tracks.sound(self.file("ana-voice"), seconds, [0.5]), "pana", "microphone", 0.0, seconds),
            (tracks.video(self.file("ben-camera"), GREEN, seconds - 1), "pben", "camera", 1.0, seconds - 1),
        ]
        made = [one for one in made if (one[1] == "pana" or not alone) and (one[2] == "microphone" or seen)]
        if spoil:
            for path, *_ in made:
                path.write_bytes(b"no film at all")
        stays = [tracks.person("Ana", 0, seconds), tracks.person("Ben", 1, seconds)][: 1 if alone else 2]
        described = [tracks.track(*facts, segment=self.segment) for facts in made]
        return self.hand_in(tracks.manifest(seconds, stays, described, self.recording, self.segment))

    def begin(self) -> None:
        """A recording runs."""
        self.rec, self.recording, self.segment = self.cast.record()
        self.rec.calls(f"recordings/{self.recording}/report", {"segment": self.segment, "state": "recording"})

    def hand_in(self, whole: Manifest) -> list[str]:
        """As a recorder does it at the end. whole: of files in our root. Returns the steps to enqueue."""
        for number, one in enumerate(whole.tracks):
            person = f"{whole.name_of(one.participant)} {number}"
            name = naming.track_name("2026-11-23", whole.title, person, one.source, Path(one.file).suffix)
            self.library.upload(self.recording, self.root / one.file, name, "track", one.model_dump(exclude_none=True))
        manifests.save(whole, self.file("segment", ".json"))
        self.library.upload(self.recording, self.file("segment", ".json"), f"segment-{self.segment}.json", "segment")
        self.cast.host("stop")
        ended = self.rec.calls(
            f"recordings/{self.recording}/end",
            {"segment": self.segment, "reason": "stopped", "duration_ms": round(whole.duration_us / 1000)},
        )
        return list(ended["next"])

    def file(self, name: str, suffix: str = ".webm") -> Path:
        return self.root / f"{self.segment}-{name}{suffix}"

    def process(self, *steps: str) -> dict[str, dict[str, Any]]:
        """All steps, or these, one after the other, in this process. Returns the artifacts by kind."""
        for step in steps or STEPS:
            Pipeline(Settings.from_environ(self.environ), self.library, self.recording, lambda _percent, _eta: None).run(step)
        return {artifact["kind"]: artifact for artifact in self.described()["artifacts"]}

    def enqueue(self, *steps: str) -> None:
        """As the recorder does it: from a process of its own."""
        code = "import sys; from recorder import jobs; [jobs.enqueue(sys.argv[1], step) for step in sys.argv[2:]]"
        subprocess.run([sys.executable, "-c", code, self.recording, *steps], cwd=ROOT, env=os.environ | self.environ, check=True)

    def described(self) -> dict[str, Any]:
        return self.library.describe(self.recording)

    def comes_to(self, *states: str) -> dict[str, Any]:
        eventually(lambda: self.described()["state"] in states, LIMIT_S)
        return self.described()

    def ask(self, path: str, **wish: Any) -> Any:
        """A call of the host about the recording."""
        return self.cast.door.post(f"recordings/{self.recording}/{path}", wish, self.cast.host_key)

    def version(self, n: int) -> dict[str, Any]:
        return next(one for one in self.described()["versions"] if one["n"] == n)

    def film(self, n: int = 1) -> dict[str, Any]:
        """The artifact."""
        (found,) = [one for one in self.described()["artifacts"] if one["kind"] == "composed" and one["meta"]["version"] == n]
        return dict(found)

    def job(self, step: str) -> dict[str, Any]:
        return next(job for job in self.described()["jobs"] if job["step"] == step)

    def told(self, step: str) -> bool:
        """Whether the server has told the recorder to enqueue this step."""
        return any(message["kind"] == "process" and message["body"]["step"] == step for message in self.rec.hear())

    def waits_for(self, fact: Callable[[], bool]) -> None:
        """Meanwhile do what a recorder does: hand to the broker what the server tells it of, because nobody took it."""

        def look() -> bool:
            for message in self.rec.hear():
                if message["kind"] == "process":
                    self.enqueue(message["body"]["step"])
            return fact()

        eventually(look, LIMIT_S)

    def download_archive(self) -> zipfile.ZipFile:
        """Everything at once, as a person takes it along."""
        room = self.cast.door.get(f"rooms/{self.cast.room}/recordings", self.cast.host_key)
        (recording,) = [one for one in room["recordings"] if one["id"] == self.recording]
        return zipfile.ZipFile(io.BytesIO(httpx.get(self.cast.door.url + recording["archive"]).raise_for_status().content))

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
