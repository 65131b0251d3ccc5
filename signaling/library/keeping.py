"""How long recordings are kept: as long as their room says, unless one is held; and that what is deleted is gone everywhere."""

import logging
from typing import Any

from sqlalchemy import Select, select, update

from signaling import audit, clock
from signaling.library import recordings
from signaling.library.recordings import DAY_MS
from signaling.models import Recording
from signaling.server import Server, Transaction

log = logging.getLogger(__name__)

# In one go; the rest follows with the next. A thousand recordings that end together do not hold the database.
AT_ONCE = 20


def hold(tx: Transaction, recording: str, by: str, held: bool) -> dict[str, Any]:
    """Keep it whatever the room says, or no longer. Raises no_such_recording."""
    row = recordings.find(tx.connection, recording)
    tx.connection.execute(update(Recording).where(Recording.id == recording).values(held=held))
    recordings.note(tx, recording, "held" if held else "released", by)
    return {"held": held, "delete_at_ms": None if held else row.delete_at_ms}


def keep_for(tx: Transaction, room: str, days: int | None) -> None:
    """All recordings of a room are kept so long from their end on; None: for good. The room's row is locked by now."""
    over = (Recording.room_id == room, Recording.ended_at_ms.is_not(None))
    at_ms = None if days is None else Recording.ended_at_ms + days * DAY_MS
    tx.connection.execute(update(Recording).where(*over).values(delete_at_ms=at_ms))


def due(now_ms: int) -> Select[str]:
    """Recordings whose time is over, the longest first."""
    over = (Recording.held.is_(False), Recording.delete_at_ms <= now_ms, Recording.state.in_(recordings.SETTLED))
    return select(Recording.id).where(*over).order_by(Recording.delete_at_ms).limit(AT_ONCE)


def sweep(server: Server) -> None:
    """Chore: delete what has been kept long enough. Any number of processes may do this at once."""
    with server.reading() as connection:
        over = connection.scalars(due(clock.now_ms())).all()
    for recording in over:
        with server.transaction() as tx:
            gone = recordings.remove(server, tx, recording, "retention")
            audit.write(tx, "recording-deleted", "retention", subject=recording, body=dict(gone))
        log.info("recording=%s deleted after its time: %d files, %d bytes", recording, gone["files"], gone["bytes"])
