"""The recorder's calls to the server (PROTOCOL.md): asynchronous, tried again while the server is away."""

import asyncio
import random
from typing import Any

import httpx

from recorder.config import Settings


class Refused(Exception):
    """The server said no. status; code: the problem's type, e.g. `lease-lost`."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


class Away(Exception):
    """The server cannot be reached, or is not itself; trying again later may help."""


class Server:
    """One connection pool to the server; `token` of a call: a participant's, else the recorder key."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.recorder_key
        self._http = httpx.AsyncClient(
            base_url=settings.server_url,
            verify=settings.ca_file or True,
            timeout=httpx.Timeout(15, connect=5),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "", wait_s: float = 0
    ) -> dict[str, Any]:
        """One try. wait_s: how long the server may hold its answer. Raises Refused, Away."""
        response = await self._ask(method, path, token, 15 + wait_s, json=body)
        return _json(response)

    async def octets(self, method: str, path: str, body: bytes, token: str, timeout_s: float) -> bytes:
        """One try of a call that carries bytes and is answered with bytes. Raises Refused, Away."""
        kind = "application/octet-stream"
        response = await self._ask(method, path, token, timeout_s, content=body, headers={"Content-Type": kind})
        if response.headers.get("Content-Type") != kind:
            raise Away("something between us and the server answered in its place")
        return response.content

    async def _ask(self, method: str, path: str, token: str, timeout_s: float, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self._key}"} | more.pop("headers", {})
        timeout = httpx.Timeout(timeout_s, connect=min(5, timeout_s))
        try:
            response = await self._http.request(method, "/api/v1" + path, headers=headers, timeout=timeout, **more)
        except httpx.TransportError as error:
            raise Away(str(error) or type(error).__name__) from error
        if response.status_code == 429 or response.status_code >= 500:
            raise Away(f"the server answered {response.status_code}")
        if not response.is_success:
            found = _json(response)
            code = str(found.get("type", "")).removeprefix("/problems/")
            raise Refused(response.status_code, code, str(found.get("detail", "")))
        return response

    async def insist(self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
        """Try until the server answers. Raises Refused."""
        attempt = 0
        while True:
            try:
                return await self.call(method, path, body, token)
            except Away:
                attempt += 1
                await asyncio.sleep(backoff_s(attempt))


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        found: dict[str, Any] = response.json()
    except ValueError as error:
        raise Away("something between us and the server answered in its place") from error
    return found


def backoff_s(attempt: int) -> float:
    """Seconds to wait before try number attempt + 1: longer and longer, up to 10, never two alike."""
    return float(min(0.25 * 2 ** min(attempt, 10), 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
