"""Telling another program what became of a recording: written down with the change itself, sent until it is taken.

Standard Webhooks 1.0 (https://www.standardwebhooks.com). A row is written in the transaction that makes the change, so that what
was committed is told and what was not is not; any web process sends it, and deletes the row when the receiver says 2xx. A process
that is killed between the two has it sent again: at least once, always under the same id. Of one recording the events come in
their order: one that is not taken keeps the later ones of that recording waiting, and no others.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update
from sqlalchemy.orm import aliased

from signaling import clock, ids
from signaling.models import Webhook
from signaling.server import Server, Transaction

log = logging.getLogger(__name__)

# After the first attempt: 5 s, 15 s, 45 s … at most 12 h, 3.1 days in all.
FIRST_RETRY_S = 5
FACTOR = 3
LONGEST_RETRY_S = 43_200
ATTEMPTS = 15
# All of one attempt, names and certificates included.
TIMEOUT_S = 15.0
# Whoever claimed one and says nothing for so long was killed: longer than an attempt takes.
LEASE_MS = 60_000
# At once, of as many recordings.
AT_ONCE = 8
# What another process wrote down before it was killed is looked for so often.
LOOK_EVERY_MS = 30_000
GONE = 410


def write(tx: Transaction, kind: str, recording: str, facts: dict[str, Any]) -> None:
    """Note an event, to be sent once this transaction has committed.

    The caller has changed the recording's row in this transaction: that lock is what keeps the numbers in order.
    """
    at = datetime.fromtimestamp(tx.now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    # As text: what is signed is bytes, and they stay the same over all attempts.
    body = json.dumps({"type": f"recording.{kind}", "timestamp": at, "data": facts}, separators=(",", ":"), ensure_ascii=False)
    last = tx.connection.execute(select(func.max(Webhook.n)).where(Webhook.recording_id == recording)).scalar() or 0
    row = {"recording_id": recording, "n": last + 1, "id": ids.short_id("w"), "body": body, "attempt": 0, "due_at_ms": tx.now_ms}
    tx.connection.execute(insert(Webhook).values(**row))
    server = tx.server
    tx.after_commit.append(lambda: setattr(server, "untold", True))


def headers(secret: str, message: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """What a receiver checks. timestamp_s: of this attempt, Unix seconds (Standard Webhooks, "Signature scheme")."""
    signed = f"{message}.{timestamp_s}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {"webhook-id": message, "webhook-timestamp": str(timestamp_s), "webhook-signature": f"v1,{signature}"}


def retry_after_s(attempt: int, chance: float) -> float:
    """How long to wait after this attempt (1 is the first) has failed. chance: 0 to 1, spreads them by a fifth either way."""
    return float(min(LONGEST_RETRY_S, FIRST_RETRY_S * FACTOR ** (attempt - 1)) * (0.8 + 0.4 * chance))


# -- the rows ----------------------------------------------------------------------------------------------------------------


def _next(connection: Connection) -> list[Row[Any]]:
    """Of each recording the event whose turn it is, due or not, the most urgent first."""
    earlier = aliased(Webhook)
    waits = exists().where(earlier.recording_id == Webhook.recording_id, earlier.n < Webhook.n)
    turn = select(Webhook.__table__).where(~waits).order_by(Webhook.due_at_ms, Webhook.recording_id).limit(AT_ONCE + 1)
    return list(connection.execute(turn))


def _mine(row: Row[Any], attempt: int) -> tuple[Any, ...]:
    return Webhook.id == row.id, Webhook.attempt == attempt


def _claim(tx: Transaction, row: Row[Any]) -> bool:
    """Of several processes that want to send it, one does."""
    values = {"attempt": row.attempt + 1, "due_at_ms": tx.now_ms + LEASE_MS}
    return tx.connection.execute(update(Webhook).where(*_mine(row, row.attempt)).values(**values)).rowcount == 1


def _settle(tx: Transaction, row: Row[Any], status: int | None) -> None:
    """Note how an attempt went. status: the receiver's, None without an answer."""
    attempt = row.attempt + 1
    taken = status is not None and 200 <= status < 300
    if status == GONE:
        gone = tx.connection.execute(delete(Webhook)).rowcount
        log.error("webhooks: the receiver says that it is gone for good (410): %d dropped", gone)
    elif taken or attempt >= ATTEMPTS:
        tx.connection.execute(delete(Webhook).where(*_mine(row, attempt)))
        if not taken:
            log.error("webhooks: %s of recording=%s given up after %d attempts", row.id, row.recording_id, attempt)
    else:
        due_at_ms = tx.now_ms + int(retry_after_s(attempt, secrets.randbelow(1000) / 1000) * 1000)
        tx.connection.execute(update(Webhook).where(*_mine(row, attempt)).values(due_at_ms=due_at_ms))


# -- sending -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """How an attempt went. status: None without an answer, then why says what was wrong."""

    status: int | None
    why: str


async def _send(client: httpx.AsyncClient, server: Server, row: Row[Any]) -> Sent:
    body = row.body.encode()
    told = headers(server.settings.webhook_secret, row.id, clock.now_ms() // 1000, body)
    told |= {"content-type": "application/json", "user-agent": "Letterbox"}
    try:
        async with asyncio.timeout(TIMEOUT_S):
            # The answer's body is not read: nobody knows how long it is.
            async with client.stream("POST", server.settings.webhook_url, content=body, headers=told) as answer:
                return Sent(answer.status_code, f"it answered {answer.status_code}")
    except TimeoutError:
        return Sent(None, f"no answer within {TIMEOUT_S:g} s")
    except Exception as error:
        # Whatever one attempt runs into: the next one is for that.
        return Sent(None, f"{type(error).__name__}: {error}")


async def _send_and_settle(client: httpx.AsyncClient, server: Server, row: Row[Any]) -> None:
    sent = await _send(client, server, row)
    if sent.status is None or sent.status >= 300:
        log.warning("webhooks: %s of recording=%s not taken, attempt %d: %s", row.id, row.recording_id, row.attempt + 1, sent.why)
    with server.transaction() as tx:
        _settle(tx, row, sent.status)


async def _send_all(server: Server, rows: list[Row[Any]]) -> None:
    async with httpx.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S) as client:
        await asyncio.gather(*(_send_and_settle(client, server, row) for row in rows))


def send_due(server: Server) -> int:
    """Send what is due, one event of each recording at most. Returns when to look again, Unix milliseconds."""
    with server.reading() as connection:
        waiting = _next(connection)
    now_ms = clock.now_ms()
    due = [row for row in waiting if row.due_at_ms <= now_ms][:AT_ONCE]
    if not due:
        return min([now_ms + LOOK_EVERY_MS, *(int(row.due_at_ms) for row in waiting)])
    with server.transaction() as tx:
        claimed = [row for row in due if _claim(tx, row)]
    if claimed:
        asyncio.run(_send_all(server, claimed))
    # There may be more, or the next of the same recordings.
    return clock.now_ms()


class Deliveries:
    """What one process sends, in a thread of its own: a receiver that hangs holds up nothing else.

    No SQL while nothing is due, but for a look now and then.
    """

    def __init__(self) -> None:
        self._look_at_ms = 0
        self._thread: threading.Thread | None = None

    def sweep(self, server: Server) -> None:
        """Chore: see to it that what is due is being sent."""
        if self._thread is not None and self._thread.is_alive():
            return
        if server.untold or clock.now_ms() >= self._look_at_ms:
            server.untold = False
            self._thread = threading.Thread(target=self._send, args=(server,), name="webhooks", daemon=True)
            self._thread.start()

    def _send(self, server: Server) -> None:
        # Should this fail, as it does while the database is away, the next look is soon.
        self._look_at_ms = clock.now_ms() + FIRST_RETRY_S * 1000
        try:
            self._look_at_ms = send_due(server)
        except Exception as error:
            log.warning("webhooks: could not be sent, tried again in %d s: %s", FIRST_RETRY_S, error)
