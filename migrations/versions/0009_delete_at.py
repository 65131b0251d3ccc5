"""When a recording is to be deleted stands in its own row, so that looking for those whose time is over reads no others."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

room = sa.table("room", sa.column("id", sa.String), sa.column("settings", sa.JSON))
recording = sa.table(
    "recording",
    sa.column("room_id", sa.String),
    sa.column("ended_at_ms", sa.BigInteger),
    sa.column("delete_at_ms", sa.BigInteger),
)


def upgrade() -> None:
    op.add_column("recording", sa.Column("delete_at_ms", sa.BigInteger(), nullable=True))
    op.create_index("ix_recording_held_delete_at_ms", "recording", ["held", "delete_at_ms"])
    connection = op.get_bind()
    for name, settings in connection.execute(sa.select(room.c.id, room.c.settings)).all():
        days = (settings or {}).get("keep_days")
        if days is not None:
            over = (recording.c.room_id == name, recording.c.ended_at_ms.is_not(None))
            at_ms = recording.c.ended_at_ms + days * 86_400_000
            connection.execute(sa.update(recording).where(*over).values(delete_at_ms=at_ms))
