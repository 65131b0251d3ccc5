"""STUN and TURN servers of one recording: renewed before their credentials lapse, another relay tried when one is dead.

A participant who can reach nothing but TURN on 443 meets us at the relay. Beside the server our own address usually does, as
long as the TURN server may reach it; where it must not (a private address, which a safe TURN server refuses), our own relay
candidate does. aiortc uses one STUN and one TURN URL and waits five seconds for a dead one: so it is given one, and a dead one
only once a minute.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiortc import RTCIceServer

# For how long a relay that gave no candidate is left alone, seconds.
DEAD_S = 60.0
# Credentials are renewed after this part of their life.
RENEW_AT = 0.75


@dataclass(frozen=True)
class Relay:
    """One TURN URL with its credentials."""

    url: str
    username: str
    credential: str


def relays(servers: Sequence[dict[str, Any]]) -> list[Relay]:
    """The TURN URLs of RTCIceServer dictionaries, UDP first: beside the server no proxy stands in the way."""
    found = [
        Relay(url, str(server.get("username", "")), str(server.get("credential", "")))
        for server in servers
        for url in _urls(server)
        if url.startswith(("turn:", "turns:"))
    ]
    return sorted(found, key=lambda relay: ("transport=tcp" in relay.url, relay.url.startswith("turns:")))


def _urls(server: dict[str, Any]) -> list[str]:
    urls = server["urls"]
    return [urls] if isinstance(urls, str) else list(urls)


class IceServers:
    """answer: the server's (PROTOCOL.md, `ice_servers`, `ice_lasts_s`). renew: asks for another; may raise what it likes."""

    def __init__(
        self,
        answer: dict[str, Any],
        renew: Callable[[], Awaitable[dict[str, Any]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._renew, self._clock = renew, clock
        self._dead: dict[str, float] = {}
        self._using: str | None = None
        self._take(answer)

    def _take(self, answer: dict[str, Any]) -> None:
        self._servers: list[dict[str, Any]] = answer["ice_servers"]
        lasts_s = answer.get("ice_lasts_s")
        self._stale_s = self._clock() + lasts_s * RENEW_AT if lasts_s else float("inf")

    async def now(self) -> list[RTCIceServer]:
        """For one new connection. Old credentials are better than none when the server is away."""
        if self._clock() >= self._stale_s:
            try:
                self._take(await self._renew())
            except Exception:
                self._stale_s = self._clock() + DEAD_S
        stun = [url for server in self._servers for url in _urls(server) if url.startswith("stun")][:1]
        relay = self._choose()
        self._using = relay.url if relay else None
        found = [RTCIceServer(stun)] if stun else []
        return [*found, RTCIceServer([relay.url], relay.username, relay.credential)] if relay else found

    def _choose(self) -> Relay | None:
        now_s = self._clock()
        return next((relay for relay in relays(self._servers) if self._dead.get(relay.url, 0.0) <= now_s), None)

    def gathered(self, sdp: str) -> None:
        """What came of the last connection's gathering: without a relay candidate that relay is dead for a while."""
        if self._using is not None and " typ relay" not in sdp:
            self._dead[self._using] = self._clock() + DEAD_S
