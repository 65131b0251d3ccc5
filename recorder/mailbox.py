"""Our own mailbox, as any participant's: poll in order, go on where we stopped; send in order, each message once."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from recorder.api import Away, Refused, Server, backoff_s

log = logging.getLogger(__name__)
# How much longer than a held poll an answer may take, seconds.
PATIENCE_S = 10.0


class Gone(Exception):
    """The server no longer counts us as present: join again."""


class Mailbox:
    """token: ours as a participant."""

    def __init__(self, server: Server, token: str, wait_s: int, after: int = 0) -> None:
        self._server, self._token, self._wait_s, self._after = server, token, wait_s, after
        self._answered_s = time.monotonic()
        self._sent_n = 0
        self._sending = asyncio.Lock()

    @property
    def silent(self) -> bool:
        """Whether the server has not answered for longer than it holds a poll."""
        return time.monotonic() - self._answered_s > self._wait_s + PATIENCE_S

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Every message, oldest first, for ever. Raises Gone."""
        attempt = 0
        while True:
            query = f"/mailbox?after={self._after}&wait_s={int(self._wait_s)}&nonce={secrets.token_hex(8)}"
            try:
                answer = await self._server.call("GET", query, token=self._token, wait_s=self._wait_s)
            except Away:
                attempt += 1
                await asyncio.sleep(backoff_s(attempt))
                continue
            except Refused as refusal:
                raise Gone(refusal.code) from refusal
            attempt = 0
            self._answered_s = time.monotonic()
            self._wait_s = answer.get("wait_s", self._wait_s)
            for message in answer["messages"]:
                if message["seq"] != self._after + 1:
                    log.error("message %d followed %d: the mailbox has a gap, which is a bug", message["seq"], self._after)
                self._after = message["seq"]
                yield message
            if answer.get("reconnect"):
                await asyncio.sleep(backoff_s(1))

    async def send(self, to: str, kind: str, body: dict[str, Any]) -> None:
        """Send one message, again and again under the same number until the server has it. Raises Refused."""
        async with self._sending:
            message = {"n": self._sent_n + 1, "to": to, "kind": kind, "body": body}
            await self._server.insist("POST", "/messages", {"messages": [message]}, self._token)
            self._sent_n += 1
