"""Who is calling, and what about, when calls are made up: ids, tokens and addresses that were answered before are used again.

Without this nearly every made-up call would end at 401 or 404, and nothing behind that would be tried.
"""

import random
import re
from collections import Counter, defaultdict
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from people import API, RECORDER_KEY, Person
from schemathesis import Case, Response

from signaling.config import Settings

# Nothing is refused because too much was asked.
UNLIMITED = {field.name: "1000000/second" for field in fields(Settings) if "_per_" in field.name}
# So many of the latest of each kind are used again.
FRESH = 12
# Where a body names something that was answered elsewhere.
NAMES = {
    "participant": "person", "to": "person", "recorder": "recorder", "recording": "recording", "segment": "segment",
    "host_key": "host_key", "again": "token", "token": "token", "secret": "secret", "attempt": "attempt",
}  # fmt: skip


class Stage:
    """What was answered so far. chance: seeded, so that a run can be repeated."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.statuses: Counter[int] = Counter()
        self._known: dict[str, list[Any]] = defaultdict(list)
        self._host_keys: dict[str, str] = {}
        self._tokens: dict[str, list[str]] = defaultdict(list)
        self._rooms: dict[str, str] = {}
        self._sent: dict[str, int] = defaultdict(int)
        self._signed: dict[str, tuple[str, str]] = {}

    def _often(self, of_ten: int = 8) -> bool:
        return self._chance.random() * 10 < of_ten

    def _one(self, kind: str) -> Any:
        return self._chance.choice(self._known[kind][-FRESH:]) if self._known[kind] else None

    def remember(self, room: str, host_key: str, people: list[Person], recorder: str, recording: str) -> None:
        """What was made before the first call."""
        self._host_keys[room], self._rooms[recording] = host_key, room
        self._tokens[room] = [one.token for one in people]
        for kind, value in (("room", room), ("host_key", host_key), ("recorder", recorder), ("recording", recording)):
            self._know(kind, value)
        for one in people:
            self._know("person", one.id)
            self._know("token", one.token)

    # -- before a call -----------------------------------------------------------------------------------------------------

    def prepare(self, case: Case) -> None:
        """Put what is known where it belongs, mostly."""
        for name in case.path_parameters or {}:
            if name in ("room", "recording", "person", "artifact", "share", "step", "version") and self._often():
                case.path_parameters[name] = self._one(name) or case.path_parameters[name]
        self._sign(case)
        if case.operation.path.endswith("/mailbox") and self._often(9):
            case.query = {"after": 0, "wait_s": 0, "nonce": "n"}
        who = self._who(case)
        if isinstance(case.body, dict | list):
            case.body = self._filled(case.body)
        if who is not None and isinstance(case.body, dict) and isinstance(case.body.get("messages"), list) and self._often():
            for n, message in enumerate(case.body["messages"], self._sent[who] + 1):
                if isinstance(message, dict):
                    message["n"] = n
        if isinstance(case.body, dict) and "wait_s" in case.body:
            case.body["wait_s"] = 0
        case.headers = {key: value for key, value in (case.headers or {}).items() if key.lower() != "authorization"}
        if who is not None:
            case.headers["Authorization"] = f"Bearer {who}"

    def _sign(self, case: Case) -> None:
        """A download is good only for its own file."""
        named = (case.path_parameters or {}).get("artifact") or (case.path_parameters or {}).get("recording")
        if named in self._signed and "signature" in str(case.operation.definition.raw) and self._often(9):
            name, signature = self._signed[named]
            case.query = (case.query or {}) | {"signature": signature}
            if "name" in case.path_parameters:
                case.path_parameters["name"] = name

    def _who(self, case: Case) -> str | None:
        who = case.operation.definition.raw["x-who"]
        path = case.path_parameters or {}
        room = path.get("room") or self._rooms.get(str(path.get("recording")))
        recording = isinstance(case.body, dict) and case.body.get("kind") == "recorder"
        if not self._often(9):
            return self._chance.choice([None, "", "pt_x", "hk_x", self._one("token"), self._one("host_key"), RECORDER_KEY])
        if who == "recorder" or recording:
            return RECORDER_KEY
        if who == "host" and room in self._host_keys:
            return self._host_keys[room]
        if who in ("participant", "host") and self._tokens.get(str(room)):
            return self._chance.choice(self._tokens[str(room)][-FRESH:])
        return self._one("token") if who == "participant" else None

    def _filled(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._filled(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner, "to" if name == "people" else name) for inner in value]
        return (self._one(NAMES[name]) or value) if name in NAMES and isinstance(value, str | int) and self._often() else value

    # -- after a call ------------------------------------------------------------------------------------------------------

    def learn(self, case: Case, response: Response) -> None:
        """Remember what the answer gives."""
        self.statuses[response.status_code] += 1
        if response.status_code >= 300 or "json" not in str(response.headers.get("content-type")):
            return
        path, found = case.path_parameters or {}, response.json()
        if case.operation.path == f"{API}/openapi.json" or not isinstance(found, dict):
            return
        room = path.get("room")
        if "host_key" in found:
            room = str(found.get("room", room))
            self._host_keys[room] = found["host_key"]
            self._know("room", room)
            self._know("host_key", found["host_key"])
        if "token" in found:
            self._know("token", found["token"])
            self._tokens[str(room)].append(found["token"])
            self._know("recorder" if found["participant"]["kind"] == "recorder" else "person", found["participant"]["id"])
        if "n" in found:
            self._sent[str(response.request.headers.get("Authorization")).removeprefix("Bearer ")] = found["n"]
        if isinstance(found.get("recording"), dict):
            self._know("recording", found["recording"]["id"])
            if room:
                self._rooms[found["recording"]["id"]] = room
        for kind in ("segment", "attempt"):
            if kind in found:
                self._know(kind, found[kind])
        for step in found.get("next", []):
            self._know("step", step)
        if "#sh_" in str(found.get("url")):
            self._know("share", found["id"])
            self._know("secret", found["url"].partition("#")[2])
        self._learn_files(found)

    def _learn_files(self, found: dict[str, Any]) -> None:
        for recording in [found, *found.get("recordings", [])]:
            for version in recording.get("versions", []):
                self._know("version", version["n"])
            for address in [recording.get("archive"), *(one.get("url") for one in recording.get("artifacts", []))]:
                parts = urlsplit(address or "")
                if match := re.search(r"/(?:artifacts|recordings)/([^/]+)/(.*)", parts.path):
                    self._signed[match[1]] = (unquote(match[2]), parse_qs(parts.query)["signature"][0])
                    if "/artifacts/" in parts.path:
                        self._know("artifact", match[1])

    def _know(self, kind: str, value: Any) -> None:
        if value not in self._known[kind][-FRESH:]:
            self._known[kind].append(value)
