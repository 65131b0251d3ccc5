"""Chunks as a client writes and reads them, written from the contract (PROTOCOL.md, "Media over plain HTTP")."""

import itertools
import json
import struct
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from people import API, Person, Reply

MICROPHONE, CAMERA, SCREEN, SCREEN_SOUND, DATA = range(5)
KEY, SOUND = 1, 2

_nonces = itertools.count(1)
_pool = ThreadPoolExecutor(32, thread_name_prefix="post")


class Chunk(NamedTuple):
    sender: str
    stream: int
    flags: int
    n: int
    sealed: bytes


def record(stream: int, n: int, sealed: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BBBII", 1, stream, flags, n, len(sealed)) + sealed


def read(body: bytes) -> tuple[dict[str, Any], list[Chunk]]:
    """(control, chunks) of an answer."""
    kind, length = struct.unpack_from(">BI", body)
    assert kind == 0
    control, at, found = json.loads(body[5 : 5 + length]), 5 + length, []
    while at < len(body):
        kind, size = body[at], body[at + 1]
        assert kind == 2
        sender = body[at + 2 : at + 2 + size].decode()
        stream, flags, n, length = struct.unpack_from(">BBII", body, at + 2 + size)
        at += 12 + size
        found.append(Chunk(sender, stream, flags, n, body[at : at + length]))
        at += length
    assert at == len(body)
    return control, found


@dataclass
class Post:
    """One participant's media over HTTP."""

    person: Person
    control: dict[str, Any] = field(default_factory=dict)
    got: list[Chunk] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.person.id

    def ask(self, body: bytes = b"", want: str | None = None, wait_ms: int = 0, nonce: str | None = None) -> Reply:
        """One request, and nothing learnt from it."""
        query = f"nonce={nonce or next(_nonces)}&wait_ms={wait_ms}" + ("" if want is None else f"&want={want}")
        return self.person.door.ask(
            "POST", f"{API}/chunks?{query}", token=self.person.token, data=body, Content_Type="application/octet-stream"
        )

    def calls(self, body: bytes = b"", want: str | None = None, wait_ms: int = 0, nonce: str | None = None) -> list[Chunk]:
        """One request; its chunks, kept."""
        reply = self.ask(body, want, wait_ms, nonce)
        assert reply.status == 200, reply
        self.control, chunks = read(reply.content)
        self.got += chunks
        return chunks

    def sends(self, stream: int, n: int, sealed: bytes = b"sealed", flags: int = 0) -> None:
        self.calls(record(stream, n, sealed, flags))

    def waits(self, want: str = "", wait_ms: int = 20_000, nonce: str | None = None) -> "Future[list[Chunk]]":
        """A request in the background."""
        return _pool.submit(self.calls, b"", want, wait_ms, nonce)
