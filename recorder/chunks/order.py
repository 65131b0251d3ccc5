"""Chunks in their sender's order, whatever the order in which they came; what never comes is given up after a while."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from recorder.chunks.wire import Chunk

Opened = TypeVar("Opened")


class Waiting(NamedTuple):
    chunk: Chunk
    arrival_us: int


class Order:
    """after: up to which n everything was handed on or given up; patience_us: how long a hole, or a key, is waited for."""

    def __init__(self, patience_us: int) -> None:
        self._patience_us = patience_us
        self._waiting: dict[int, Waiting] = {}
        self._gone_n = 0
        self.after = 0

    def skip(self, n: int) -> None:
        """What has not come up to here never will."""
        self._gone_n = max(self._gone_n, n)

    def add(self, chunk: Chunk, arrival_us: int) -> None:
        if chunk.n > self.after and chunk.n not in self._waiting:
            self._waiting[chunk.n] = Waiting(chunk, arrival_us)

    def held_us(self, now_us: int) -> int:
        """For how long the next chunk has been here without being handed on."""
        return now_us - self._waiting[min(self._waiting)].arrival_us if self._waiting else 0

    def take(
        self, now_us: int, open_one: Callable[[Chunk], Opened | None], to_the_end: bool = False
    ) -> Iterator[tuple[int, Opened | None, int]]:
        """(how many are missing before it, the next chunk opened, its arrival). open_one: None for what has no key yet.

        to_the_end: nothing is waited for any more.
        """
        while self._waiting:
            n = min(self._waiting)
            chunk, arrival_us = self._waiting[n]
            is_over = to_the_end or now_us - arrival_us > self._patience_us
            if n > self.after + 1 and n - 1 > self._gone_n and not is_over:
                break
            opened = open_one(chunk)
            if opened is None and not is_over:
                break
            del self._waiting[n]
            missing, self.after = n - self.after - 1, n
            yield missing, opened, arrival_us
        self.after = max(self.after, min(self._gone_n, min(self._waiting, default=self._gone_n + 1) - 1))
