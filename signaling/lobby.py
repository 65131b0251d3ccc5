"""Who may come in: the room's lock, its code, and the lobby in which one waits until a host says yes.

Who waits is a participant of kind "waiting": it has a token and a mailbox, which tells it the rest, but is in no roster, can
write to nobody, and hears of nobody (`rooms.INSIDE`, `mailbox.plan`).
"""

from typing import Any

from sqlalchemy import Connection, Row, select, update
from werkzeug.security import check_password_hash, generate_password_hash

from signaling import errors, ids, rooms
from signaling.consent import answers
from signaling.library.recordings import active, brief
from signaling.models import Participant
from signaling.server import Server, Transaction
from signaling.turn import ice

WAITING = "waiting"
# So long a seat is kept for who has left it.
AGAIN_MS = 10 * 60 * 1000


def check(connection: Connection, room: str, code: str | None) -> None:
    """Whether a guest may come to the door at all. Raises no_such_room, room_locked, code_needed, wrong_code."""
    stored = rooms.stored_settings(connection, room)
    if stored.get("locked"):
        raise errors.room_locked()
    wanted = stored.get("code_hash")
    if wanted and not code:
        raise errors.code_needed()
    if wanted and not check_password_hash(wanted, str(code)):
        raise errors.wrong_code()


def seat_of(connection: Connection, room: str, token: str, now_ms: int) -> str | None:
    """The role of who was inside this room with this token until a moment ago; None for anybody else, and who was put out."""
    who = (Participant.token_hash == ids.digest(token), Participant.room_id == room, Participant.kind == "person")
    row = connection.execute(select(Participant.role, Participant.left_at_ms).where(*who)).first()
    if row is None or (row.left_at_ms is not None and now_ms - row.left_at_ms > AGAIN_MS):
        return None
    return str(row.role)


def hashed(wish: dict[str, Any]) -> dict[str, Any]:
    """Settings as they are stored: of a code only its hash, salted, for it is short enough to be guessed."""
    if "code" not in wish:
        return wish
    code = wish["code"]
    rest = {name: value for name, value in wish.items() if name != "code"}
    return rest | {"code_hash": generate_password_hash(code) if code else None}


def welcome(server: Server, tx: Transaction, room: str, participant: dict[str, Any]) -> dict[str, Any]:
    """All that somebody who comes in has to know: others, recording, settings, STUN and TURN; a host, who waits."""
    running = active(tx.connection, room)
    said = answers(tx.connection, running.id) if running else {}
    others = [one for one in rooms.present(tx.connection, room) if one["id"] != participant["id"]]
    found = {
        "participants": [other | {"consent": said.get(other["id"])} for other in others],
        "recording": brief(running) if running else None,
        "consent": server.settings.consent, "http_media": server.carries_media,
        "settings": rooms.settings_of(tx.connection, room),
    }  # fmt: skip
    if participant["role"] == "host":
        found["waiting"] = [_shown(row) for row in _waiting(tx.connection, room)]
    return found | ice(server.settings, participant["id"], tx.now_ms // 1000)


def knock(server: Server, tx: Transaction, room: str, name: str) -> dict[str, Any]:
    """Come to the door of a room with a lobby: a participant who waits. The hosts present are told. Raises room_full."""
    title = rooms.lock(tx, room)
    limit = server.settings.max_participants
    if len(_waiting(tx.connection, room)) >= limit:
        raise errors.room_full(limit)
    participant, token = rooms.add(server, tx, room, name, WAITING, "guest")
    shown = {"id": participant["id"], "name": name}
    tx.notify(hosts(tx.connection, room), "knock", {"participant": shown})
    return {"participant": participant, "token": token, "room": {"room": room, "title": title}, "waiting": True}


def answer(server: Server, tx: Transaction, room: str, participant: str, admitted: bool) -> None:
    """Let somebody in, or not. Raises nobody_waits, room_full, no_such_room, room_closed."""
    rooms.lock(tx, room)
    row = next((one for one in _waiting(tx.connection, room) if one.id == participant), None)
    if row is None:
        raise errors.nobody_waits(participant)
    if admitted:
        _admit(server, tx, room, row)
        return
    tx.notify([*hosts(tx.connection, room), participant], "left", {"participant": participant, "reason": "denied"})
    rooms.put_out(tx, participant)


def admit_all(server: Server, tx: Transaction, room: str) -> None:
    """The lobby is shut: who waits comes in, as many as there are places."""
    rooms.lock(tx, room)
    free = server.settings.max_participants - rooms.people_in(tx.connection, room)
    for row in _waiting(tx.connection, room)[: max(0, free)]:
        _admit(server, tx, room, row)


def tell_host(tx: Transaction, room: str, participant: str) -> None:
    """Who has just become a host hears who waits."""
    for row in _waiting(tx.connection, room):
        tx.notify([participant], "knock", {"participant": _shown(row)})


def hosts(connection: Connection, room: str) -> list[str]:
    return [one["id"] for one in rooms.present(connection, room) if one["role"] == "host"]


def _admit(server: Server, tx: Transaction, room: str, row: Row[Any]) -> None:
    limit = server.settings.max_participants
    if rooms.people_in(tx.connection, room) >= limit:
        raise errors.room_full(limit)
    others = [one["id"] for one in rooms.present(tx.connection, room)]
    person = {"id": row.id, "name": row.name, "kind": "person", "role": "guest", "joined_at_ms": tx.now_ms}
    tx.connection.execute(update(Participant).where(Participant.id == row.id).values(kind="person", joined_at_ms=tx.now_ms))
    tx.notify(others, "joined", {"participant": person})
    tx.notify([row.id], "admitted", {"participant": person} | welcome(server, tx, room, person))


def _waiting(connection: Connection, room: str) -> list[Row[Any]]:
    """In order of coming."""
    here = (Participant.room_id == room, Participant.left_at_ms.is_(None), Participant.kind == WAITING)
    columns = (Participant.id, Participant.name)
    return list(connection.execute(select(*columns).where(*here).order_by(Participant.joined_at_ms, Participant.id)))


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {"id": row.id, "name": row.name}
