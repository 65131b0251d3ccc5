"""One request that polls several mailboxes: the tabs of one browser share a connection, of which an origin has only six.

It parks on each of them, is answered as soon as one has something to say, and is then taken off the others: what they get
meanwhile waits for the next request, as for any poll that was not there.
"""

import json
import threading
from typing import NamedTuple

from signaling import errors
from signaling.delivery import Mailboxes, Waiter


class Asked(NamedTuple):
    """One mailbox of the request. participant: whose; or problem: why it cannot be asked."""

    participant: str
    after: int
    nonce: str
    problem: errors.Problem | None = None


class _One:
    """The part of the request that is parked on one mailbox."""

    __slots__ = ("nonce", "place", "several")

    def __init__(self, several: "SeveralPolls", place: int, nonce: str) -> None:
        self.several, self.place, self.nonce = several, place, nonce

    def answer(self, body: bytes) -> None:
        self.several.told(self.place, body)

    def refuse(self, problem: errors.Problem) -> None:
        self.several.told(self.place, _refusal(problem))


class SeveralPolls:
    """waiter: the request itself, answered once with {"mailboxes": [<answer of GET /mailbox> | {"problem": …} | null]} in the
    order in which they were asked; null: nothing yet."""

    def __init__(self, mailboxes: Mailboxes, asked: list[Asked], waiter: Waiter) -> None:
        self._mailboxes, self._asked, self._waiter = mailboxes, asked, waiter
        self._ones = [_One(self, place, one.nonce) for place, one in enumerate(asked)]
        self._found: dict[int, bytes] = {}
        self._asking, self._done = True, False
        self._lock = threading.Lock()

    def poll(self, wait_s: float) -> bytes | None:
        """Answer at once (bytes), or later through the waiter (None)."""
        for place, one in enumerate(self._asked):
            found = _refusal(one.problem) if one.problem is not None else self._ask(place, one, 0 if self._found else wait_s)
            if found is not None:
                self.told(place, found)
        with self._lock:
            self._asking = False
            if not self._found:
                return None
            self._done = True
        self.withdraw()
        return self._body()

    def _ask(self, place: int, one: Asked, wait_s: float) -> bytes | None:
        try:
            found = self._mailboxes.poll(one.participant, one.after, wait_s, self._ones[place])
        except errors.Problem as problem:
            return _refusal(problem)
        # Asked only by the way, because another has something to say: an empty answer is none.
        return None if wait_s == 0 and found is not None and found.startswith(b'{"messages":[]') else found

    def told(self, place: int, body: bytes) -> None:
        """One of them has something to say: that answers the request, once."""
        with self._lock:
            if self._done:
                return
            self._found[place] = body
            if self._asking:
                return
            self._done = True
        self.withdraw()
        self._waiter.answer(self._body())

    def hung_up(self) -> None:
        """The connection of this request is gone."""
        with self._lock:
            self._done = True
        for place, one in enumerate(self._asked):
            self._mailboxes.hung_up(one.participant, self._ones[place])

    def withdraw(self) -> None:
        """No longer parked anywhere."""
        for place, one in enumerate(self._asked):
            self._mailboxes.withdraw(one.participant, self._ones[place])

    def _body(self) -> bytes:
        parts = [self._found.get(place, b"null") for place in range(len(self._asked))]
        return b'{"mailboxes":[' + b",".join(parts) + b"]}"


def _refusal(problem: errors.Problem) -> bytes:
    return b'{"problem":' + json.dumps(problem.as_json()).encode() + b"}"
