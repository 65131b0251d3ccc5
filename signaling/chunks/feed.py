"""Chunks between web processes: a Redis stream a room, which every process with somebody of that room in it reads.

Nothing of the loop waits for Redis: what goes out is queued for one thread, what comes in is read by another. While Redis is away
people at the same process hear each other, and the others nothing.
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

# Some seconds of a room of many; and how long a room is remembered after its last word.
MOST_ENTRIES, KEPT_S = 2_000, 60
# What waits to go out while Redis is slow; beyond it media is lost, as on any road.
MOST_WAITING = 5_000
# How long a room that has just begun may have to wait until it is read, milliseconds.
BLOCK_MS = 50
AGAIN_S = 0.5


class Word(NamedTuple):
    """What one process tells the others. body: chunks as they were posted; want: as in the query; key: of whose stream a key
    frame is needed, `<participant>.<stream>`."""

    room: str
    who: str
    body: bytes = b""
    want: str | None = None
    key: str = ""


class Feed:
    """heard: called with every word of other processes, on a thread of its own."""

    def __init__(self, url: str, process: str) -> None:
        from redis import Redis  # only where it is used

        self._redis: Any = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=3)
        self._process = process.encode()
        self._out: queue.Queue[Word | None] = queue.Queue(MOST_WAITING)
        self._rooms: dict[str, bytes | None] = {}
        self._lock = threading.Lock()
        self._some, self._stop = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, heard: Callable[[Word], None]) -> None:
        work = (threading.Thread(target=self._write), threading.Thread(target=self._read, args=(heard,)))
        for thread in work:
            thread.daemon, thread.name = True, "chunks"
            thread.start()
            self._threads.append(thread)

    def send(self, word: Word) -> None:
        try:
            self._out.put_nowait(word)
        except queue.Full:
            log.warning("room=%s Redis takes media too slowly; some is lost", word.room)

    def follow(self, room: str) -> None:
        """From now on hear what is said of this room."""
        with self._lock:
            self._rooms.setdefault(room, None)
        self._some.set()

    def leave(self, room: str) -> None:
        with self._lock:
            self._rooms.pop(room, None)
            if not self._rooms:
                self._some.clear()

    def close(self) -> None:
        self._stop.set()
        self._some.set()
        self._out.put(None)
        for thread in self._threads:
            thread.join(timeout=2)
        self._redis.close()

    # -- threads -----------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        while not self._stop.is_set():
            words = [self._out.get()]
            while not self._out.empty() and len(words) < 100:
                words.append(self._out.get())
            try:
                with self._redis.pipeline(transaction=False) as pipeline:
                    for word in words:
                        if word is not None:
                            self._add(pipeline, word)
                    pipeline.execute()
            except Exception as error:
                log.warning("Redis does not take media: %s", error)
                self._stop.wait(AGAIN_S)

    def _add(self, pipeline: Any, word: Word) -> None:
        fields: dict[str, str | bytes] = {"by": self._process, "who": word.who, "body": word.body, "key": word.key}
        if word.want is not None:
            fields["want"] = word.want
        pipeline.xadd(_name(word.room), fields, maxlen=MOST_ENTRIES, approximate=True)
        pipeline.expire(_name(word.room), KEPT_S)

    def _read(self, heard: Callable[[Word], None]) -> None:
        while not self._stop.is_set():
            self._some.wait()
            try:
                self._begin()
                self._hear(heard)
            except Exception as error:
                log.warning("Redis does not tell of media: %s", error)
                self._stop.wait(AGAIN_S)

    def _begin(self) -> None:
        """What was said in a room before we came is of no use any more."""
        with self._lock:
            new = [room for room, at in self._rooms.items() if at is None]
        for room in new:
            last = self._redis.xrevrange(_name(room), count=1)
            self._reached(room, last[0][0] if last else b"0-0")

    def _reached(self, room: str, at: bytes) -> None:
        with self._lock:
            if room in self._rooms:
                self._rooms[room] = at

    def _hear(self, heard: Callable[[Word], None]) -> None:
        with self._lock:
            asked = {_name(room): at for room, at in self._rooms.items() if at is not None}
        if not asked:
            return
        for name, entries in self._redis.xread(asked, block=BLOCK_MS) or ():
            room = name.decode().removeprefix(_name(""))
            for at, fields in entries:
                self._reached(room, at)
                if fields[b"by"] != self._process:
                    heard(_word(room, fields))


def _name(room: str) -> str:
    return f"letterbox:chunks:{room}"


def _word(room: str, fields: dict[bytes, bytes]) -> Word:
    want = fields.get(b"want")
    who, key = fields[b"who"].decode(), fields[b"key"].decode()
    return Word(room, who, fields[b"body"], want.decode() if want is not None else None, key)
