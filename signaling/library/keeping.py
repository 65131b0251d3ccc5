"""How long recordings are kept: as long as their room says, unless one is held; and that what is deleted is gone everywhere."""

import logging
from typing import Any

from sqlalchemy import select, update

from signaling import clock, rooms
from signaling.library import recordings
from signaling.models import Recording, Room
from signaling.server import Server, Transaction

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
# In one go: a thousand recordings that end together do not hold the database.
AT_ONCE = 20


def hold(tx: Transaction, recording: str, by: str, held: bool) -> dict[str, Any]:
    """Keep it whatever the room says, or no longer. Raises no_such_recording."""
    row = recordings.find(tx.connection, recording)
    tx.connection.execute(update(Recording).where(Recording.id == recording).values(held=held))
    recordings.note(tx, recording, "held" if held else "released", by)
    keep_days = rooms.settings_of(tx.connection, row.room_id)["keep_days"]
    return {"held": held, "delete_at_ms": delete_at_ms(keep_days, held, row.ended_at_ms)}


def delete_at_ms(keep_days: int | None, held: bool, ended_at_ms: int | None) -> int | None:
    """When a recording is deleted; None: never, or not yet known. keep_days: of its room."""
    if held or keep_days is None or ended_at_ms is None:
        return None
    return ended_at_ms + keep_days * DAY_MS


def sweep(server: Server) -> None:
    """Chore: delete what has been kept long enough. Any number of processes may do this at once."""
    now_ms = clock.now_ms()
    with server.reading() as connection:
        old = (
            select(Recording.id, Recording.held, Recording.ended_at_ms, Room.settings)
            .join(Room, Room.id == Recording.room_id)
            .where(Recording.state.in_(recordings.SETTLED), Recording.held.is_(False), Recording.ended_at_ms < now_ms - DAY_MS)
            .order_by(Recording.ended_at_ms)
        )
        ends = (
            (row.id, delete_at_ms(row.settings.get("keep_days"), row.held, row.ended_at_ms)) for row in connection.execute(old)
        )
        over = [recording for recording, at_ms in ends if at_ms is not None and at_ms <= now_ms][:AT_ONCE]
    for recording in over:
        with server.transaction() as tx:
            gone = recordings.remove(server, tx, recording, "retention")
        log.info("recording=%s deleted after its time: %d files, %d bytes", recording, gone["files"], gone["bytes"])
