"""A recording may be held: kept although the room's time for recordings is over."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("recording", sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false()))
