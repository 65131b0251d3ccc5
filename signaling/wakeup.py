"""Tell another web process that it has a mailbox to look into. A lost wake-up costs latency, never a message.

One machine on SQLite: a Unix datagram to the process that holds the recipient's poll. A datagram may be dropped, so
each process also looks once a second whether anything was written at all (`changed`: a stat of the write-ahead log,
no SQL). Many nodes on PostgreSQL: NOTIFY on a channel per process, delivered by the database after the commit; what was
said while the listening connection was away is found by looking when it is back, and every LOOK_S.
"""

import hashlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from signaling import clock

MAX_DATAGRAM = 60_000
# How often a process on PostgreSQL looks although nobody has told it anything, seconds.
LOOK_S = 10.0
# Two writes this near to each other may leave the same time on a file: one clock tick of the kernel, generously.
TICK_NS = 100_000_000


class Wakeup(Protocol):
    """How one web process wakes another."""

    def listen(self, woken: Callable[[list[str]], None]) -> None:
        """Begin to call `woken` with the ids of participants whose mailbox has something new; [] means: look at all."""

    def announce(self, connection: Connection, worker: str, ids: list[str]) -> None:
        """Inside the transaction: prepare what `worker` must be told."""

    def wake(self, worker: str, ids: list[str]) -> None:
        """After the commit: tell `worker`."""

    def changed(self) -> bool:
        """Whether something may have been written since the last call that a lost wake-up has not told us of."""

    def suspect(self, workers: Iterable[str]) -> None:
        """Look at these too when asked who is dead."""

    def dead(self) -> set[str]:
        """Processes that were there and no longer run."""

    def close(self) -> None:
        """Stop listening."""


def _ids(said: bytes | str) -> list[str]:
    """Whom a wake-up names. What cannot be read names everybody: the thread that listens must not end over it."""
    try:
        found = json.loads(said)
    except ValueError:
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


class Datagrams:
    """Wake-ups among the processes of one machine: a socket file each, held open as proof of life."""

    def __init__(self, folder: Path, worker: str, log: Path) -> None:
        self._folder, self._worker, self._log = folder, worker, log
        self._seen: tuple[int, int] | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / worker))
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)
        self._suspects: set[str] = set()
        self._thread: threading.Thread | None = None

    def listen(self, woken: Callable[[list[str]], None]) -> None:
        self._thread = threading.Thread(target=self._receive, args=(woken,), name="wakeup", daemon=True)
        self._thread.start()

    def _receive(self, woken: Callable[[list[str]], None]) -> None:
        while True:
            try:
                data = self._socket.recv(MAX_DATAGRAM)
            except OSError:
                return  # closed
            if data == b"stop":
                return
            if data != b"alive?":
                woken(_ids(data))

    def announce(self, connection: Connection, worker: str, ids: list[str]) -> None:
        """Nothing to do before the commit: the datagram leaves after it."""

    def wake(self, worker: str, ids: list[str]) -> None:
        data = json.dumps(ids).encode()
        self._send(worker, data if len(data) < MAX_DATAGRAM else b"[]")

    def changed(self) -> bool:
        if not any(path.name != self._worker for path in self._folder.iterdir()):
            return False  # whatever was written, we wrote it
        try:
            stat = self._log.stat()
        except FileNotFoundError:
            return False
        now = (stat.st_size, stat.st_mtime_ns)
        changed = now != self._seen
        # Written a moment ago: the next write may look the same, so look once more.
        self._seen = now if time.time_ns() - stat.st_mtime_ns > TICK_NS else None
        return changed

    def suspect(self, workers: Iterable[str]) -> None:
        self._suspects |= set(workers)

    def dead(self) -> set[str]:
        here = {path.name for path in self._folder.iterdir()} | self._suspects
        self._suspects = set()
        return {worker for worker in here if worker != self._worker and not self._send(worker, b"alive?")}

    def _send(self, worker: str, data: bytes) -> bool:
        """False when nobody listens there any more. A full queue is a listener too: its reconciling look will find the rest."""
        try:
            self._sender.sendto(data, str(self._folder / worker))
        except BlockingIOError:
            return True
        except OSError:
            (self._folder / worker).unlink(missing_ok=True)
            self._suspects.add(worker)
            return False
        return True

    def close(self) -> None:
        if self._thread is not None:
            self._send(self._worker, b"stop")
            self._thread.join(timeout=2)
        self._socket.close()
        (self._folder / self._worker).unlink(missing_ok=True)


class Notifications:
    """Wake-ups among the nodes of one PostgreSQL: LISTEN on a channel of our own, NOTIFY in the sender's transaction.

    The listening connection holds an advisory lock with the process's number: its end is the process's end, seen by all nodes.
    """

    def __init__(self, engine: Engine, worker: str) -> None:
        self._engine, self._worker = engine, worker
        self._looked_s = clock.monotonic_s()
        self._missed: set[str] = set()
        self._stop = threading.Event()
        self._connected = threading.Event()
        self._thread: threading.Thread | None = None

    def listen(self, woken: Callable[[list[str]], None]) -> None:
        self._thread = threading.Thread(target=self._receive, args=(woken,), name="wakeup", daemon=True)
        self._thread.start()
        self._connected.wait(timeout=5)

    def _receive(self, woken: Callable[[list[str]], None]) -> None:
        import psycopg

        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stop.is_set():
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
                    # Shared: our own connection of before, which the server has not yet seen end, must not keep us waiting.
                    connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", (self._worker,))
                    connection.execute(f'LISTEN "{self._worker}"'.encode())
                    self._connected.set()
                    # Whatever was written while we did not listen was not announced to us.
                    woken([])
                    while not self._stop.is_set():
                        for notice in connection.notifies(timeout=1.0):
                            if self._stop.is_set():
                                break
                            woken(_ids(notice.payload or "[]"))
            except psycopg.Error:
                self._stop.wait(0.5)

    def announce(self, connection: Connection, worker: str, ids: list[str]) -> None:
        payload = json.dumps(ids)
        # PostgreSQL refuses payloads of 8,000 bytes and more (https://www.postgresql.org/docs/current/sql-notify.html).
        connection.execute(
            text("SELECT pg_notify(:channel, :payload)"),
            {"channel": worker, "payload": payload if len(payload) < 7900 else "[]"},
        )

    def wake(self, worker: str, ids: list[str]) -> None:
        """Nothing to do after the commit: the database has told them."""

    def changed(self) -> bool:
        now = clock.monotonic_s()
        if now - self._looked_s < LOOK_S:
            return False
        self._looked_s = now
        return True

    def suspect(self, workers: Iterable[str]) -> None:
        """Nothing to remember: `dead` asks the database about everybody."""

    def dead(self) -> set[str]:
        # Missed twice: when the database itself was restarted, the living need a moment to come back.
        missed, before = self._missing(), self._missed
        self._missed = missed - before
        return missed & before

    def _missing(self) -> set[str]:
        # The lock's 64-bit key stands in pg_locks as two halves (https://www.postgresql.org/docs/current/view-pg-locks.html).
        gone = text(
            "SELECT DISTINCT worker FROM participant WHERE left_at_ms IS NULL AND NOT EXISTS (SELECT 1 FROM pg_locks WHERE"
            " locktype = 'advisory' AND objsubid = 1 AND granted"
            " AND (classid::bigint << 32 | objid::bigint) = hashtextextended(worker, 0))"
        )
        with self._engine.connect() as connection:
            return {row[0] for row in connection.execute(gone)} - {self._worker}

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._say_to_ourselves()
            self._thread.join(timeout=3)

    def _say_to_ourselves(self) -> None:
        """End the listening thread's wait at once rather than at its next look around."""
        try:
            with self._engine.begin() as connection:
                self.announce(connection, self._worker, [])
        except DBAPIError:
            pass


def make_wakeup(engine: Engine, data_dir: Path, worker: str) -> Wakeup:
    """Datagrams beside SQLite, notifications beside PostgreSQL."""
    if engine.dialect.name == "sqlite":
        # Not in the data folder itself: a socket's path may have 108 bytes at most (unix(7)).
        name = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"letterbox-{os.getuid()}-{name}"
        return Datagrams(folder, worker, Path(f"{engine.url.database}-wal"))
    return Notifications(engine, worker)
