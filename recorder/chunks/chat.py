"""Lines of chat over HTTP: messages in the stream for data, in parts, for one receiver each (static/call/http/data.js)."""

import logging
from collections.abc import Iterator

from recorder.chunks.order import Order
from recorder.chunks.stream import Unseal
from recorder.chunks.wire import Chunk

log = logging.getLogger(__name__)

DATA = 4
LABEL = "chat"
TEXT, MORE = 0, 128
# The server keeps data for a minute.
PATIENCE_US = 60_000_000
# Longer than any line; of a message that does not end nothing is kept.
MOST_BYTES = 65_536


class HttpChat:
    """receiver: our own id."""

    def __init__(self, receiver: str, unseal: Unseal) -> None:
        self._receiver, self._unseal = receiver, unseal
        self._order = Order(PATIENCE_US)
        self._parts = b""

    @property
    def after(self) -> int:
        return self._order.after

    def skip(self, n: int) -> None:
        self._order.skip(n)

    def add(self, chunk: Chunk, arrival_us: int) -> None:
        self._order.add(chunk, arrival_us)

    def take(self, now_us: int) -> Iterator[str]:
        """Whole messages for us, as they were sent."""
        for _, plain, _ in self._order.take(now_us, self._open):
            found = self._part(plain or b"")
            if found is None:
                continue
            kind, part = found
            self._parts = (self._parts + part)[-MOST_BYTES:]
            if not kind & MORE:
                whole, self._parts = self._parts, b""
                yield whole.decode(errors="replace")

    def _open(self, chunk: Chunk) -> bytes | None:
        try:
            return self._unseal(chunk.stream, chunk.flags, chunk.n, chunk.sealed)
        except ValueError as error:
            log.debug("participant=%s n=%d cannot be read: %s", chunk.sender, chunk.n, error)
            return b""

    def _part(self, plain: bytes) -> tuple[int, bytes] | None:
        """(kind, bytes) of a part of a line for us; None for anything else: receiver, kind, label, bytes."""
        receiver, rest = _named(plain)
        if receiver != self._receiver or not rest:
            return None
        label, part = _named(rest[1:])
        return (rest[0], part) if label == LABEL and rest[0] & ~MORE == TEXT else None


def _named(data: bytes) -> tuple[str, bytes]:
    """What stands after its length, and the rest."""
    length = data[0] if data else 0
    return data[1 : 1 + length].decode(errors="replace"), data[1 + length :]
