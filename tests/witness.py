"""Two people without browsers who number what they say: whatever happens, each number must arrive once, in its turn.

Each says its number to the other and polls for the other's, as any participant must who wants to stay.
"""

import itertools
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

import httpx

# How long the last message may take to arrive when all is well again, seconds.
DRAIN_S = 60.0
PAUSE_S = 0.1


class One:
    """One of the two: sends and listens, each in a thread of its own.

    said: how many were answered with 2xx; heard: how many of the other's came.
    """

    def __init__(self, http: httpx.Client, room: str, name: str, faults: list[str]) -> None:
        self._http, self._faults = http, faults
        self.said = self.heard = 0
        joined = self.insist("POST", f"/rooms/{room}/participants", {"name": name})
        self.id, self._token = joined["participant"]["id"], joined["token"]
        self.other = self
        self._quiet, self._away = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._listen)]

    def insist(self, method: str, path: str, body: Any = None, token: str = "") -> dict[str, Any]:
        """As a browser does it: the same request, until a server answers it."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        while True:
            try:
                answer = self._http.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                time.sleep(PAUSE_S)
                continue
            if answer.status_code == 429 or answer.status_code >= 500:
                time.sleep(PAUSE_S)
                continue
            if not answer.is_success:
                self._faults.append(f"{method} {path} was refused: {answer.status_code} {answer.text}")
                raise Refused
            found: dict[str, Any] = answer.json()
            return found

    def begins(self, other: "One") -> None:
        self.other = other
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        with suppress(Refused):
            while not self._quiet.wait(PAUSE_S):
                message = {"n": self.said + 1, "to": self.other.id, "kind": "note", "body": {"number": self.said + 1}}
                self.insist("POST", "/messages", {"messages": [message]}, self._token)
                self.said += 1

    def _listen(self) -> None:
        after = 0
        with suppress(Refused):
            for nonce in itertools.count(1):
                path = f"/mailbox?after={after}&wait_s=5&nonce={nonce}"
                for message in self.insist("GET", path, token=self._token)["messages"]:
                    if message["seq"] != after + 1:
                        self._faults.append(f"message {message['seq']} came after {after}")
                    after = message["seq"]
                    if message["kind"] == "note":
                        self._hear(message["body"]["number"])
                if self._away.is_set():
                    return

    def _hear(self, number: int) -> None:
        if number != self.heard + 1:
            self._faults.append(f"number {number} came after {self.heard}")
        self.heard = number

    def falls_silent(self) -> None:
        self._quiet.set()
        self._threads[0].join(DRAIN_S)

    def leaves(self) -> None:
        self._away.set()


class Refused(Exception):
    """What must not happen; it is among the faults."""


class Witness:
    """Both, from now on until `ends`. faults: what must not happen, in words."""

    def __init__(self, url: str, ca_file: str) -> None:
        trust = ssl.create_default_context(cafile=ca_file)
        self._http = httpx.Client(base_url=f"{url}/api/v1", verify=trust, timeout=40, trust_env=False)
        self.faults: list[str] = []
        room = self._http.post("/rooms", json={"title": "Witnesses"}).raise_for_status().json()["room"]
        self._two = [One(self._http, room, name, self.faults) for name in ("Ida", "Jon")]
        for one, other in (self._two, self._two[::-1]):
            one.begins(other)

    @property
    def said(self) -> int:
        return sum(one.said for one in self._two)

    @property
    def heard(self) -> int:
        return sum(one.heard for one in self._two)

    def ends(self) -> int:
        """They say no more and hear the rest. Returns how many messages were lost."""
        for one in self._two:
            one.falls_silent()
        until = time.monotonic() + DRAIN_S
        while self.heard < self.said and not self.faults and time.monotonic() < until:
            time.sleep(PAUSE_S)
        for one in self._two:
            one.leaves()
        return self.said - self.heard
