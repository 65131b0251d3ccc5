"""The ring of one stream: the chunks of its last seconds, and how far each reader is in them.

Several requests of one sender are under way at once, so chunks come out of order: what was handed to a reader is remembered in
the order of *arrival* (seq), what a reader has, or has given up, by the sender's own count (n). Nothing here waits or knows a
clock.
"""

from collections import deque

from signaling.chunks.wire import DATA, KEY, VIDEO

MAX_BYTES = 4 << 20
# Of sound that is older nobody makes use; a picture may wait a little longer for those it is built upon.
SOUND_S, VIDEO_S = 2.0, 3.0
# Data waits for its readers, but not for ever, and not in any amount.
DATA_S, MAX_DATA_BYTES = 60.0, 1 << 20
# An older key frame is no place to begin: a new one comes sooner than all that follows this one.
FRESH_S = 1.0


class Chunk:
    """wire: its record as it stands in an answer."""

    __slots__ = ("at_s", "is_key", "n", "seq", "wire")

    def __init__(self, n: int, is_key: bool, wire: bytes, seq: int, at_s: float) -> None:
        self.n, self.is_key, self.wire, self.seq, self.at_s = n, is_key, wire, seq, at_s


class Reader:
    """How far one receiver is in one ring.

    floor_n: what it has or has given up; cursor: the seq up to which it was handed everything; again: chunks of answers that were
    lost; needs_key: it cannot go on without a key frame; skipped_n: up to this n it will get nothing that it has not got yet;
    said_n: `after` as it said it last.
    """

    __slots__ = ("again", "cursor", "floor_n", "most_kbit", "needs_key", "owner", "ring", "said_n", "skipped_n")

    def __init__(self, ring: "Ring", owner: str) -> None:
        self.ring, self.owner = ring, owner
        self.floor_n = self.said_n = self.cursor = self.skipped_n = self.most_kbit = 0
        self.needs_key = False
        self.again: list[int] = []


class Ring:
    """sender, stream: whose, and which; top_n: the highest n that ever came; gone_n, gone_seq: up to where chunks were dropped;
    key_wanted: somebody waits for a key frame; missed: how many chunks were dropped before a reader had got them."""

    __slots__ = (
        "bytes", "chunks", "gone_n", "gone_seq", "here", "key_n", "key_wanted", "missed", "readers", "sender", "seq", "stream",
        "top_n",
    )  # fmt: skip

    def __init__(self, sender: str, stream: int) -> None:
        self.sender, self.stream = sender, stream
        self.chunks: deque[Chunk] = deque()
        self.here: set[int] = set()
        self.readers: dict[str, Reader] = {}
        self.bytes = self.seq = self.top_n = self.gone_n = self.gone_seq = self.key_n = self.missed = 0
        self.key_wanted = False

    # -- the sender --------------------------------------------------------------------------------------------------------

    def is_new(self, n: int) -> bool:
        """Whether a chunk of this number has not been here: a repeated request changes nothing."""
        return n > self.gone_n and n not in self.here

    def add(self, n: int, flags: int, wire: bytes, now_s: float) -> None:
        """A chunk that is_new."""
        self.seq += 1
        is_key = bool(flags & KEY)
        self.chunks.append(Chunk(n, is_key, wire, self.seq, now_s))
        self.here.add(n)
        self.bytes += len(wire)
        self.top_n = max(self.top_n, n)
        if is_key and n > self.key_n:
            self.key_n, self.key_wanted = n, False

    def trim(self, now_s: float) -> None:
        """Drop what is too old or too much, and data that all its readers have."""
        if self.stream == DATA:
            floor_n = self.acknowledged_n
            while self.chunks and (self.chunks[0].n <= floor_n or now_s - self.chunks[0].at_s > DATA_S):
                self._drop()
            return
        oldest_s = now_s - (VIDEO_S if self.stream in VIDEO else SOUND_S)
        while self.chunks and (self.chunks[0].at_s < oldest_s or self.bytes > MAX_BYTES):
            self._drop()

    def _drop(self) -> None:
        chunk = self.chunks.popleft()
        self.here.discard(chunk.n)
        self.bytes -= len(chunk.wire)
        self.gone_n, self.gone_seq = max(self.gone_n, chunk.n), chunk.seq
        self.missed += sum(1 for one in self.readers.values() if one.cursor < chunk.seq and one.floor_n < chunk.n)

    @property
    def acknowledged_n(self) -> int:
        """Up to which n every reader has everything; 0 without any."""
        return min((reader.floor_n for reader in self.readers.values()), default=0)

    # -- its readers -------------------------------------------------------------------------------------------------------

    def read_by(self, owner: str, after: int) -> Reader:
        """A new reader. Of what was before it came it gets nothing, unless it says how far it is: it had it elsewhere."""
        reader = Reader(self, owner)
        reader.floor_n = reader.said_n = after
        if self.stream != DATA and not (after and after >= self.gone_n):
            if self.stream in VIDEO:
                reader.needs_key = True
            else:
                reader.floor_n = reader.skipped_n = self.top_n
                reader.cursor = self.seq
        self.readers[owner] = reader
        return reader

    def ask_key(self, reader: Reader) -> None:
        """This reader wants a key frame, unless one is on its way to it."""
        if self.key_n <= reader.floor_n:
            self.key_wanted = True

    def take(self, reader: Reader, now_s: float, most_bytes: int) -> list[Chunk]:
        """What this reader has not been handed yet, in the order of arrival; one chunk at least, however large."""
        self._catch_up(reader, now_s)
        if reader.needs_key:
            return []
        found: list[Chunk] = []
        for chunk in reversed(self.chunks):
            if chunk.seq <= reader.cursor:
                break
            if chunk.n > reader.floor_n:
                found.append(chunk)
        found.reverse()
        if reader.again:
            found = self.those(reader, reader.again) + found
            reader.again = []
        size = 0
        for place, chunk in enumerate(found):
            size += len(chunk.wire)
            if size > most_bytes and place > 0:
                reader.again = [one.seq for one in found[place:] if one.seq <= reader.cursor]
                found = found[:place]
                break
        else:
            reader.cursor = self.seq
        if found:
            reader.cursor = max(reader.cursor, found[-1].seq)
        return found

    def _catch_up(self, reader: Reader, now_s: float) -> None:
        """Note what is gone for this reader; of video it can go on only from a key frame."""
        if reader.cursor < self.gone_seq:
            if reader.floor_n < self.gone_n:
                reader.skipped_n = self.gone_n
                reader.needs_key = reader.needs_key or self.stream in VIDEO
            reader.cursor = self.gone_seq
        if not reader.needs_key:
            return
        key = next((chunk for chunk in reversed(self.chunks) if chunk.is_key and chunk.n > reader.floor_n), None)
        if key is None or now_s - key.at_s > FRESH_S:
            self.key_wanted = True
            return
        reader.needs_key = False
        reader.floor_n = reader.skipped_n = key.n - 1

    def those(self, reader: Reader, seqs: list[int] | tuple[int, ...]) -> list[Chunk]:
        """Of these what is still here and not acknowledged."""
        wanted = set(seqs)
        return [chunk for chunk in self.chunks if chunk.seq in wanted and chunk.n > reader.floor_n]
