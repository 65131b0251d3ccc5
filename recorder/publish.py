"""Hand finished files to the server, and fetch what another host has handed in: resumable, with retries.

Synchronous: the pipeline's tasks call it as it is, the recorder from a thread.
"""

import hashlib
import logging
import mimetypes
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from recorder.config import Settings

log = logging.getLogger(__name__)
PIECE_BYTES = 4 << 20
RETRIES = 8


class Refused(Exception):
    """The server said no, and trying again would not help. code: the problem's type."""

    def __init__(self, status: int, code: str, detail: str, body: dict[str, Any]) -> None:
        super().__init__(detail or code)
        self.status, self.code, self.body = status, code, body


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def media_type_of(name: str) -> str:
    return (
        {".webm": "video/webm", ".mkv": "video/x-matroska"}.get(Path(name).suffix)
        or mimetypes.guess_type(name)[0]
        or "application/octet-stream"
    )


class Library:
    """The server's files and jobs, by the calls of PROTOCOL.md, "The recorder's calls"."""

    def __init__(self, settings: Settings, sleep: Callable[[float], None] = time.sleep, retries: int = RETRIES) -> None:
        self._sleep, self._retries = sleep, retries
        # Called whenever a piece of a file has gone or come; may raise to stop the transfer.
        self.moved: Callable[[], None] = lambda: None
        self._http = httpx.Client(
            base_url=settings.server_url,
            headers={"Authorization": f"Bearer {settings.recorder_key}"},
            verify=settings.ca_file or True,
            timeout=httpx.Timeout(30, connect=5),
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """One call, tried again while the server is away. Raises Refused; httpx.TransportError in the end."""
        for attempt in range(self._retries + 1):
            try:
                response = self._http.request(method, "/api/v1" + path, **request)
            except httpx.TransportError:
                if attempt == self._retries:
                    raise
            else:
                if response.is_success:
                    found: dict[str, Any] = response.json()
                    return found
                if response.status_code not in (429, 500, 502, 503, 504) or attempt == self._retries:
                    raise _refusal(response)
            self._sleep(min(0.3 * 2**attempt, 10) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        raise AssertionError("unreachable")

    def describe(self, recording: str) -> dict[str, Any]:
        """The recording as the recordings page sees it, with room and artifacts."""
        return self._call("GET", f"/recordings/{recording}")

    def upload(self, recording: str, path: Path, name: str, kind: str, meta: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a local file an artifact of the recording; goes on where an earlier try was cut. Returns the artifact."""
        where = f"/recordings/{recording}/uploads/{quote(name)}"
        facts = {"name": name, "kind": kind, "media_type": media_type_of(name), "bytes": path.stat().st_size}
        facts |= {"sha256": sha256_of(path), "meta": meta or {}}
        received = self._call("GET", where)["received"]
        for begin in (received, 0):
            self._send(where, path, begin)
            try:
                return self._call("POST", f"/recordings/{recording}/artifacts", json=facts)
            except Refused as refusal:
                if refusal.code != "not-the-same" or begin == 0:
                    raise
                # What was there came from an earlier, different file of this name.
        raise AssertionError("unreachable")

    def _send(self, where: str, path: Path, received: int) -> None:
        size = path.stat().st_size
        if received > size or size == 0:
            received = self._piece(where, 0, b"")
        with path.open("rb") as file:
            while received < size:
                file.seek(received)
                received = self._piece(where, received, file.read(PIECE_BYTES))

    def _piece(self, where: str, offset: int, data: bytes) -> int:
        try:
            answer = self._call(
                "POST", where, params={"offset": offset}, content=data, headers={"Content-Type": "application/octet-stream"}
            )
        except Refused as refusal:
            if refusal.code != "wrong-offset":
                raise
            # A piece whose answer was lost is there already, whole or in part.
            return int(refusal.body["received"])
        self.moved()
        return int(answer["received"])

    def fetch(self, artifact: dict[str, Any], target: Path) -> None:
        """Download an artifact unless the same bytes are there; goes on where it was cut. Raises ValueError on a wrong hash."""
        if target.exists() and target.stat().st_size == artifact["bytes"] and sha256_of(target) == artifact["sha256"]:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        for attempt in range(self._retries + 1):
            try:
                self._fetch_rest(artifact, partial)
                break
            except httpx.TransportError:
                if attempt == self._retries:
                    raise
                self._sleep(min(0.3 * 2**attempt, 10))
        if sha256_of(partial) != artifact["sha256"]:
            partial.unlink()
            raise ValueError(f"{artifact['name']} did not arrive as it is on the server")
        partial.replace(target)

    def _fetch_rest(self, artifact: dict[str, Any], partial: Path) -> None:
        here = partial.stat().st_size if partial.exists() else 0
        if here >= artifact["bytes"] > 0:
            return
        with self._http.stream("GET", artifact["url"], headers={"Range": f"bytes={here}-"} if here else {}) as response:
            if not response.is_success:
                response.read()
                raise _refusal(response)
            with partial.open("ab" if response.status_code == 206 else "wb") as file:
                for data in response.iter_bytes(1 << 20):
                    file.write(data)
                    self.moved()

    def claim_job(self, recording: str, step: str, worker: str) -> dict[str, Any]:
        """{attempt, lease_s}. Raises Refused (409) when it is not ours to do."""
        return self._call("POST", f"/recordings/{recording}/jobs/{step}/claim", json={"worker": worker[:80]})

    def advance_job(self, recording: str, step: str, attempt: int, **news: Any) -> list[str]:
        """Progress, or the end of a step; returns the steps to enqueue. Raises Refused (409 lease-lost)."""
        found = self._call("POST", f"/recordings/{recording}/jobs/{step}", json={"attempt": attempt} | news)
        steps: list[str] = found["next"]
        return steps


def _refusal(response: httpx.Response) -> Refused:
    try:
        body = response.json()
    except ValueError:
        body = {}
    code = str(body.get("type", "")).removeprefix("/problems/") or f"http-{response.status_code}"
    return Refused(response.status_code, code, str(body.get("detail", "")), body)
