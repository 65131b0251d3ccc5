"""Who is an administrator: by the admin key, by a reverse proxy that signs people in, by OpenID Connect; for twelve hours.

There are no accounts. A session is a random id in a signed cookie, and its hash in a row: signing out deletes the row, and
another admin key ends all sessions.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from signaling import ids
from signaling.config import Settings
from signaling.models import AdminSession
from signaling.server import Transaction

SESSION_S = 12 * 3600


def is_on(settings: Settings) -> bool:
    """Whether anybody can sign in at all."""
    return bool(settings.admin_key or settings.admin_header or settings.oidc_issuer)


def is_admin_key(settings: Settings, key: str) -> bool:
    return bool(settings.admin_key) and ids.same(settings.admin_key, key)


def is_admin(settings: Settings, name: str) -> bool:
    """Whether LETTERBOX_ADMINS has this name or e-mail address."""
    return bool(name) and name.casefold() in (one.casefold() for one in settings.admins)


def said_by_proxy(settings: Settings, environ: Mapping[str, Any]) -> str:
    """Who the reverse proxy says it is, "" if it says nothing, or if it is not one of ours that speaks."""
    if not settings.admin_header or not environ.get("letterbox.proxied"):
        return ""
    return str(environ.get("HTTP_" + settings.admin_header.upper().replace("-", "_"), "")).strip()


def sign_in(tx: Transaction, who: str, how: str) -> str:
    """A new session; what its cookie is to carry. how: key, oidc."""
    secret = ids.token("as")
    tx.connection.execute(delete(AdminSession).where(AdminSession.until_ms <= tx.now_ms))
    values = {"id_hash": _digest(tx.server.settings, secret), "who": who[:120], "how": how}
    tx.connection.execute(insert(AdminSession).values(**values, until_ms=tx.now_ms + SESSION_S * 1000))
    return secret


def find(connection: Connection, settings: Settings, secret: str, now_ms: int) -> str | None:
    """Whose session this is, None when it is over. Who is no administrator any more has none."""
    wanted = (AdminSession.id_hash == _digest(settings, secret), AdminSession.until_ms > now_ms)
    row = connection.execute(select(AdminSession.who, AdminSession.how).where(*wanted)).first()
    if row is None or (row.how == "oidc" and not is_admin(settings, row.who)):
        return None
    return str(row.who)


def sign_out(tx: Transaction, secret: str) -> None:
    tx.connection.execute(delete(AdminSession).where(AdminSession.id_hash == _digest(tx.server.settings, secret)))


def _digest(settings: Settings, secret: str) -> str:
    return ids.digest(f"{secret} {settings.admin_key}")
