"""Letterbox as PROTOCOL.md says it: rooms of two, a parked poll each, a second connection for those who send."""

import itertools
import json
import re
from collections.abc import Callable

from bench.signaling.peer import Accepted, Pair
from bench.signaling.wire import HttpConnection, Loop, get, post

# The answer to a poll, read as far as it is measured: the mailbox's numbering, and the load's own number if it is the load's.
MESSAGE = re.compile(rb'"seq":(\d+),"from":"[^"]*","kind":"[^"]*","body":\{(?:"i":"(\d+)")?')
WAIT_S = 25
# Joins under way at once: as many as keep the server busy.
WINDOW = 32
_nonces = itertools.count()


class LetterboxPeer:
    """A participant: polls for ever, acknowledges by `after`, numbers what it sends.

    polls_on, posts_on: ports; two different ones are two web nodes.
    """

    def __init__(self, loop: Loop, entered: dict[str, object], polling: HttpConnection, posting: HttpConnection) -> None:
        participant = entered["participant"]
        assert isinstance(participant, dict)
        self.id: str = participant["id"]
        self.partner = ""
        self.heard: Callable[[int], None] = _nothing
        self.polling, self.posting = polling, posting
        self._loop = loop
        self._headers = f"Authorization: Bearer {entered['token']}\r\n"
        self._poll = (
            b"GET /api/v1/mailbox?after=%d&wait_s=%d&nonce=%x HTTP/1.1\r\nHost: bench\r\n" + self._headers.encode() + b"\r\n"
        )
        self._n = self._after = self._faults = 0
        self._accepted: Accepted = _accepted
        self.empty_answers = 0

    def poll(self, wait_s: int = WAIT_S) -> None:
        self.polling.request(self._poll % (self._after, wait_s, next(_nonces)), self._polled)

    def _polled(self, status: int, body: bytes) -> None:
        if status != 200:
            self._loop.failures.append(f"poll: {status} {body[:200]!r}")
            return
        found = MESSAGE.findall(body)
        if not found:
            self.empty_answers += 1
        for seq, _ in found:
            self._faults += int(seq) != self._after + 1
            self._after = int(seq)
        # Ask again first, as the browser does, so that the next message finds a parked poll.
        self.poll()
        for _, number in found:
            if number:
                self.heard(int(number))

    def send(self, kind: str, body: bytes, accepted: Accepted) -> None:
        self._n += 1
        self._accepted = accepted
        message = b'{"messages":[{"n":%d,"to":"%b","kind":"%b","body":%b}]}' % (
            self._n, self.partner.encode(), kind.encode(), body,
        )  # fmt: skip
        self.posting.request(post("/api/v1/messages", message, "application/json", self._headers), self._posted)

    def _posted(self, status: int, body: bytes) -> None:
        if status == 200:
            self._accepted()
        else:
            self._loop.failures.append(f"send: {status} {body[:200]!r}")

    def faults(self) -> int:
        return self._faults

    def close(self) -> None:
        self.polling.close()
        self.posting.close()


def _nothing(_number: int) -> None:
    """Nobody listens yet."""


def _accepted() -> None:
    """Nobody asked."""


class Letterbox:
    """The pairs of one Letterbox. ports: where to poll, where to post (the same for one web node)."""

    def __init__(self, loop: Loop, polls_on: int, posts_on: int = 0) -> None:
        self._loop, self._polls_on, self._posts_on = loop, polls_on, posts_on or polls_on
        self._parked = itertools.count()

    def pairs(self, count: int) -> list[Pair]:
        found: list[Pair] = []
        waiting = itertools.repeat(None, count)

        def begin() -> None:
            if next(waiting, 0) is None:
                _Joining(self._loop, self._polls_on, self._posts_on, joined)

        def joined(first: LetterboxPeer, second: LetterboxPeer) -> None:
            for peer in (first, second):
                # The first polls end spread over the whole wait, as they would among people who came at different times.
                peer.poll(1 + next(self._parked) % WAIT_S)
            found.append((first, second))
            begin()

        for _ in range(WINDOW):
            begin()
        self._loop.run(lambda: len(found) == count, 30 + count / 20, f"joining {count} pairs")
        return found


class _Joining:
    """Make a room and let two enter, over the connections they will poll on."""

    def __init__(self, loop: Loop, polls_on: int, posts_on: int, joined: Callable[[LetterboxPeer, LetterboxPeer], None]) -> None:
        self._loop, self._joined = loop, joined
        self._polls_on, self._posts_on = polls_on, posts_on
        self._first = HttpConnection(loop, polls_on)
        self._second = HttpConnection(loop, polls_on)
        self._peers: list[LetterboxPeer] = []
        self._room = ""
        self._first.request(post("/api/v1/rooms", b'{"title":"Bench"}', "application/json"), self._made)

    def _made(self, status: int, body: bytes) -> None:
        if self._refused(status, body):
            return
        self._room = json.loads(body)["room"]
        self._enter(self._first)

    def _enter(self, connection: HttpConnection) -> None:
        path = f"/api/v1/rooms/{self._room}/participants"
        connection.request(post(path, b'{"name":"Ana"}', "application/json"), self._entered)

    def _entered(self, status: int, body: bytes) -> None:
        if self._refused(status, body):
            return
        connection = self._second if self._peers else self._first
        self._peers.append(LetterboxPeer(self._loop, json.loads(body), connection, HttpConnection(self._loop, self._posts_on)))
        if len(self._peers) == 1:
            self._enter(self._second)
            return
        first, second = self._peers
        first.partner, second.partner = second.id, first.id
        self._joined(first, second)

    def _refused(self, status: int, body: bytes) -> bool:
        if status not in (200, 201):
            self._loop.failures.append(f"join: {status} {body[:200]!r}")
        return status not in (200, 201)


def sql_statements(loop: Loop, port: int) -> int:
    """How many SQL statements the server of `sql_count.py` has run since its start."""
    answers: list[bytes] = []
    connection = HttpConnection(loop, port)
    connection.request(get("/bench/sql"), lambda _status, body: answers.append(body))
    loop.run(lambda: bool(answers), 5, "/bench/sql")
    connection.close()
    return int(answers[0])
