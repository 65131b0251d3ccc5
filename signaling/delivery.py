"""Who waits for what, in this process: a small record per mailbox, and the polls parked on them.

The database has the truth; a record only remembers how far it got, so that a poll with nothing to say costs no SQL and
a committed message is answered without reading it back. A poll is parked as a Waiter, which is told its answer once:
under the stock worker a thread waits behind it, under ours nothing does (`worker.py`).

Lock order: `_lock` is never held while the database is asked or a waiter is answered.
"""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from signaling import errors
from signaling.mailbox import Delivery

# Beyond this the rows are read from the database instead: memory per mailbox stays bounded.
MAX_TAIL = 64
# A poll that came so shortly before we hear that another process has taken over may be the newer one of the two, seconds.
NEWER_S = 0.25
Tail = list[tuple[int, str, str, str]]


class Waiter(Protocol):
    """A poll without an answer yet."""

    nonce: str

    def answer(self, body: bytes) -> None:
        """Answer 200 with this JSON. Called at most once."""

    def refuse(self, problem: errors.Problem) -> None:
        """Answer with a problem instead. Called at most once."""


class OpenMailbox:
    """What this process knows of one mailbox it watches over.

    known_n: the highest number known to be committed. tail: the committed rows up to known_n that this process wrote itself
    and that follow each other without a gap; what is below it is read from the database. parked_at_s, due_s, queued_s:
    monotonic seconds (when the poll came, when it must be answered, this mailbox's earliest entry among the deadlines).
    opening: until the database has said how far it is; a second poll waits for that too. cut: nonce of the last poll that
    went without an answer, and after how many seconds. cut_s: after how many seconds this network has cut a poll. replayed:
    the poll that is here now is the one that was cut, sent again.
    """

    __slots__ = (
        "acknowledged_n",
        "cut",
        "cut_s",
        "due_s",
        "id",
        "known_n",
        "opening",
        "parked_at_s",
        "queued_s",
        "replayed",
        "tail",
        "waiter",
    )

    def __init__(self, participant: str) -> None:
        self.id = participant
        self.known_n = 0
        self.acknowledged_n = 0
        self.tail: Tail | None = None
        self.opening: threading.Event | None = threading.Event()
        self.waiter: Waiter | None = None
        self.cut: tuple[str, float] | None = None
        self.parked_at_s = self.due_s = 0.0
        self.queued_s: float | None = None
        self.cut_s: float | None = None
        self.replayed = False

    def remember(self, delivery: Delivery) -> None:
        if delivery.n <= self.known_n:
            return
        if delivery.n == self.known_n + 1:
            if self.tail is None:
                self.tail = []
            self.tail.append((delivery.n, delivery.sender, delivery.kind, delivery.body))
            if len(self.tail) > MAX_TAIL:
                del self.tail[0]
        else:
            # Another process wrote in between: the database has the order.
            self.tail = None
        self.known_n = delivery.n

    def known_after(self, after: int) -> Tail | None:
        """The messages above `after` from memory, None when the database must be asked."""
        if not self.tail or self.tail[0][0] > after + 1:
            return None
        return [row for row in self.tail if row[0] > after]

    def forget(self, upto: int) -> None:
        """Drop what was acknowledged."""
        if self.tail:
            self.tail = [row for row in self.tail if row[0] > upto] or None


def envelope(
    rows: Iterable[tuple[int, str, str, str]], wait_s: float, reconnect: bool = False, cut_s: float | None = None
) -> bytes:
    """The answer to a poll. Bodies are JSON text already and are passed on as they came; kinds and ids need no escaping."""
    messages = ",".join(f'{{"seq":{n},"from":"{sender}","kind":"{kind}","body":{body}}}' for n, sender, kind, body in rows)
    learnt = "" if cut_s is None else f',"cut_s":{cut_s:g}'
    end = ',"reconnect":true}' if reconnect else "}"
    return f'{{"messages":[{messages}],"wait_s":{wait_s:g}{learnt}{end}'.encode()


def safe_hold_s(cut_s: float) -> float:
    """How long to hold a poll on a network that cuts it after cut_s seconds."""
    return max(1.0, round(cut_s * 0.8, 1))


class Mailboxes:
    """All mailboxes this process watches over.

    The doors to the database are passed in:
    opened(id) → (mailbox_n, acknowledged_n), having taken the participant over; raises participant_gone.
    look(ids) → id → mailbox_n of those that are here and still ours, or the problem to tell who polls it.
    read(id, after) → rows.
    """

    def __init__(
        self,
        opened: Callable[[str], tuple[int, int]],
        look: Callable[[list[str]], dict[str, int | errors.Problem]],
        read: Callable[[str, int], Tail],
        wait_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._opened, self._look, self._read = opened, look, read
        self._wait_s, self._clock = wait_s, clock
        self._lock = threading.Lock()
        self._boxes: dict[str, OpenMailbox] = {}
        self._absent: dict[str, float] = {}
        self._acknowledged: dict[str, int] = {}
        # At most one live entry a mailbox, however often it polls.
        self._deadlines: list[tuple[float, int, OpenMailbox]] = []
        self._order = itertools.count()
        self._closing = False

    # -- a poll comes in ------------------------------------------------------------------------------------------------

    def poll(self, participant: str, after: int, wait_s: float, waiter: Waiter) -> bytes | None:
        """Answer at once (bytes), or park `waiter` and answer it later (None).

        Raises participant_gone, stale_poll, after_ahead.
        """
        box = self._open(participant)
        if after > box.known_n:
            self._refresh([box])
        with self._lock:
            ours = self._boxes.get(participant) is box
            if ours:
                older, rows = self._place(box, after, wait_s, waiter)
        if not ours:
            # Another process took it over in this moment: take it back, as it is now.
            return self.poll(participant, after, wait_s, waiter)
        if older is not None:
            older.refuse(errors.replaced())
        if box.waiter is waiter:
            return None
        if rows is None:
            rows = self._read(participant, after)
        return self._envelope(box, rows, self._closing)

    def _envelope(self, box: OpenMailbox, rows: Iterable[tuple[int, str, str, str]], reconnect: bool = False) -> bytes:
        """With what was learnt of this network: how long to ask for next time, and, once for each cut, after how long it came."""
        if box.cut_s is None:
            return envelope(rows, self._wait_s, reconnect)
        return envelope(rows, min(self._wait_s, safe_hold_s(box.cut_s)), reconnect, box.cut_s if box.replayed else None)

    def _place(self, box: OpenMailbox, after: int, wait_s: float, waiter: Waiter) -> tuple[Waiter | None, Tail | None]:
        """Note the acknowledgement, and park the waiter when there is nothing to say. Returns the poll this one replaces, and
        what to answer: None when the database must be asked. Under the lock."""
        if after > box.known_n:
            raise errors.after_ahead(box.known_n)
        if after < box.acknowledged_n:
            raise errors.stale_poll(box.acknowledged_n)
        if after > box.acknowledged_n:
            box.acknowledged_n = after
            self._acknowledged[box.id] = after
            box.forget(after)
        older, wait = self._replace(box, waiter, wait_s)
        self._absent[box.id] = self._clock()
        if box.known_n > after:
            return older, box.known_after(after)
        if wait > 0 and not self._closing:
            self._park(box, waiter, wait)
        return older, []

    def _replace(self, box: OpenMailbox, waiter: Waiter, wait_s: float) -> tuple[Waiter | None, float]:
        """Make way for a newer poll, and learn from it: the same nonce twice is a proxy or browser sending again a poll
        this network has cut, which the page cannot see. That one is held shorter; a new one as long as the page wishes, which
        was told, and may want to see whether the network has changed. Returns the older poll, and how long to hold this one."""
        older = box.waiter
        if older is not None:
            box.cut = (older.nonce, self._clock() - box.parked_at_s)
            self._unpark(box)
        hold_s = min(wait_s, self._wait_s)
        nonce, held_s = box.cut or ("", 0.0)
        box.cut, box.replayed = None, False
        if nonce == waiter.nonce and held_s >= 2:
            box.replayed = True
            box.cut_s = round(held_s, 1)
            hold_s = min(hold_s, safe_hold_s(box.cut_s))
        return older, hold_s

    def _park(self, box: OpenMailbox, waiter: Waiter, wait_s: float) -> None:
        box.waiter = waiter
        box.parked_at_s = self._clock()
        box.due_s = box.parked_at_s + wait_s
        self._absent.pop(box.id, None)
        if box.queued_s is None or box.due_s < box.queued_s:
            self._queue(box)

    def _queue(self, box: OpenMailbox) -> None:
        box.queued_s = box.due_s
        heapq.heappush(self._deadlines, (box.due_s, next(self._order), box))

    def _unpark(self, box: OpenMailbox) -> None:
        box.waiter = None
        self._absent[box.id] = self._clock()

    def _open(self, participant: str) -> OpenMailbox:
        while True:
            # Known to `committed` and `woken` before the database is asked: nothing can slip in between.
            with self._lock:
                box = self._boxes.get(participant)
                opening = box.opening if box is not None else None
                if box is not None and opening is None:
                    return box
                if box is None:
                    box = self._boxes[participant] = OpenMailbox(participant)
                    self._absent.setdefault(participant, self._clock())
                    break
            if opening is not None:
                opening.wait()
        try:
            known, acknowledged = self._opened(participant)
        except BaseException:
            self.forget(participant)
            self._end_opening(box)
            raise
        with self._lock:
            if known > box.known_n:
                box.known_n, box.tail = known, None
            box.acknowledged_n = max(box.acknowledged_n, acknowledged)
        self._end_opening(box)
        return box

    def _end_opening(self, box: OpenMailbox) -> None:
        with self._lock:
            opening, box.opening = box.opening, None
        if opening is not None:
            opening.set()

    def _refresh(self, boxes: Iterable[OpenMailbox], told: bool = False) -> None:
        """Read how far these mailboxes got; let go of those that are no longer ours. told: another process has said so."""
        found = self._look([box.id for box in boxes])
        for box in boxes:
            known = found.get(box.id, errors.participant_gone())
            if not isinstance(known, errors.Problem):
                with self._lock:
                    if known > box.known_n:
                        box.known_n, box.tail = known, None
            elif box.opening is None:
                self._let_go(box, known, told)

    def _let_go(self, box: OpenMailbox, problem: errors.Problem, told: bool) -> None:
        """Tell who polls it why; but a poll that may be newer than what we heard is sent to ask again rather than away."""
        with self._lock:
            if self._boxes.get(box.id) is not box:
                return
        waiter = self.forget(box.id)
        if waiter is None:
            return
        newer = not told or self._clock() - box.parked_at_s < NEWER_S
        if problem.code == "replaced" and newer:
            waiter.answer(self._envelope(box, (), reconnect=True))
        else:
            waiter.refuse(problem)

    # -- something was committed ----------------------------------------------------------------------------------------

    def committed(self, deliveries: Iterable[Delivery]) -> None:
        """Rows of a transaction of this process: answer who waits for them, from memory."""
        touched: dict[str, OpenMailbox] = {}
        with self._lock:
            for delivery in deliveries:
                box = self._boxes.get(delivery.recipient)
                if box is not None:
                    box.remember(delivery)
                    touched[box.id] = box
        self._answer(touched.values())

    def woken(self, participants: list[str]) -> None:
        """Another process has written into these mailboxes ([]: look at all)."""
        with self._lock:
            boxes = [self._boxes[p] for p in participants if p in self._boxes] if participants else list(self._boxes.values())
        self._refresh(boxes, told=bool(participants))
        self._answer(boxes)

    def _answer(self, boxes: Iterable[OpenMailbox]) -> None:
        for box in boxes:
            with self._lock:
                waiter, after = box.waiter, box.acknowledged_n
                if waiter is None or box.known_n <= after:
                    continue
                self._unpark(box)
                rows = box.known_after(after)
            try:
                waiter.answer(self._envelope(box, rows if rows is not None else self._read(box.id, after)))
            except errors.Problem:
                # The database is away: nothing now, and the next poll asks it again.
                waiter.answer(self._envelope(box, ()))

    # -- time passes, people go -----------------------------------------------------------------------------------------

    def expire(self) -> float | None:
        """Answer every poll whose time is over with nothing. Returns seconds until the next is due, None without any."""
        now = self._clock()
        over = []
        with self._lock:
            while self._deadlines and self._deadlines[0][0] <= now:
                queued, _, box = heapq.heappop(self._deadlines)
                if queued != box.queued_s:
                    continue
                box.queued_s = None
                if box.waiter is None:
                    continue
                if box.due_s > now:
                    self._queue(box)
                else:
                    over.append((box, box.waiter))
                    self._unpark(box)
            due = self._deadlines[0][0] - now if self._deadlines else None
        for box, waiter in over:
            waiter.answer(self._envelope(box, ()))
        return due

    def hung_up(self, participant: str, waiter: Waiter) -> None:
        """The connection of a parked poll is gone: its participant is absent from now on."""
        with self._lock:
            box = self._boxes.get(participant)
            if box is not None and box.waiter is waiter:
                box.cut = (waiter.nonce, self._clock() - box.parked_at_s)
                self._unpark(box)

    def withdraw(self, participant: str, waiter: Waiter) -> None:
        """This poll is not to be answered any more, if it still waits; it was not cut."""
        with self._lock:
            box = self._boxes.get(participant)
            if box is not None and box.waiter is waiter:
                self._unpark(box)

    def absent_longer_than(self, grace_s: float) -> list[str]:
        """Participants of this process that have not asked for so long."""
        limit = self._clock() - grace_s
        with self._lock:
            return [participant for participant, since in self._absent.items() if since <= limit]

    def watch(self, participants: Iterable[str]) -> None:
        """Expect these to poll here: their patience starts now."""
        now = self._clock()
        with self._lock:
            for participant in participants:
                if participant not in self._boxes:
                    self._absent[participant] = now

    def forget(self, participant: str) -> Waiter | None:
        """This mailbox is no longer ours. Returns the poll that was parked on it."""
        with self._lock:
            box = self._boxes.pop(participant, None)
            self._absent.pop(participant, None)
            self._acknowledged.pop(participant, None)
            return box.waiter if box is not None else None

    def close(self, participant: str, problem: errors.Problem) -> None:
        """Forget a mailbox and tell who polls it why."""
        waiter = self.forget(participant)
        if waiter is not None:
            waiter.refuse(problem)

    def take_acknowledged(self, least: int = 1) -> dict[str, int]:
        """The acknowledgements since the last call, to ride along in the next transaction; none while there are fewer."""
        if len(self._acknowledged) < least:
            return {}
        with self._lock:
            taken, self._acknowledged = self._acknowledged, {}
        return taken

    def return_acknowledged(self, acknowledged: dict[str, int]) -> None:
        """The transaction failed: try again later."""
        with self._lock:
            for participant, n in acknowledged.items():
                if participant in self._boxes:
                    self._acknowledged[participant] = max(n, self._acknowledged.get(participant, 0))

    def shut(self) -> None:
        """The process stops: answer every parked poll with `reconnect`, and each later one at once."""
        with self._lock:
            self._closing = True
            parked = [(box, box.waiter) for box in self._boxes.values() if box.waiter is not None]
            for box, _ in parked:
                box.waiter = None
        for _, waiter in parked:
            waiter.answer(envelope((), self._wait_s, reconnect=True))

    @property
    def watched(self) -> int:
        """How many mailboxes there are."""
        return len(self._boxes)

    @property
    def parked(self) -> int:
        """How many polls wait."""
        return sum(1 for box in list(self._boxes.values()) if box.waiter is not None)
