"""The SQL mailbox: post messages, acknowledge them, read what waits. Whole batches at a time.

The contract (PROTOCOL.md, "The mailbox"): each mailbox counts its messages 1, 2, 3, … without gaps. A number is given out
under the lock of the recipient's row, in the transaction that inserts the message, so that number order is commit order:
a reader that has seen n can never be overtaken by something below n. (An auto-increment id is no such cursor: on
PostgreSQL ids become visible out of order.) Each sender counts likewise, so that a repeated POST changes nothing.

`commit` works on many senders at once: one SELECT that locks every row concerned, one pure `plan`, one statement for each
kind of change. Nothing here waits, wakes or remembers: that is `delivery.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from signaling import errors
from signaling.db import many
from signaling.models import Message, Participant

SERVER = "server"
EVERYONE = "*"
SERVER_KINDS = frozenset(
    {
        "joined", "left", "recording", "consent", "undelivered", "invite", "process", "closed",
        "room", "role", "knock", "admitted", "asked",
    }
)  # fmt: skip


# In the lobby, and denied or removed (rooms.INSIDE has the others).
OUTSIDE = frozenset({"waiting", "out"})


class Draft(NamedTuple):
    """One message as its sender wrote it. n: the sender's own count; body: JSON text."""

    n: int
    to: str
    kind: str
    body: str


class Posting(NamedTuple):
    """One POST /messages: all of it or nothing."""

    sender: str
    room: str
    drafts: tuple[Draft, ...]


class Notice(NamedTuple):
    """One message from the server. to: participant ids. Never refused: they are few, and bounded by other limits."""

    to: tuple[str, ...]
    kind: str
    body: str


class Delivery(NamedTuple):
    """One committed row, on its way. worker: the process that holds the recipient's poll."""

    recipient: str
    n: int
    sender: str
    kind: str
    body: str
    worker: str


@dataclass(slots=True)
class Row:
    """The part of a participant's row the mailbox works on."""

    id: str
    room: str | None
    kind: str
    worker: str
    sent_n: int
    mailbox_n: int
    acknowledged_n: int
    gone: bool


@dataclass(slots=True)
class Plan:
    """What a batch changes. outcomes: per posting the highest n accepted, or the Problem it is refused with."""

    outcomes: list[int | errors.Problem] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)


def plan(rows: Mapping[str, Row], postings: Sequence[Posting], notices: Sequence[Notice], max_mailbox: int) -> Plan:
    """Numbers for every message of a batch. Pure but for the counters in `rows`, which it moves on.

    rows: everyone concerned, locked. A posting that is refused moves nothing.
    """
    result = Plan()
    for posting in postings:
        outcome = _plan_posting(rows, posting, max_mailbox, result)
        result.outcomes.append(outcome)
    for notice in notices:
        for recipient in notice.to:
            row = rows.get(recipient)
            if row is not None and not row.gone:
                _deliver(row, SERVER, notice.kind, notice.body, result)
    return result


def _plan_posting(rows: Mapping[str, Row], posting: Posting, max_mailbox: int, result: Plan) -> int | errors.Problem:
    sender = rows.get(posting.sender)
    if sender is None or sender.gone or sender.kind == "out":
        return errors.participant_gone()
    if sender.kind == "waiting":
        return errors.still_waiting()
    fresh = [draft for draft in posting.drafts if draft.n > sender.sent_n]
    for expected, draft in enumerate(fresh, sender.sent_n + 1):
        if draft.n != expected:
            return errors.number_skipped(expected, draft.n)
    addressed = []
    growth: dict[str, int] = {}
    for draft in fresh:
        recipients = _recipients(rows, posting, draft)
        if recipients is None:
            return errors.no_such_recipient(draft.to)
        addressed.append((draft, recipients))
        for row in recipients:
            growth[row.id] = growth.get(row.id, 0) + 1
    for recipient, count in growth.items():
        row = rows[recipient]
        if not row.gone and row.mailbox_n - row.acknowledged_n + count > max_mailbox:
            return errors.mailbox_full(row.id)
    for draft, recipients in addressed:
        for row in recipients:
            if row.gone or row.kind == "out":
                _deliver(sender, SERVER, "undelivered", f'{{"n":{draft.n},"to":"{row.id}","reason":"left"}}', result)
            else:
                _deliver(row, sender.id, draft.kind, draft.body, result)
    if fresh:
        sender.sent_n = fresh[-1].n
        result.sent[sender.id] = sender.sent_n
    return posting.drafts[-1].n


def _recipients(rows: Mapping[str, Row], posting: Posting, draft: Draft) -> list[Row] | None:
    """Whom a draft is for, in id order; None when there is nobody of that id in the sender's room."""
    if draft.to != EVERYONE:
        row = rows.get(draft.to)
        if row is None:
            return None
        # A connection check has nobody but itself: its note to itself measures the way to the server and back.
        met = row.kind == "check" if row.id == posting.sender else row.room == posting.room and row.kind != "waiting"
        return [row] if met else None
    here = (row for _, row in sorted(rows.items()) if row.room == posting.room and not row.gone and row.kind not in OUTSIDE)
    return [row for row in here if row.id != posting.sender]


def _deliver(row: Row, sender: str, kind: str, body: str, result: Plan) -> None:
    row.mailbox_n += 1
    result.deliveries.append(Delivery(row.id, row.mailbox_n, sender, kind, body, row.worker))


_ROW = (
    Participant.id, Participant.room_id, Participant.kind, Participant.worker,
    Participant.sent_n, Participant.mailbox_n, Participant.acknowledged_n, Participant.left_at_ms,
)  # fmt: skip
_LOOK = select(*_ROW).where(Participant.id.in_(bindparam("ids", expanding=True)))
_BY_ID = _LOOK.order_by(Participant.id).with_for_update()
_BY_ID_OR_ROOM = (
    select(*_ROW)
    .where(
        or_(
            Participant.id.in_(bindparam("ids", expanding=True)),
            and_(Participant.room_id.in_(bindparam("rooms", expanding=True)), Participant.left_at_ms.is_(None)),
        )
    )
    # One fixed order for every transaction that locks several mailboxes: no deadlock.
    .order_by(Participant.id)
    .with_for_update()
)
_SET_SENT = update(Participant).where(Participant.id == bindparam("who")).values(sent_n=bindparam("n"))
_SET_MAILBOX = update(Participant).where(Participant.id == bindparam("who")).values(mailbox_n=bindparam("n"))
# A row that another transaction works on is passed over: acknowledging must never wait, or two transactions that carry
# each other's acknowledgements would wait for ever. The participant's next acknowledgement makes up for it.
_FREE = select(Participant.id).where(Participant.id == bindparam("who")).with_for_update(skip_locked=True).scalar_subquery()
_SET_ACKNOWLEDGED = (
    update(Participant)
    .where(Participant.id == _FREE, Participant.acknowledged_n < bindparam("upto"))
    .values(acknowledged_n=bindparam("upto"))
)
_ACKNOWLEDGED = select(Participant.acknowledged_n).where(Participant.id == bindparam("who")).scalar_subquery()
_DELETE = delete(Message).where(
    Message.recipient_id == bindparam("who"), Message.n <= bindparam("upto"), Message.n <= _ACKNOWLEDGED
)
_INSERT = insert(Message).values({column.name: bindparam(column.name) for column in Message.__table__.columns})
_WAITING = select(Message.n, Message.sender_id, Message.kind, Message.body).where(
    Message.recipient_id == bindparam("who"), Message.n > bindparam("after")
).order_by(Message.n)  # fmt: skip


def lock(connection: Connection, ids: Iterable[str], rooms: Iterable[str] = ()) -> dict[str, Row]:
    """The rows of these participants and of everyone present in these rooms, locked until the transaction ends."""
    id_list, room_list = list(ids), list(rooms)
    if room_list:
        return _rows(connection.execute(_BY_ID_OR_ROOM, {"ids": id_list, "rooms": room_list}))
    return _rows(connection.execute(_BY_ID, {"ids": id_list}))


def look(connection: Connection, ids: Sequence[str]) -> dict[str, Row]:
    """The rows of these participants as they are, without a lock."""
    # In slices: databases limit how many parameters one statement may have.
    found: dict[str, Row] = {}
    for start in range(0, len(ids), 500):
        found |= _rows(connection.execute(_LOOK, {"ids": list(ids[start : start + 500])}))
    return found


def _rows(found: Iterable[Any]) -> dict[str, Row]:
    return {r[0]: Row(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7] is not None) for r in found}


def commit(
    connection: Connection,
    postings: Sequence[Posting],
    notices: Sequence[Notice],
    acknowledged: Mapping[str, int],
    max_mailbox: int,
    now_ms: int,
) -> Plan:
    """Write a batch into the open transaction. The caller commits, then hands `deliveries` on.

    acknowledged: recipient → highest n it says it has; those rows are deleted.
    """
    acknowledge(connection, acknowledged)
    ids = {posting.sender for posting in postings} | {to for notice in notices for to in notice.to}
    rooms = set()
    for posting in postings:
        for draft in posting.drafts:
            if draft.to == EVERYONE:
                rooms.add(posting.room)
            else:
                ids.add(draft.to)
    result = plan(lock(connection, ids, rooms) if ids else {}, postings, notices, max_mailbox)
    _write(connection, result, now_ms)
    return result


def _write(connection: Connection, result: Plan, now_ms: int) -> None:
    if not result.deliveries and not result.sent:
        return
    highest: dict[str, int] = {}
    for delivery in result.deliveries:
        highest[delivery.recipient] = delivery.n
    if result.sent:
        many(connection, _SET_SENT, [{"who": who, "n": n} for who, n in sorted(result.sent.items())])
    if highest:
        many(connection, _SET_MAILBOX, [{"who": who, "n": n} for who, n in sorted(highest.items())])
        many(
            connection,
            _INSERT,
            [
                {
                    "recipient_id": d.recipient,
                    "n": d.n,
                    "sender_id": d.sender,
                    "kind": d.kind,
                    "body": d.body,
                    "created_at_ms": now_ms,
                }
                for d in result.deliveries
            ],
        )


def acknowledge(connection: Connection, acknowledged: Mapping[str, int]) -> None:
    """Note how far these recipients have read, and delete what they have."""
    if acknowledged:
        values: list[dict[str, Any]] = [{"who": who, "upto": n} for who, n in sorted(acknowledged.items())]
        many(connection, _SET_ACKNOWLEDGED, values)
        many(connection, _DELETE, values)


def waiting(connection: Connection, recipient: str, after: int) -> list[tuple[int, str, str, str]]:
    """(n, sender, kind, body) of what waits above `after`, oldest first."""
    return [(r[0], r[1], r[2], r[3]) for r in connection.execute(_WAITING, {"who": recipient, "after": after})]
