"""How long recordings are kept: as long as their room says, unless one is held; and that what is deleted is gone everywhere."""

import logging
from typing import Any

from sqlalchemy import Connection, Row, select, update

from signaling import clock, recordings, rooms
from signaling.models import Recording, Room
from signaling.server import Server, Transaction

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
# In one go: a thousand recordings that end together do not hold the database.
AT_ONCE = 20


def hold(tx: Transaction, recording: str, by: str, held: bool) -> dict[str, Any]:
    """Keep it whatever the room says, or no longer. Raises no_such_recording."""
    recordings.find(tx.connection, recording)
    tx.connection.execute(update(Recording).where(Recording.id == recording).values(held=held))
    recordings.note(tx, recording, "held" if held else "released", by)
    return {"held": held, "delete_at_ms": delete_at_ms(tx.connection, recordings.find(tx.connection, recording))}


def delete_at_ms(connection: Connection, row: Row[Any]) -> int | None:
    """When this recording is deleted; None: never, or not yet known."""
    keep_days = rooms.settings_of(connection, row.room_id)["keep_days"]
    if row.held or keep_days is None or row.ended_at_ms is None:
        return None
    return int(row.ended_at_ms + keep_days * DAY_MS)


def sweep(server: Server) -> None:
    """Chore: delete what has been kept long enough. Any number of processes may do this at once."""
    now_ms = clock.now_ms()
    with server.reading() as connection:
        old = (
            select(Recording.__table__)
            .join(Room, Room.id == Recording.room_id)
            .where(Recording.state.in_(recordings.SETTLED), Recording.held.is_(False), Recording.ended_at_ms < now_ms - DAY_MS)
            .order_by(Recording.ended_at_ms)
        )
        over = [row.id for row in connection.execute(old) if 0 < (delete_at_ms(connection, row) or 0) <= now_ms][:AT_ONCE]
    for recording in over:
        with server.transaction() as tx:
            gone = recordings.remove(server, tx, recording, "retention")
        log.info("recording=%s deleted after its time: %d files, %d bytes", recording, gone["files"], gone["bytes"])
