"""The audit log: who recorded, downloaded, deleted, shared, signed in.

Written in the transaction of the deed, read by administrators.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select

from signaling import clock, ids
from signaling.models import Audit
from signaling.server import Server, Transaction

DAY_MS = 86_400_000
COLUMNS = ("at", "action", "actor", "address", "room", "subject", "details")


def write(
    tx: Transaction,
    action: str,
    actor: str,
    address: str = "",
    room: str = "",
    subject: str = "",
    body: dict[str, Any] | None = None,
) -> None:
    """One row. action: what was done (`recording-start`, `downloaded`); actor: by whom, as they are known here."""
    tx.connection.execute(
        insert(Audit).values(
            id=ids.short_id("l"), at_ms=tx.now_ms, action=action, actor=actor[:120], address=address[:64], room_id=room[:14],
            subject=subject[:80], body=body or {},
        )
    )  # fmt: skip


def newest(connection: Connection, words: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """The newest rows first; words: only those that have this text somewhere."""
    rows = select(Audit.__table__).order_by(Audit.at_ms.desc(), Audit.id)
    if words:
        like = f"%{words.replace('%', '')}%"
        columns = (Audit.action, Audit.actor, Audit.address, Audit.room_id, Audit.subject)
        rows = rows.where(or_(*(column.ilike(like) for column in columns)))
    return [_shown(row) for row in connection.execute(rows.limit(limit))]


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "at_ms": row.at_ms, "action": row.action, "actor": row.actor, "address": row.address, "room": row.room_id,
        "subject": row.subject, "body": row.body,
    }  # fmt: skip


def as_csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """RFC 4180, a line at a time. What a person typed never becomes a formula of the program that opens it."""
    yield _line(COLUMNS)
    for row in rows:
        at = datetime.fromtimestamp(row["at_ms"] / 1000, UTC).isoformat(timespec="milliseconds")
        details = " ".join(f"{name}={value}" for name, value in row["body"].items())
        yield _line((at, row["action"], row["actor"], row["address"], row["room"], row["subject"], details))


def _line(cells: Iterable[str]) -> str:
    made = io.StringIO()
    csv.writer(made).writerow(["'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in cells])
    return made.getvalue()


def sweep(server: Server) -> None:
    """Chore: forget what has been kept long enough."""
    over = Audit.at_ms < clock.now_ms() - server.settings.audit_days * DAY_MS
    with server.transaction() as tx:
        tx.connection.execute(delete(Audit).where(over))
