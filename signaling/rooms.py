"""Rooms: make one, enter, leave, who is here; and forget who went silent."""

import logging
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from signaling import errors, ids, mailbox
from signaling.models import Message, Participant, Room
from signaling.server import Server, Transaction

log = logging.getLogger(__name__)

# keep_days: when its recordings are deleted, None: never.
DEFAULTS: dict[str, Any] = {"who_may_record": "host", "keep_days": None, "lobby": False, "locked": False}
# Kinds of participants that are in the call. "waiting" stands in the lobby, "out" was denied or removed and still has to hear it.
INSIDE = ("person", "recorder")
OUT = "out"


def make(tx: Transaction, title: str) -> tuple[str, str]:
    """A new room. Returns (room id, host key); the key is known to nobody afterwards. Raises too_many_rooms."""
    limit = tx.server.settings.max_rooms
    are_open = select(func.count()).select_from(Room).where(Room.closed_at_ms.is_(None))
    if tx.connection.execute(are_open).scalar_one() >= limit:
        raise errors.too_many_rooms(limit)
    room, host_key = ids.room_id(), ids.token("hk")
    tx.connection.execute(
        insert(Room).values(
            id=room,
            title=title,
            host_key_hash=ids.digest(host_key),
            settings={},
            created_at_ms=tx.now_ms,
            closed_at_ms=None,
        )
    )
    return room, host_key


def change_host_key(tx: Transaction, room: str, expires_in_s: int | None) -> tuple[str, int | None]:
    """(a new host key, when it ends); the one before opens nothing from now on. Raises no_such_room."""
    host_key = ids.token("hk")
    until_ms = tx.now_ms + expires_in_s * 1000 if expires_in_s else None
    values = {"host_key_hash": ids.digest(host_key), "host_key_until_ms": until_ms}
    if tx.connection.execute(update(Room).where(Room.id == room).values(**values)).rowcount == 0:
        raise errors.no_such_room()
    return host_key, until_ms


def title_of(connection: Connection, room: str) -> str:
    """Raises no_such_room, room_closed."""
    row = connection.execute(select(Room.title, Room.closed_at_ms).where(Room.id == room)).first()
    return _open_title(row)


def stored_settings(connection: Connection, room: str) -> dict[str, Any]:
    """What its host has set, its secrets among it. Raises no_such_room."""
    found = connection.execute(select(Room.settings).where(Room.id == room)).first()
    if found is None:
        raise errors.no_such_room()
    return dict(found[0])


def settings_of(connection: Connection, room: str) -> dict[str, Any]:
    """What its host has set, as everybody may see it, and the defaults of the rest. Raises no_such_room."""
    return _public(stored_settings(connection, room))


def _public(stored: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in stored.items() if name in DEFAULTS}
    return DEFAULTS | known | {"has_code": bool(stored.get("code_hash"))}


def change_settings(tx: Transaction, room: str, wish: dict[str, Any]) -> dict[str, Any]:
    """Set what is in the wish, leave the rest; everybody is told. Returns all settings. Raises no_such_room, room_closed."""
    lock(tx, room)
    stored = stored_settings(tx.connection, room) | wish
    tx.connection.execute(update(Room).where(Room.id == room).values(settings=stored))
    settings = _public(stored)
    tx.notify([one["id"] for one in present(tx.connection, room)], "room", {"settings": settings})
    return settings


def count(connection: Connection) -> int:
    """How many rooms there ever were."""
    return connection.execute(select(func.count()).select_from(Room)).scalar_one()


def title_even_if_closed(connection: Connection, room: str) -> str:
    """Raises no_such_room."""
    title = connection.execute(select(Room.title).where(Room.id == room)).scalar()
    if title is None:
        raise errors.no_such_room()
    return str(title)


def _open_title(row: Any) -> str:
    if row is None:
        raise errors.no_such_room()
    if row[1] is not None:
        raise errors.room_closed()
    return str(row[0])


def lock(tx: Transaction, room: str) -> str:
    """Everything that changes who is in a room, or its recording, begins here: one at a time. Returns the title.

    The people in it are locked too, in id order, before anything of theirs is changed. Raises no_such_room, room_closed.
    """
    row = tx.connection.execute(select(Room.title, Room.closed_at_ms).where(Room.id == room).with_for_update()).first()
    title = _open_title(row)
    mailbox.lock(tx.connection, (), (room,))
    return title


def present(connection: Connection, room: str) -> list[dict[str, Any]]:
    """Who is here, as the protocol shows them, in order of joining."""
    columns = (Participant.id, Participant.name, Participant.kind, Participant.role, Participant.joined_at_ms)
    rows = connection.execute(
        select(*columns)
        .where(Participant.room_id == room, Participant.left_at_ms.is_(None), Participant.kind.in_(INSIDE))
        .order_by(Participant.joined_at_ms, Participant.id)
    )
    return [dict(zip(("id", "name", "kind", "role", "joined_at_ms"), row, strict=True)) for row in rows]


def is_here(connection: Connection, participant: str) -> bool:
    """Whether a participant has come in and has not left."""
    return role_of(connection, participant) is not None


def role_of(connection: Connection, participant: str) -> str | None:
    """host, guest or recorder, as it is now; None for who is not here."""
    here = (Participant.id == participant, Participant.left_at_ms.is_(None), Participant.kind.in_((*INSIDE, "check")))
    return connection.execute(select(Participant.role).where(*here)).scalar()


def people_in(connection: Connection, room: str) -> int:
    """How many persons are here; a recorder takes no place."""
    here = (Participant.room_id == room, Participant.left_at_ms.is_(None), Participant.kind == "person")
    return connection.execute(select(func.count()).select_from(Participant).where(*here)).scalar_one()


def enter(server: Server, tx: Transaction, room: str, name: str, kind: str, role: str) -> dict[str, Any]:
    """A new participant: in the roster, with a mailbox, and `joined` told to all others. Raises room_full.

    Returns participant, token, the room, the others.
    """
    title = lock(tx, room)
    limit = server.settings.max_participants
    if kind == "person" and people_in(tx.connection, room) >= limit:
        raise errors.room_full(limit)
    others = present(tx.connection, room)
    participant, token = add(server, tx, room, name, kind, role)
    tx.notify([other["id"] for other in others], "joined", {"participant": participant})
    return {"participant": participant, "token": token, "room": {"room": room, "title": title}, "participants": others}


def add(
    server: Server, tx: Transaction, room: str | None, name: str, kind: str, role: str, capacity: int | None = None
) -> tuple[dict[str, Any], str]:
    """The row of a new participant, watched over by this process until it polls elsewhere. Returns (participant, token)."""
    participant, token = ids.short_id("p"), ids.token("pt")
    tx.connection.execute(
        insert(Participant).values(
            id=participant, room_id=room, kind=kind, name=name, role=role, token_hash=ids.digest(token),
            sent_n=0, mailbox_n=0, acknowledged_n=0, worker=server.worker, capacity=capacity, joined_at_ms=tx.now_ms,
            left_at_ms=None,
        )
    )  # fmt: skip
    tx.after_commit.append(lambda: server.mailboxes.watch([participant]))
    tx.after_commit.append(lambda: log.info("room=%s participant=%s joined as %s", room, participant, role))
    return {"id": participant, "name": name, "kind": kind, "role": role, "joined_at_ms": tx.now_ms}, token


def leave(server: Server, tx: Transaction, participant: str, reason: str, only_of: str | None = None) -> bool:
    """Close a mailbox and tell the others. False when it was gone already, or (only_of) another process watches over it now.

    reason: left, vanished, removed, closed.
    """
    room = tx.connection.execute(select(Participant.room_id).where(Participant.id == participant)).scalar()
    if room is not None:
        tx.connection.execute(select(Room.id).where(Room.id == room).with_for_update())
    rows = mailbox.lock(tx.connection, (participant,), (room,) if room else ())
    row = rows.get(participant)
    if row is None or row.gone or (only_of is not None and row.worker != only_of):
        tx.after_commit.append(lambda: server.mailboxes.close(participant, errors.participant_gone()))
        return False
    tx.connection.execute(delete(Message).where(Message.recipient_id == participant))
    if row.kind == "check":
        # Nobody met it: nothing needs to remember it.
        tx.connection.execute(delete(Participant).where(Participant.id == participant))
    else:
        tx.connection.execute(update(Participant).where(Participant.id == participant).values(left_at_ms=tx.now_ms))
    others = [other.id for other in rows.values() if other.id != participant and not other.gone and other.kind in INSIDE]
    if row.kind == "waiting":
        others = [one["id"] for one in present(tx.connection, str(room)) if one["role"] == "host"]
    if row.kind != OUT:
        tx.notify(others, "left", {"participant": participant, "reason": reason})
    tx.after_commit.append(lambda: server.mailboxes.close(participant, errors.participant_gone()))
    tx.after_commit.append(lambda: server.chunks.forget(participant))
    tx.after_commit.append(lambda: log.info("room=%s participant=%s left: %s", room, participant, reason))
    if row.worker and row.worker != server.worker:
        server.wakeup.announce(tx.connection, row.worker, [participant])
        tx.after_commit.append(lambda: server.wakeup.wake(row.worker, [participant]))
    return True


def put_out(tx: Transaction, participant: str) -> None:
    """From now on it is in no roster and can write to nobody; its mailbox stays until it has read why, or falls silent."""
    tx.connection.execute(update(Participant).where(Participant.id == participant).values(kind=OUT))
    tx.after_commit.append(lambda: tx.server.chunks.forget(participant))


def remove(tx: Transaction, room: str, participant: str) -> None:
    """Everybody is told, the one who goes among them. Raises no_such_room, room_closed; 404 for who is not here."""
    lock(tx, room)
    here = present(tx.connection, room)
    if participant not in [one["id"] for one in here if one["kind"] == "person"]:
        raise errors.not_here(participant)
    tx.notify([one["id"] for one in here], "left", {"participant": participant, "reason": "removed"})
    put_out(tx, participant)


def give_role(tx: Transaction, room: str, participant: str, role: str) -> None:
    """Make somebody a host, or a guest again; everybody is told. Raises as remove does; 409 for the last host."""
    lock(tx, room)
    here = present(tx.connection, room)
    one = next((one for one in here if one["id"] == participant and one["kind"] == "person"), None)
    if one is None:
        raise errors.not_here(participant)
    others = [other for other in here if other["role"] == "host" and other["id"] != participant]
    if one["role"] == "host" and role == "guest" and not others:
        raise errors.last_host()
    tx.connection.execute(update(Participant).where(Participant.id == participant).values(role=role))
    tx.notify([other["id"] for other in here], "role", {"participant": participant, "role": role})


def ask(tx: Transaction, room: str, participant: str, what: str, by: str) -> None:
    """Ask one person to mute, to speak, or to switch the camera off: its browser does it. Raises as remove does."""
    if participant not in [one["id"] for one in present(tx.connection, room) if one["kind"] == "person"]:
        raise errors.not_here(participant)
    tx.notify([participant], "asked", {"what": what, "by": by})


def close(tx: Transaction, room: str) -> None:
    """End the call for all: the room answers 410 from now on."""
    lock(tx, room)
    waiting = (Participant.room_id == room, Participant.left_at_ms.is_(None), Participant.kind == "waiting")
    outside = list(tx.connection.execute(select(Participant.id).where(*waiting)).scalars())
    for participant in [*(one["id"] for one in present(tx.connection, room)), *outside]:
        tx.notify([participant], "left", {"participant": participant, "reason": "closed"})
    tx.connection.execute(update(Room).where(Room.id == room).values(closed_at_ms=tx.now_ms))


def sweep_vanished(server: Server) -> None:
    """Chore: who watches a participant decides that it is gone; the row's `worker` makes that once, whatever is running."""
    for participant in server.mailboxes.absent_longer_than(server.settings.grace_s):
        with server.transaction() as tx:
            leave(server, tx, participant, "vanished", only_of=server.worker)
