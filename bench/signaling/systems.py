"""The systems that are compared: how each is started and how pairs come about in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from bench.signaling import servers
from bench.signaling.letterbox import Letterbox
from bench.signaling.peer import Accepted, Pair
from bench.signaling.servers import Server
from bench.signaling.socketio_client import PollingPeer, Socketio, WebsocketPeer
from bench.signaling.wire import HttpConnection, Loop, post


class Source(Protocol):
    """Where pairs come from."""

    def pairs(self, count: int) -> Sequence[Pair]:
        """`count` more pairs, joined, each peer waiting for messages over one connection."""


@dataclass(frozen=True)
class System:
    """One column of the comparison. relays: it carries messages between two peers; the floor does not."""

    name: str
    started: Callable[[], AbstractContextManager[Server]]
    source: Callable[[Loop, int], Source]
    relays: bool = True


@contextmanager
def _on_sqlite() -> Iterator[Server]:
    with servers.folder() as data, servers.letterbox(data) as server:
        yield server


@contextmanager
def _on_postgresql() -> Iterator[Server]:
    with servers.folder() as data, servers.postgresql() as database, servers.letterbox(data, database) as server:
        yield server


@contextmanager
def _socketio() -> Iterator[Server]:
    with servers.folder() as data, servers.socketio(data) as server:
        yield server


@contextmanager
def _echo() -> Iterator[Server]:
    with servers.folder() as data, servers.echo(data) as server:
        yield server


class EchoPeer:
    """Sends to itself in the partner's name: heard and accepted are one answer."""

    def __init__(self, loop: Loop, port: int) -> None:
        self.heard: Callable[[int], None] = lambda _number: None
        self.partner = self
        self._loop = loop
        self._posting = HttpConnection(loop, port)

    def send(self, _kind: str, body: bytes, accepted: Accepted) -> None:
        number = int(body[6:14])

        def answered(status: int, answer: bytes) -> None:
            if status != 200 or answer != body:
                self._loop.failures.append(f"echo: {status} {answer[:200]!r}")
                return
            accepted()
            self.partner.heard(number)

        self._posting.request(post("/api/v1/messages", body, "application/json"), answered)

    def faults(self) -> int:
        return 0

    def close(self) -> None:
        self._posting.close()


class Echo:
    """Pairs for the floor."""

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop, self._port = loop, port

    def pairs(self, count: int) -> list[Pair]:
        found = [(EchoPeer(self._loop, self._port), EchoPeer(self._loop, self._port)) for _ in range(count)]
        for first, second in found:
            first.partner, second.partner = second, first
        return list(found)


SQLITE, POSTGRESQL, POLLING, WEBSOCKET, FLOOR = (
    "Letterbox, SQLite", "Letterbox, PostgreSQL", "socket.io polling", "socket.io WebSocket", "floor: bare echo, one request",
)  # fmt: skip


def chosen(database: str) -> list[System]:
    """The systems of a run. database: sqlite, postgresql or both."""
    ours = {"sqlite": System(SQLITE, _on_sqlite, Letterbox), "postgresql": System(POSTGRESQL, _on_postgresql, Letterbox)}
    return [
        *(system for name, system in ours.items() if database in (name, "both")),
        System(POLLING, _socketio, lambda loop, port: Socketio(loop, port, PollingPeer)),
        System(WEBSOCKET, _socketio, lambda loop, port: Socketio(loop, port, WebsocketPeer)),
        System(FLOOR, _echo, Echo, relays=False),
    ]
