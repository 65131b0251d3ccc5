"""Who may be recorded: a ledger of every answer, and what it says now.

Rows are only ever added, in the transaction of the answer, and stay when the recording is deleted: they are the proof of what
was asked and answered. The newest row of a participant holds. Without one nobody is recorded: no answer is no consent.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from signaling import errors, rooms
from signaling.auth import Caller
from signaling.library import recordings
from signaling.models import Consent
from signaling.server import Server, Transaction

GIVEN, DECLINED, WITHDRAWN = "given", "declined", "withdrawn"


def answers(connection: Connection, recording: str) -> dict[str, str]:
    """participant → what it answered last, of all who have."""
    rows = connection.execute(
        select(Consent.participant_id, Consent.answer).where(Consent.recording_id == recording).order_by(Consent.n)
    )
    return {row.participant_id: row.answer for row in rows}


def ledgers(connection: Connection, of: list[str]) -> dict[str, list[dict[str, Any]]]:
    """recording → every answer there was, in order."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = connection.execute(
        select(Consent.__table__).where(Consent.recording_id.in_(of)).order_by(Consent.recording_id, Consent.n)
    )
    for row in rows:
        found[row.recording_id].append(
            {
                "participant": row.participant_id, "name": row.name, "answer": row.answer, "how": row.how,
                "text": row.text, "language": row.language, "at_ms": row.at_ms,
            }
        )  # fmt: skip
    return found


def answer(server: Server, tx: Transaction, room: str, caller: Caller, wish: dict[str, Any]) -> dict[str, Any]:
    """Write an answer down and tell everybody, the recorder among them. The same answer once more changes nothing.

    wish: recording (None: the one that runs), answer, text, language, how. Raises not_recording, no_such_recording, not_yours,
    participant_gone; 409 nothing-to-withdraw.
    """
    rooms.lock(tx, room)
    role = rooms.role_of(tx.connection, caller.id)
    if role is None:
        raise errors.participant_gone()
    recording = _running(tx.connection, room, wish["recording"])
    _may_say_how(server, role, caller.name, wish["how"], recording.requested_by)
    before = answers(tx.connection, recording.id).get(caller.id)
    if wish["answer"] == WITHDRAWN and before not in (GIVEN, WITHDRAWN):
        raise errors.Problem(409, "nothing-to-withdraw", "Nothing to withdraw", "You have not agreed to be recorded.")
    said = {"recording": recording.id, "participant": caller.id, "answer": wish["answer"]}
    if before == wish["answer"]:
        return said
    tx.connection.execute(
        insert(Consent).values(
            recording_id=recording.id, n=_next_number(tx.connection, recording.id), participant_id=caller.id, name=caller.name,
            answer=wish["answer"], how=wish["how"], text=wish["text"], language=wish["language"], at_ms=tx.now_ms,
        )
    )  # fmt: skip
    tx.notify([other["id"] for other in rooms.present(tx.connection, room)], "consent", said)
    return said


def _running(connection: Connection, room: str, recording: str | None) -> Row[Any]:
    if recording is None:
        row = recordings.active(connection, room)
    else:
        row = recordings.find(connection, recording)
        if row.room_id != room:
            raise errors.no_such_recording()
    if row is None or row.state not in recordings.RUNNING:
        raise errors.not_recording("Nobody is being recorded here now. What was recorded before is with the host: ask them.")
    return row


def _may_say_how(server: Server, role: str, name: str, how: str, started_by: str) -> None:
    if how == "notice" and server.settings.consent != "notice":
        raise errors.not_yours("On this server a notice is no consent: ask the participant.")
    if how == "started" and role != "host" and name != started_by:
        raise errors.not_yours("Only who has started a recording need not be asked.")


def _next_number(connection: Connection, recording: str) -> int:
    # Under the room's lock: no two are given out at once.
    newest = connection.execute(select(func.max(Consent.n)).where(Consent.recording_id == recording)).scalar()
    return int(newest or 0) + 1
