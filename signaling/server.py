"""One web process: its settings, its database, its mailboxes, its wake-ups, wired together; and what it does by itself.

`Transaction` is how everything below the routes writes: rows and messages commit together, and who must be told is told
afterwards. "Commit first, announce afterwards": a wake-up that leaves before the commit finds nothing.
"""

import json
import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from signaling import clock, db, errors, mailbox, metrics, tally
from signaling.bursts import Bursts
from signaling.chunks.feed import Feed
from signaling.chunks.relay import Chunks
from signaling.chunks.relay import Limits as ChunkLimits
from signaling.config import Settings
from signaling.delivery import Mailboxes
from signaling.library.disk import Disk
from signaling.library.storage import Storage
from signaling.limits import Limits
from signaling.models import Participant
from signaling.proxies import Proxies
from signaling.wakeup import Wakeup, make_wakeup

log = logging.getLogger(__name__)
TICK_S = 0.1
# Acknowledgements ride along in a transaction when there are so many of them, else once a second: a message that comes alone is
# not to wait for two statements more.
ENOUGH_TO_WRITE = 24
# The database cannot be reached, or is too busy: trying again helps. Anything else it refuses is a fault of ours.
AWAY = (OperationalError, InterfaceError, PoolTimeout)


class Transaction:
    """An open transaction. What it posts is delivered after it has committed; what it does not commit never was."""

    def __init__(self, server: "Server", connection: Connection) -> None:
        self.server, self.connection = server, connection
        self.now_ms = clock.now_ms()
        self.deliveries: list[mailbox.Delivery] = []
        self.after_commit: list[Callable[[], None]] = []

    def post(self, postings: Sequence[mailbox.Posting]) -> list[int | errors.Problem]:
        """Messages of participants; acknowledgements noted since the last transaction ride along."""
        return self._write(postings, ()).outcomes

    def notify(self, to: Iterable[str], kind: str, body: dict[str, Any]) -> None:
        """A message from the server to each of these participants."""
        recipients = tuple(sorted(to))
        if recipients:
            self._write((), (mailbox.Notice(recipients, kind, json.dumps(body, separators=(",", ":"))),))

    def _write(self, postings: Sequence[mailbox.Posting], notices: Sequence[mailbox.Notice]) -> mailbox.Plan:
        plan = mailbox.commit(self.connection, postings, notices, {}, self.server.settings.max_mailbox, self.now_ms)
        self.deliveries += plan.deliveries
        return plan

    def told_elsewhere(self) -> dict[str, list[str]]:
        """worker → participants: whose polls are held by other processes."""
        others: dict[str, set[str]] = defaultdict(set)
        for delivery in self.deliveries:
            if delivery.worker and delivery.worker != self.server.worker:
                others[delivery.worker].add(delivery.recipient)
        return {worker: sorted(ids) for worker, ids in others.items()}


@dataclass
class Server:
    """Everything one web process holds."""

    settings: Settings
    engine: Engine
    storage: Storage
    worker: str
    wakeup: Wakeup
    mailboxes: Mailboxes
    limits: Limits
    chunks: Chunks
    bursts: Bursts
    proxies: Proxies

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._chores: list[tuple[Callable[[Server], None], float]] = []
        # Whether a recording may need something: looked at by the sweeps, so that they cost nothing while nothing is recorded.
        self.unsettled = True
        # Whether an event was committed here that no webhook has told of yet.
        self.untold = True
        # Whether something may have been committed that no poll here was told of.
        self.doubtful = False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Write; then tell. Raises database_away (503) when the database cannot be reached: nothing was changed."""
        acknowledged = self.mailboxes.take_acknowledged(ENOUGH_TO_WRITE)
        try:
            with db.writing(self.engine) as connection:
                tx = Transaction(self, connection)
                yield tx
                # Last, so that nothing is waited for while these rows are locked.
                mailbox.acknowledge(connection, acknowledged)
                elsewhere = tx.told_elsewhere()
                for worker, ids in elsewhere.items():
                    self.wakeup.announce(connection, worker, ids)
        except BaseException as error:
            self.mailboxes.return_acknowledged(acknowledged)
            if isinstance(error, AWAY):
                # A connection that breaks during the commit does not say whether it was: look, or a poll would sleep over it.
                self.doubtful = True
                self._note_error(error)
                raise errors.database_away() from error
            raise
        try:
            self._announce(tx, elsewhere)
        except Exception:
            # It is committed: whoever asked must not be told otherwise, and the next look finds who was not told.
            log.exception("could not tell of what was committed")
            self.doubtful = True

    def _announce(self, tx: Transaction, elsewhere: dict[str, list[str]]) -> None:
        self.mailboxes.committed(tx.deliveries)
        metrics.count_messages(tx.deliveries)
        for worker, ids in elsewhere.items():
            self.wakeup.wake(worker, ids)
        for call in tx.after_commit:
            call()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Look. Raises database_away."""
        try:
            with db.reading(self.engine) as connection:
                yield connection
        except AWAY as error:
            self._note_error(error)
            raise errors.database_away() from error

    def _note_error(self, error: Exception) -> None:
        metrics.DATABASE_ERRORS.inc()
        log.warning("database error: %s", getattr(error, "orig", error))

    def every(self, seconds: float, chore: Callable[["Server"], None], aside: bool = False) -> None:
        """Add something this process does by itself. aside: in a thread of its own, because it may have to wait for others."""
        self._chores.append((self._aside(chore) if aside else chore, seconds))

    def _aside(self, chore: Callable[["Server"], None]) -> Callable[["Server"], None]:
        free = threading.Lock()

        def work() -> None:
            try:
                self._do(chore)
            finally:
                free.release()

        def begin(_: "Server") -> None:
            if free.acquire(blocking=False):
                threading.Thread(target=work, name=chore.__name__, daemon=True).start()

        return begin

    def start(self) -> None:
        """Begin to listen to other processes and to keep house. Once, after the process has forked."""
        self.wakeup.listen(self._woken)
        self.chunks.start()
        self._thread = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)
        self._thread.start()

    def _woken(self, participants: list[str]) -> None:
        metrics.WAKEUPS.inc()
        try:
            self.mailboxes.woken(participants)
        except Exception as error:
            # The thread that listens must go on whatever happens; what it could not do now is done at the next look.
            log.warning("a wake-up failed: %s", error)
            self.doubtful = True

    def reconcile(self) -> None:
        """Chore: look into all mailboxes when a wake-up may have been lost."""
        if self.doubtful or self.wakeup.changed():
            self.doubtful = False
            self._woken([])

    def _keep_house(self) -> None:
        due = {chore: clock.monotonic_s() + seconds for chore, seconds in self._chores}
        while not self._stop.wait(TICK_S):
            for chore, seconds in self._chores:
                if clock.monotonic_s() >= due[chore]:
                    due[chore] = clock.monotonic_s() + seconds
                    self._do(chore)

    def _do(self, chore: Callable[["Server"], None]) -> None:
        try:
            chore(self)
        except errors.Problem as problem:
            log.warning("%s: %s", chore.__name__, problem)
        except Exception:
            log.exception("%s failed", chore.__name__)

    def stop(self) -> None:
        """Answer every parked poll with `reconnect` and fall silent."""
        self.mailboxes.shut()
        self.chunks.close()
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=3)
        self.flush_acknowledged()
        self.wakeup.close()
        self.engine.dispose()

    @property
    def carries_media(self) -> bool:
        """Whether media may come over HTTP: several processes that share nothing would each know half of a call."""
        return self.settings.http_media and (self.settings.web_workers == 1 or bool(self.settings.chunks_url))

    def measure(self) -> None:
        """Chore: how much waits here."""
        metrics.PARKED.set(self.mailboxes.parked)
        metrics.WATCHED.set(self.mailboxes.watched)
        metrics.CHUNKS_PARKED.set(self.chunks.parked)
        metrics.CHUNKS_HELD.set(self.chunks.bytes)

    def sweep_chunks(self) -> None:
        """Chore: old media goes."""
        self.chunks.sweep()

    def flush_acknowledged(self) -> None:
        """Write acknowledgements that found no transaction to ride along in."""
        acknowledged = self.mailboxes.take_acknowledged()
        if not acknowledged:
            return
        try:
            with db.writing(self.engine) as connection:
                mailbox.acknowledge(connection, acknowledged)
        except DBAPIError:
            self.mailboxes.return_acknowledged(acknowledged)


def storage_of(settings: Settings) -> Storage:
    """Where this installation keeps its recordings. Raises ValueError for an address that cannot be one."""
    if not settings.storage_url:
        return Disk(settings.data_dir / "files")
    from signaling.library.s3 import S3  # a tenth of a second and 20 MB that a folder does not need

    return S3(settings.storage_url, settings.downloads == "signed")


def make_server(settings: Settings) -> Server:
    """The server of this process. Raises db.SchemaOutOfDate."""
    engine = db.make_engine(settings)
    db.check_schema(engine)
    worker = uuid.uuid4().hex[:16]
    server: Server

    def opened(participant: str) -> tuple[int, int]:
        with server.transaction() as tx:
            row = mailbox.lock(tx.connection, [participant]).get(participant)
            if row is None or row.gone:
                raise errors.participant_gone()
            if row.worker != worker:
                tx.connection.execute(update(Participant).where(Participant.id == participant).values(worker=worker))
                server.wakeup.announce(tx.connection, row.worker, [participant])
                tx.after_commit.append(lambda: server.wakeup.wake(row.worker, [participant]))
        return row.mailbox_n, row.acknowledged_n

    def look(participants: list[str]) -> dict[str, int | errors.Problem]:
        with server.reading() as connection:
            found = mailbox.look(connection, participants)
        return {
            row.id: errors.participant_gone() if row.gone else row.mailbox_n if row.worker == worker else errors.replaced()
            for row in found.values()
        }

    def read(participant: str, after: int) -> list[tuple[int, str, str, str]]:
        with server.reading() as connection:
            return mailbox.waiting(connection, participant, after)

    mailboxes = Mailboxes(opened, look, read, settings.wait_s, clock.monotonic_s)
    feed = Feed(settings.chunks_url, worker) if settings.chunks_url and settings.http_media else None
    chunks = Chunks(ChunkLimits.of(settings), clock.monotonic_s, feed)
    shared = tally.InPostgreSQL(engine) if engine.dialect.name == "postgresql" and not settings.limits_storage else None
    limits = Limits(settings, shared)
    wakeup = make_wakeup(engine, settings.data_dir, worker)
    server = Server(
        settings, engine, storage_of(settings), worker, wakeup, mailboxes, limits, chunks, Bursts(settings, clock.monotonic_s),
        Proxies(settings.trusted_proxies, settings.proxy_addresses),
    )  # fmt: skip
    if shared is not None:
        counted = shared
        server.every(60.0, lambda _: counted.sweep(), aside=True)
    server.every(1.0, Server.flush_acknowledged)
    server.every(1.0, Server.reconcile)
    server.every(1.0, Server.sweep_chunks)
    server.every(5.0, Server.measure)
    return server
