"""The generator's own event loop and connections: plain epoll, bytes prepared beforehand, no parsing beyond what is measured.

It must cost less than any server it loads. One request at a time per connection, as a browser does it over HTTP/1.1.
"""

import heapq
import itertools
import re
import select
import socket
import time
from collections.abc import Callable
from typing import Protocol

Answered = Callable[[int, bytes], None]
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RECEIVE_BYTES = 262_144


class Readable(Protocol):
    """Something on the loop with a socket of its own."""

    def readable(self) -> None:
        """The socket has something to read."""


class TookTooLong(Exception):
    """What was waited for did not happen in time."""


class Loop:
    """Sockets and timers. failures: requests that were refused or cut, with how they were answered."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Readable] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.failures: list[str] = []

    def watch(self, sock: socket.socket, reader: Readable) -> None:
        self._readers[sock.fileno()] = reader
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def forget(self, sock: socket.socket) -> None:
        del self._readers[sock.fileno()]
        self._epoll.unregister(sock.fileno())

    def at(self, when_s: float, call: Callable[[], None]) -> None:
        """Call at this time of time.perf_counter()."""
        heapq.heappush(self._timers, (when_s, next(self._order), call))

    def run(self, done: Callable[[], bool], longest_s: float, what: str = "") -> None:
        """Turn until `done`. Raises TookTooLong after `longest_s` when `what` names what was waited for."""
        end_s = time.perf_counter() + longest_s
        while not done():
            now = time.perf_counter()
            if now >= end_s:
                if what:
                    raise TookTooLong(f"{what} took longer than {longest_s:g} s; refused so far: {self.failures[:3]}")
                return
            self._turn(now, end_s)

    def _turn(self, now: float, end_s: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        until_s = min(self._timers[0][0], end_s) if self._timers else end_s
        # epoll counts in milliseconds and rounds up: the last one is spent looking.
        wait_s = until_s - time.perf_counter() - 0.001
        for fileno, _ in self._epoll.poll(wait_s if wait_s > 0.001 else 0, 1024):
            reader = self._readers.get(fileno)
            if reader is not None:
                reader.readable()

    def sleep(self, seconds: float) -> None:
        self.run(lambda: False, seconds)

    def close(self) -> None:
        self._epoll.close()
        self._readers.clear()


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


def send_all(sock: socket.socket, data: bytes) -> None:
    sent = sock.send(data)
    if sent < len(data):
        sock.setblocking(True)
        sock.sendall(data[sent:])
        sock.setblocking(False)


class HttpConnection:
    """One kept-alive connection. An answer is (status, body); status 0: the server cut the connection instead."""

    __slots__ = ("_answered", "_loop", "_port", "_rest", "sock")

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop, self._port = loop, port
        self._answered: Answered | None = None
        self._rest = b""
        self.sock: socket.socket | None = None

    def request(self, data: bytes, answered: Answered) -> None:
        assert self._answered is None, "one request at a time"
        if self.sock is None:
            self.sock = connect(self._port)
            self._loop.watch(self.sock, self)
        self._answered = answered
        send_all(self.sock, data)

    def readable(self) -> None:
        assert self.sock is not None
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._cut()
            return
        data = self._rest + data if self._rest else data
        head_end = data.find(HEAD_END)
        length = LENGTH.search(data, 0, head_end) if head_end >= 0 else None
        if length is None or len(data) < head_end + 4 + int(length[1]):
            self._rest = data
            return
        self._rest = b""
        self._answer(int(data[9:12]), data[head_end + 4 :])

    def _cut(self) -> None:
        self.close()
        if self._answered is not None:
            self._answer(0, b"")

    def _answer(self, status: int, body: bytes) -> None:
        answered, self._answered = self._answered, None
        assert answered is not None, "an answer nobody asked for"
        answered(status, body)

    def close(self) -> None:
        if self.sock is not None:
            self._loop.forget(self.sock)
            self.sock.close()
            self.sock = None


def get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n".encode()


def post(path: str, body: bytes, media_type: str, headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\n{headers}Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
