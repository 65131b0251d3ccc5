"""socket.io 4 as its client says it (Engine.IO protocol 4, Socket.IO protocol 5), over long polls and over WebSocket.

https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/
"""

import itertools
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Protocol

from bench.signaling.peer import Accepted, Pair
from bench.signaling.wire import HEAD_END, RECEIVE_BYTES, HttpConnection, Loop, connect, get, post, send_all

NUMBER = re.compile(rb'\{"i":"(\d+)"')
PATH = "/socket.io/?EIO=4&transport="
# Packets of one polled payload stand between these.
SEPARATOR = b"\x1e"
WINDOW = 32


def _nothing(_number: int) -> None:
    """Nobody listens yet."""


def _accepted() -> None:
    """Nobody asked."""


class SocketioPeer(Protocol):
    """Either of the two below."""

    heard: Callable[[int], None]
    id: str
    partner: str

    def send(self, kind: str, body: bytes, accepted: Accepted) -> None: ...
    def faults(self) -> int: ...
    def close(self) -> None: ...


def event_packet(to: str, kind: str, body: bytes) -> bytes:
    """A Socket.IO EVENT inside an Engine.IO message: to whom, what, the body."""
    return b'42["m","%b","%b",%b]' % (to.encode(), kind.encode(), body)


class PollingPeer:
    """A socket over long polls: one connection polls and answers pings, a second one sends."""

    def __init__(self, loop: Loop, port: int, ready: Callable[[SocketioPeer], None]) -> None:
        self.id = self.partner = ""
        self.heard: Callable[[int], None] = _nothing
        self.polling, self.posting = HttpConnection(loop, port), HttpConnection(loop, port)
        self._loop, self._ready = loop, ready
        self._path = ""
        self._poll = b""
        self._accepted: Accepted = _accepted
        self.polling.request(get(PATH + "polling"), self._opened)

    def _opened(self, status: int, body: bytes) -> None:
        if not self._fine(status, body):
            return
        self._path = f"{PATH}polling&sid={json.loads(body[1:])['sid']}"
        self._poll = get(self._path)
        self.polling.request(post(self._path, b"40", "text/plain;charset=UTF-8"), self._resume)

    def _resume(self, status: int, body: bytes) -> None:
        if self._fine(status, body):
            self.polling.request(self._poll, self._polled)

    def _polled(self, status: int, body: bytes) -> None:
        if not self._fine(status, body):
            return
        if body == b"2":
            self.polling.request(post(self._path, b"3", "text/plain;charset=UTF-8"), self._resume)
            return
        pinged = body.startswith(b"2" + SEPARATOR) or body.endswith(SEPARATOR + b"2")
        if pinged:
            self.polling.request(post(self._path, b"3", "text/plain;charset=UTF-8"), self._resume)
        else:
            self.polling.request(self._poll, self._polled)
        if not self.id and body.startswith(b"40"):
            self.id = json.loads(body[2:].split(SEPARATOR)[0])["sid"]
            self._ready(self)
        for number in NUMBER.findall(body):
            self.heard(int(number))

    def send(self, kind: str, body: bytes, accepted: Accepted) -> None:
        self._accepted = accepted
        packet = event_packet(self.partner, kind, body)
        self.posting.request(post(self._path, packet, "text/plain;charset=UTF-8"), self._posted)

    def _posted(self, status: int, body: bytes) -> None:
        if self._fine(status, body):
            self._accepted()

    def _fine(self, status: int, body: bytes) -> bool:
        if status != 200:
            self._loop.failures.append(f"socket.io: {status} {body[:200]!r}")
        return status == 200

    def faults(self) -> int:
        return 0

    def close(self) -> None:
        self.polling.close()
        self.posting.close()


UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bGV0dGVyYm94LWJlbmNoLg==\r\n"
)


def frame(payload: bytes) -> bytes:
    """A masked text frame (RFC 6455 section 5.2) whose mask is zero: the server unmasks, the generator need not mask."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + b"\0\0\0\0" + payload
    return b"\x81\xfe" + size.to_bytes(2, "big") + b"\0\0\0\0" + payload


def frames(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The whole unmasked frames `data` begins with, as (payload, where the next one begins)."""
    start = 0
    while len(data) >= start + 2:
        size, body = data[start + 1], start + 2
        if size == 126:
            size, body = int.from_bytes(data[start + 2 : start + 4], "big"), start + 4
        if len(data) < body + size:
            return
        start = body + size
        yield data[body:start], start


class WebsocketPeer:
    """A socket over WebSocket from the beginning: one connection for everything."""

    def __init__(self, loop: Loop, port: int, ready: Callable[[SocketioPeer], None]) -> None:
        self.id = self.partner = ""
        self.heard: Callable[[int], None] = _nothing
        self._loop, self._ready = loop, ready
        self._rest = b""
        self._upgraded = False
        self.sock: socket.socket | None = connect(port)
        loop.watch(self.sock, self)
        send_all(self.sock, get(PATH + "websocket", UPGRADE))

    def readable(self) -> None:
        assert self.sock is not None
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._loop.failures.append("socket.io: WebSocket cut")
            self.close()
            return
        data = self._rest + data if self._rest else data
        if not self._upgraded:
            self._upgraded = HEAD_END in data
            data = data.partition(HEAD_END)[2] if self._upgraded else data
        whole = list(frames(data)) if self._upgraded else []
        self._rest = data[whole[-1][1] :] if whole else data
        for packet, _ in whole:
            self._hear(packet)

    def _hear(self, packet: bytes) -> None:
        if packet.startswith(b"42"):
            for number in NUMBER.findall(packet):
                self.heard(int(number))
        elif packet == b"2":
            self._say(b"3")
        elif packet.startswith(b"40"):
            self.id = json.loads(packet[2:])["sid"]
            self._ready(self)
        elif packet.startswith(b"0"):
            self._say(b"40")

    def _say(self, packet: bytes) -> None:
        assert self.sock is not None
        send_all(self.sock, frame(packet))

    def send(self, kind: str, body: bytes, accepted: Accepted) -> None:
        self._say(event_packet(self.partner, kind, body))
        accepted()

    def faults(self) -> int:
        return 0

    def close(self) -> None:
        if self.sock is not None:
            self._loop.forget(self.sock)
            self.sock.close()
            self.sock = None


class Socketio:
    """The pairs of one socket.io server."""

    def __init__(self, loop: Loop, port: int, transport: type[PollingPeer] | type[WebsocketPeer]) -> None:
        self._loop, self._port, self._transport = loop, port, transport

    def pairs(self, count: int) -> list[Pair]:
        peers: list[SocketioPeer] = []
        waiting = itertools.repeat(None, 2 * count)

        def begin() -> None:
            if next(waiting, 0) is None:
                self._transport(self._loop, self._port, ready)

        def ready(peer: SocketioPeer) -> None:
            peers.append(peer)
            # Not from here: the peer is still reading what has just come.
            self._loop.at(0, begin)

        for _ in range(WINDOW):
            begin()
        self._loop.run(lambda: len(peers) == 2 * count, 30 + count / 20, f"connecting {2 * count} sockets")
        found = list(zip(peers[::2], peers[1::2], strict=True))
        for first, second in found:
            first.partner, second.partner = second.id, first.id
        return found
