"""Links that open one recording to whoever has them: for a while, with a password, to watch or to take along; and revoked.

The secret stands behind the # of the address, which browsers send to nobody: no proxy's log has it.
"""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from werkzeug.security import check_password_hash, generate_password_hash

from signaling import errors, ids
from signaling.library import recordings
from signaling.models import Share
from signaling.server import Transaction

# What is shown to who may watch, but not take along.
TO_WATCH = ("composed", "poster", "waveform", "chapters", "thumbnails", "thumbnails-index", "captions")


def make(tx: Transaction, recording: str, by: str, wish: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """(the share, its secret, which nobody knows afterwards). Raises no_such_recording.

    wish: name, password (None without one), downloads, expires_in_s (None: never).
    """
    recordings.find(tx.connection, recording)
    share, secret = ids.short_id("h"), ids.token("sh")
    password, expires_in_s = wish["password"], wish["expires_in_s"]
    tx.connection.execute(
        insert(Share).values(
            id=share, recording_id=recording, name=wish["name"], secret_hash=ids.digest(secret), downloads=wish["downloads"],
            password_hash=generate_password_hash(password) if password else None, opened_n=0, created_at_ms=tx.now_ms,
            expires_at_ms=tx.now_ms + expires_in_s * 1000 if expires_in_s else None,
        )
    )  # fmt: skip
    recordings.note(tx, recording, "shared", by, {"share": share, "name": wish["name"]})
    return _described(_find(tx.connection, share)), secret


def of_recording(connection: Connection, recording: str) -> list[dict[str, Any]]:
    """The newest first."""
    newest = select(Share.__table__).where(Share.recording_id == recording).order_by(Share.created_at_ms.desc(), Share.id)
    return [_described(row) for row in connection.execute(newest)]


def revoke(tx: Transaction, recording: str, share: str, by: str) -> None:
    """The link opens nothing from now on. Gone already is as good."""
    gone = tx.connection.execute(delete(Share).where(Share.id == share, Share.recording_id == recording))
    if gone.rowcount:
        recordings.note(tx, recording, "unshared", by, {"share": share})


def find_open(connection: Connection, share: str, secret: str, password: str | None, now_ms: int) -> Row[Any]:
    """The share, if secret and password are right. Raises no_such_share, password_needed, wrong_password."""
    row = connection.execute(select(Share.__table__).where(Share.id == share)).first()
    if row is None or _is_over(row, now_ms) or not ids.same(row.secret_hash, ids.digest(secret)):
        raise errors.no_such_share()
    if row.password_hash is not None:
        if not password:
            raise errors.password_needed()
        if not check_password_hash(row.password_hash, password):
            raise errors.wrong_password()
    return row


def count_opening(tx: Transaction, share: str) -> None:
    """So that the host sees that it was used."""
    tx.connection.execute(update(Share).where(Share.id == share).values(opened_n=Share.opened_n + 1))


def still_opens(connection: Connection, share: str, files: list[Row[Any]], now_ms: int) -> bool:
    """Whether addresses of these files that this share gave out are good now."""
    row = connection.execute(select(Share.__table__).where(Share.id == share)).first()
    if row is None or _is_over(row, now_ms):
        return False
    theirs = all(file.recording_id == row.recording_id for file in files)
    return theirs and (bool(row.downloads) or all(file.kind in TO_WATCH for file in files))


def _is_over(row: Row[Any], now_ms: int) -> bool:
    return row.expires_at_ms is not None and row.expires_at_ms <= now_ms


def _find(connection: Connection, share: str) -> Row[Any]:
    return connection.execute(select(Share.__table__).where(Share.id == share)).one()


def _described(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id, "name": row.name, "password": row.password_hash is not None, "downloads": bool(row.downloads),
        "opened": row.opened_n, "created_at_ms": row.created_at_ms, "expires_at_ms": row.expires_at_ms,
    }  # fmt: skip
