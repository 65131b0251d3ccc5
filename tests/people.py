"""Who plays in the tests, and how they speak to the server: only through its own door."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import httpx

import app as front_door
from signaling.config import Settings, variable

RECORDER_KEY = "rk_of_the_tests"
API = "/api/v1"
ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(fact: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Wait for a fact to become true; its value."""
    until = time.monotonic() + limit_s
    while True:
        found = fact()
        if found:
            return found
        assert time.monotonic() < until, f"not within {limit_s} s: {fact}"
        threading.Event().wait(0.01)


@dataclass
class Reply:
    """An answer of the server, whoever carried it."""

    status: int
    headers: Any
    content: bytes
    json: Any

    def __getitem__(self, key: str) -> Any:
        return self.json[key]


class Door:
    """How requests reach the server. Subclasses carry them."""

    def ask(
        self, method: str, path: str, json: Any = None, token: str | None = None, data: bytes | None = None, **headers: str
    ) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["Authorization"] = f"Bearer {token}"
        return self.carry(method, path if path.startswith("/") else f"{API}/{path}", json, data, named)

    def post(self, path: str, json: Any = None, token: str | None = None, **more: Any) -> Reply:
        return self.ask("POST", path, json, token, **more)

    def get(self, path: str, token: str | None = None, **more: Any) -> Reply:
        return self.ask("GET", path, None, token, **more)

    def carry(self, method: str, path: str, json: Any, data: bytes | None, headers: dict[str, str]) -> Reply:
        raise NotImplementedError

    def room(self, title: str = "Board meeting") -> tuple[str, str]:
        made = self.post("rooms", {"title": title})
        assert made.status == 201, made
        return made["room"], made["host_key"]

    def join(self, room: str, name: str, host_key: str | None = None, **more: Any) -> "Person":
        joined = self.post(f"rooms/{room}/participants", {"name": name} | ({"host_key": host_key} if host_key else {}), **more)
        assert joined.status == 201, joined
        return Person(self, joined)


class House(Door):
    """One web process inside this one."""

    def __init__(self, settings: Settings, housekeeping: bool = True) -> None:
        self.settings = settings
        self.app = front_door.create_app(settings)
        self.server = self.app.extensions["letterbox"]
        if not housekeeping:
            self.server._stop.set()
        self._open = True

    def carry(self, method: str, path: str, json: Any, data: bytes | None, headers: dict[str, str]) -> Reply:
        with self.app.test_client() as client:
            found = client.open(path, method=method, json=json, data=data, headers=headers)
            return Reply(
                found.status_code,
                found.headers,
                found.data,
                found.get_json(silent=True) if "json" in (found.content_type or "") else None,
            )

    def close(self) -> None:
        if self._open:
            self._open = False
            front_door.stop(self.app)

    def kill(self) -> None:
        """As if by kill -9: nothing is said, nothing is written, its sockets are gone."""
        self._open = False
        self.server._stop.set()
        self.server.mailboxes.take_acknowledged()
        self.server.wakeup.close()
        if hasattr(self.server.wakeup, "_folder"):
            (self.server.wakeup._folder / self.server.worker).touch()  # a process that is killed leaves its socket's file
        self.server.engine.dispose()


class Gunicorn(Door):
    """A real server over real HTTP."""

    def __init__(self, settings: Settings, workers: int = 1, environ: dict[str, str] | None = None) -> None:
        self.settings, self.port = settings, free_port()
        self.log = settings.data_dir / "gunicorn.log"
        self.url = f"http://127.0.0.1:{self.port}"
        told = {
            variable(f.name): str(getattr(settings, f.name))
            for f in fields(settings)
            if isinstance(getattr(settings, f.name), str | int | Path)
        }
        self._environ = os.environ | told | {
            "LETTERBOX_BIND": f"127.0.0.1:{self.port}", "LETTERBOX_WEB_WORKERS": str(workers), "LETTERBOX_THREADS": "40",
            "LETTERBOX_WORKER_CLASS": os.environ.get("LETTERBOX_WORKER_CLASS", "signaling.worker.ParkingWorker"),
            "LETTERBOX_LOG_LEVEL": "warning",
        } | (environ or {})  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=self.url, timeout=40, limits=httpx.Limits(max_connections=200))

    def start(self) -> "Gunicorn":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"],
                cwd=ROOT,
                env=self._environ,
                stdout=log,
                stderr=log,
            )
        # Only as slow as the machine is: where much else runs, importing takes its time.
        eventually(self._is_up, 90)
        return self

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"gunicorn ended: {self.log.read_text()}"
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def carry(self, method: str, path: str, json: Any, data: bytes | None, headers: dict[str, str]) -> Reply:
        found = self._http.request(method, path, json=json, content=data, headers=headers)
        kind = found.headers.get("content-type", "")
        return Reply(found.status_code, found.headers, found.content, found.json() if "json" in kind else None)

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        assert self.process is not None
        found = subprocess.run(["ps", "--ppid", str(self.process.pid), "-o", "pid="], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self) -> None:
        self.stop()
        self._http.close()


_pool = ThreadPoolExecutor(64, thread_name_prefix="people")
_nonces = itertools.count(1)


@dataclass
class Person:
    """A participant at their browser: counts what it sends, keeps what it gets, says each poll how far it is."""

    door: Door
    joined: Reply
    n: int = 0
    after: int = 0
    got: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.joined["participant"]["id"]

    @property
    def token(self) -> str:
        return self.joined["token"]

    def draft(self, to: "Person | str", kind: str = "note", body: Any = None) -> dict[str, Any]:
        self.n += 1
        return {"n": self.n, "to": to if isinstance(to, str) else to.id, "kind": kind, "body": {} if body is None else body}

    def say(self, to: "Person | str", body: Any = None, kind: str = "note") -> Reply:
        """Send one message."""
        return self.send([self.draft(to, kind, body)])

    def send(self, messages: list[dict[str, Any]]) -> Reply:
        return self.door.post("messages", {"messages": messages}, self.token)

    def ask(self, wait_s: int = 0, after: int | None = None, nonce: str | None = None) -> Reply:
        """One poll, and nothing learnt from it."""
        after = self.after if after is None else after
        return self.door.get(f"mailbox?after={after}&wait_s={wait_s}&nonce={nonce or next(_nonces)}", self.token)

    def hear(self, wait_s: int = 0) -> list[dict[str, Any]]:
        """One poll; what it brought, kept."""
        answer = self.ask(wait_s)
        assert answer.status == 200, answer
        for message in answer["messages"]:
            assert message["seq"] == self.after + 1, f"a gap: {message['seq']} after {self.after}"
            self.after = message["seq"]
            self.got.append(message)
        return answer["messages"]

    def hears(self, kind: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Poll until a message of this kind is there; its body."""
        until = time.monotonic() + limit_s
        while True:
            for message in self.hear(1):
                if message["kind"] == kind:
                    return message["body"]
            assert time.monotonic() < until, f"no {kind} within {limit_s} s; got {self.got}"

    def is_told(self) -> list[tuple[str, Any]]:
        """(kind, body) of everything that waits now."""
        return [(message["kind"], message["body"]) for message in self.hear()]

    def waits(self, wait_s: int = 20, after: int | None = None, nonce: str | None = None) -> "Future[Reply]":
        """A poll in the background, that is surely parked if there is nothing to say."""
        parked = _pool.submit(self.ask, wait_s, after, nonce)
        if isinstance(self.door, House):
            box = self.door.server.mailboxes
            eventually(
                lambda: (
                    parked.done() or ((b := box._boxes.get(self.id)) and b.waiter and (nonce is None or b.waiter.nonce == nonce))
                )
            )
        return parked

    def answers(self, answer: str, recording: str | None = None, **more: Any) -> Reply:
        """About being recorded: given, declined, withdrawn."""
        wish = {"recording": recording, "answer": answer, "text": "May you be recorded?", "language": "en"} | more
        return self.door.post(f"rooms/{self.joined['room']['room']}/consent", wish, self.token)

    def leave(self) -> Reply:
        return self.door.post("leave", {}, self.token)


class Recorder(Person):
    """Rec: a participant without a room, with the recorder key."""

    @classmethod
    def register(cls, door: Door, name: str = "Rec") -> "Recorder":
        made = door.post("recorders", {"name": name, "capacity": 20}, RECORDER_KEY)
        assert made.status == 201, made
        return cls(door, made)

    def calls(self, path: str, json: Any = None) -> Reply:
        return self.door.post(path, json or {}, RECORDER_KEY)

    def claim(self, recording: str) -> Reply:
        return self.calls(f"recordings/{recording}/claim", {"recorder": self.id})

    def uploads(self, recording: str, name: str, data: bytes, kind: str = "track", media_type: str = "video/webm") -> Reply:
        import hashlib

        sent = self.door.post(f"recordings/{recording}/uploads/{name}?offset=0", None, RECORDER_KEY, data=data)
        assert sent.status == 200, sent
        about = {
            "name": name,
            "kind": kind,
            "media_type": media_type,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        return self.calls(f"recordings/{recording}/artifacts", about | {"meta": {}})


class Cast:
    """Alice (host) and Bob in one room, Charlie in another."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.room, self.host_key = door.room()
        self.other_room, self.other_key = door.room("Charlie's")
        self.alice = door.join(self.room, "Alice", self.host_key)
        self.bob = door.join(self.room, "Bob")
        self.charlie = door.join(self.other_room, "Charlie", self.other_key)
        # The greetings are heard: tests begin in silence.
        self.alice.hear()

    def rec(self) -> Recorder:
        return Recorder.register(self.door)

    def record(self) -> tuple[Recorder, str, str]:
        """Alice records; Rec has claimed it. (Rec, recording, segment)"""
        rec = self.rec()
        recording = self.host("start")["recording"]["id"]
        return rec, recording, rec.claim(recording)["segment"]

    def host(self, action: str, **more: Any) -> Reply:
        return self.door.post(f"rooms/{self.room}/recording", {"action": action} | more, self.alice.token)

    def recorded(self, files: dict[str, bytes] | None = None) -> tuple[Recorder, str, str]:
        """A recording that was made, stopped, and handed to the pipeline."""
        rec, recording, segment = self.record()
        rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"})
        for name, data in (files or {"track.webm": b"picture and sound"}).items():
            assert rec.uploads(recording, name, data).status == 201
        self.host("stop")
        ended = rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "stopped", "duration_ms": 1000})
        assert ended.status == 200, ended
        return rec, recording, segment

    def state(self, recording: str) -> str:
        return self.door.get(f"recordings/{recording}", RECORDER_KEY)["state"]
