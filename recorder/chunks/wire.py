"""Chunks as the server hands them out, and what stands inside once they are unsealed (PROTOCOL.md, "Media over plain HTTP")."""

import json
import struct
from typing import Any, NamedTuple

SOURCES = {0: "microphone", 1: "camera", 2: "screen", 3: "screen-sound"}
KEY = 1
CODECS = {0: "vp8", 1: "vp9", 2: "h264", 3: "opus"}
# Of pictures what a file can hold, as we tell those who send.
TAKES = [codec for codec in CODECS.values() if codec != "opus"]

_CHUNK = struct.Struct(">BBII")
# kind, flags, rotation, timestamp_us, duration_us, sent_wall_us, width, height
_INSIDE = struct.Struct(">BBHqIQHH")


class Chunk(NamedTuple):
    """One chunk, sealed. n counts in each stream of a sender."""

    sender: str
    stream: int
    flags: int
    n: int
    sealed: bytes


class Inside(NamedTuple):
    """One chunk, unsealed. timestamp_us: on the sender's own clock, one for sound and picture; wall_us: the same moment on its
    wall clock; size: of the picture, None of sound."""

    codec: str | None
    is_key: bool
    timestamp_us: int
    wall_us: int
    size: tuple[int, int] | None
    payload: bytes


def read(body: bytes) -> tuple[dict[str, Any], list[Chunk]]:
    """(control, chunks) of an answer. Raises ValueError for what is none."""
    try:
        return _read(body)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"no chunks: {error}") from None


def _read(body: bytes) -> tuple[dict[str, Any], list[Chunk]]:
    kind, length = struct.unpack_from(">BI", body)
    if kind != 0:
        raise ValueError("no control record")
    at = 5 + length
    control: dict[str, Any] = json.loads(body[5:at])
    found = []
    while at < len(body):
        kind, named = body[at], body[at + 1]
        if kind != 2:
            raise ValueError(f"no chunk at byte {at}")
        sender = body[at + 2 : at + 2 + named].decode("ascii")
        stream, flags, n, length = _CHUNK.unpack_from(body, at + 2 + named)
        at += 2 + named + _CHUNK.size
        found.append(Chunk(sender, stream, flags, n, body[at : at + length]))
        at += length
    if at != len(body):
        raise ValueError("the last chunk is not whole")
    return control, found


def inside(plain: bytes) -> Inside:
    """Raises ValueError."""
    try:
        kind, flags, _, timestamp_us, _, wall_us, width, height = _INSIDE.unpack_from(plain)
    except struct.error as error:
        raise ValueError(str(error)) from None
    size = (width, height) if width and height else None
    return Inside(CODECS.get(kind), bool(flags & KEY) or kind == 3, timestamp_us, wall_us, size, plain[_INSIDE.size :])
