"""Chunks on the wire (PROTOCOL.md, "Media over plain HTTP"): the records of a request's and an answer's body, and the query
that says what is wanted. A chunk is one encoded picture or one packet of sound, sealed by its sender: nothing here looks inside.
"""

import re
import struct
from typing import NamedTuple

from signaling import errors

MICROPHONE, CAMERA, SCREEN, SCREEN_SOUND, DATA = range(5)
VIDEO = frozenset({CAMERA, SCREEN})
KEY = 1
MAX_BODY_BYTES = 262_144
MAX_WISHES = 64

# type, stream, flags, n, length; all whole numbers are big endian.
_UP = struct.Struct(">BBBII")
_DOWN = struct.Struct(">BBII")
_CONTROL, _CHUNK, _CHUNK_OF = 0, 1, 2
_QUERY = re.compile(r"(?:(?:nonce=([\w-]{1,64})|wait_ms=(\d{1,5})|want=([\w.,%-]*))(?:&|$))*", re.ASCII)
_WISH = re.compile(r"([a-z0-9]{1,12})\.([0-4])\.(\d{1,10})(k?)(?:\.(\d{1,6}))?", re.ASCII)


class Draft(NamedTuple):
    """One chunk as its sender wrote it. n counts up in each of its streams."""

    stream: int
    flags: int
    n: int
    sealed: bytes


class Wish(NamedTuple):
    """One stream of somebody that is wanted. after: up to which n it was received or given up; key: a key frame, please;
    most_kbit: no more than this gets through, 0: not said."""

    sender: str
    stream: int
    after: int
    key: bool
    most_kbit: int


class Asked(NamedTuple):
    """The query of one request. wishes: None for a request that only sends."""

    nonce: str
    wait_ms: int
    wishes: tuple[Wish, ...] | None


def asked(query: str) -> Asked:
    """Raises malformed."""
    found = _QUERY.fullmatch(query)
    if found is None:
        raise errors.malformed([{"field": "query", "problem": "must be nonce, wait_ms and want"}])
    return Asked(found[1] or "", int(found[2] or 0), None if found[3] is None else _wishes(found[3]))


def _wishes(text: str) -> tuple[Wish, ...]:
    parts = text.replace("%2C", ",").split(",") if text else []
    found = [_WISH.fullmatch(part) for part in parts]
    if len(parts) > MAX_WISHES or None in found:
        problem = f"must be at most {MAX_WISHES} of <participant>.<stream>.<after>[k][.<kbit/s>], with commas between"
        raise errors.malformed([{"field": "want", "problem": problem}])
    return tuple(Wish(m[1], int(m[2]), int(m[3]), bool(m[4]), int(m[5] or 0)) for m in found if m is not None)


def spelled(wishes: tuple[Wish, ...]) -> str:
    """As in a query."""
    return ",".join(f"{one.sender}.{one.stream}.{one.after}{'k' if one.key else ''}.{one.most_kbit}" for one in wishes)


def drafts(body: bytes) -> list[Draft]:
    """The chunks of a request's body. Raises malformed, too_large."""
    if len(body) > MAX_BODY_BYTES:
        raise errors.too_large(MAX_BODY_BYTES, "A request with chunks")
    found, at = [], 0
    while at < len(body):
        if len(body) - at < _UP.size:
            raise _cut(at)
        kind, stream, flags, n, length = _UP.unpack_from(body, at)
        start = at + _UP.size
        if kind != _CHUNK or stream > DATA or n == 0:
            raise errors.malformed([{"field": "body", "problem": f"no chunk begins at byte {at}"}])
        at = start + length
        if at > len(body):
            raise _cut(start)
        found.append(Draft(stream, flags, n, body[start:at]))
    return found


def _cut(at: int) -> errors.Problem:
    return errors.malformed([{"field": "body", "problem": f"the record at byte {at} is not whole"}])


def chunk_of(sender: str, draft: Draft) -> bytes:
    """A chunk's record in an answer."""
    who = sender.encode()
    head = _DOWN.pack(draft.stream, draft.flags, draft.n, len(draft.sealed))
    return b"".join((bytes((_CHUNK_OF, len(who))), who, head, draft.sealed))


def control(text: str) -> bytes:
    """The record every answer begins with."""
    data = text.encode()
    return bytes((_CONTROL,)) + len(data).to_bytes(4, "big") + data
