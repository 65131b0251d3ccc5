"""The short way of media packets from the socket to the receiver. Part of the adapter to aiortc, like passthrough.py.

aiortc parses each datagram as STUN first, hands it through a queue to a task, and builds an object of its extensions; asyncio
asks for 256 KiB of memory and goes once around its loop for each. Here a packet that is SRTP or SRTCP by its first byte (RFC
7983) is decrypted where it came, and the sockets are read fifty times a second, each until it is empty. STUN and DTLS go
their old way.
A sender report counts from the moment the kernel had it, however busy we were: people are aligned by it.

Where aiortc, aioice or the event loop are not built as we know them, `install` says so and everything goes the long way.
"""

import asyncio
import fcntl
import logging
import socket
import struct
import time
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import pylibsrtp
from aioice.ice import Connection, StunProtocol
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtp import RtcpPacket

from recorder.rtp.header import Media, parse

log = logging.getLogger(__name__)

# A recording can wait: so long a packet lies in the kernel's buffer at most, which holds many times as much.
PERIOD_S = 0.02
# What one socket may bring in one turn, before the others have theirs.
MOST_AT_ONCE = 256
LARGEST = 2048
# A busy machine may keep us from reading for a while; the kernel gives as much of this as it may.
KERNEL_BUFFER = 2 << 20
# linux/sockios.h: when the kernel had the datagram that was read last, as two 64-bit integers.
SIOCGSTAMPNS = 0x8907

_long_way = StunProtocol.datagram_received


class Header(NamedTuple):
    """As much of a packet as the router looks at."""

    ssrc: int
    payload_type: int


class Path:
    """Of one DTLS transport: decrypts, and finds the receiver."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport
        self._routes: dict[int, Any] = {}

    def forget_routes(self) -> None:
        self._routes.clear()

    def take(self, data: bytes, now_ms: int, source: socket.socket | None = None) -> bool:
        """Whether this was ours to take. Never raises: it runs inside the event loop's reader.

        source: the socket it has just been read from, if we know it.
        """
        session = self._transport._rx_srtp
        if session is None or len(data) < 12 or data[0] >> 6 != 2:
            return False
        try:
            # RTCP has packet types where RTP has marker and payload type (RFC 5761 section 4).
            if 192 <= data[1] <= 223:
                self._take_reports(session.unprotect_rtcp(data), source)
            else:
                self._take_media(parse(session.unprotect(data)), now_ms)
        except (pylibsrtp.Error, ValueError):
            pass  # forged, or repeated on the way
        except Exception:
            log.exception("a packet could not be taken in")
        return True

    def _take_media(self, packet: Media, now_ms: int) -> None:
        way = packet.ssrc << 7 | packet.payload_type
        receiver = self._routes.get(way)
        if receiver is None:
            router: Any = self._transport._rtp_router
            receiver = router.route_rtp(Header(packet.ssrc, packet.payload_type))
            if not hasattr(receiver, "take"):
                return
            self._routes[way] = receiver
        receiver.take(packet, now_ms)

    def _take_reports(self, data: bytes, source: socket.socket | None) -> None:
        arrival_us = arrival_of_last(source) if source else time.time_ns() // 1000
        for packet in RtcpPacket.parse(data):
            for receiver in self._transport._rtp_router.route_rtcp(packet):
                if hasattr(receiver, "take_report"):
                    receiver.take_report(packet, arrival_us)


def arrival_of_last(source: socket.socket) -> int:
    """When the kernel had the datagram that was read last, Unix microseconds; now, where it does not say."""
    try:
        seconds, nanoseconds = struct.unpack("qq", fcntl.ioctl(source, SIOCGSTAMPNS, bytes(16)))
    except OSError:
        return time.time_ns() // 1000
    return int(seconds * 1_000_000 + nanoseconds // 1000)


class Pump:
    """Reads the sockets that bring media, all in one go. One for each event loop, while there are such sockets."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._read: dict[StunProtocol, Path] = {}
        self._timer: asyncio.TimerHandle | None = None

    def adopt(self, protocol: StunProtocol, path: Path) -> None:
        """From now on this one's socket is read here."""
        reader, own = getattr(self._loop, "_remove_reader", None), getattr(protocol.transport, "_sock", None)
        if protocol in self._read or reader is None or not isinstance(own, socket.socket):
            return
        reader(own.fileno())
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
        arrival_of_last(own)  # from the first question on the kernel takes note
        self._read[protocol] = path
        if self._timer is None:
            self._timer = self._loop.call_later(PERIOD_S, self._turn)

    def _turn(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        for protocol, path in list(self._read.items()):
            if protocol.transport.is_closing():
                del self._read[protocol]
            else:
                _empty(protocol, path, now_ms)
        self._timer = self._loop.call_later(PERIOD_S, self._turn) if self._read else None


def _empty(protocol: StunProtocol, path: Path, now_ms: int) -> None:
    own: socket.socket = protocol.transport._sock  # type: ignore[attr-defined]
    receive, take = own.recvfrom, path.take
    for _ in range(MOST_AT_ONCE):
        try:
            data, address = receive(LARGEST)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            protocol.error_received(error)
            return
        if not take(data, now_ms, own):
            _long_way(protocol, data, address)


_paths: WeakKeyDictionary[Connection, Path] = WeakKeyDictionary()
_pumps: WeakKeyDictionary[Any, Pump] = WeakKeyDictionary()
_installed = False


def _short_way(self: StunProtocol, data: bytes | str, addr: tuple[Any, ...]) -> None:
    """In place of StunProtocol.datagram_received: the first packet of each socket, and all that a TURN server relays."""
    path = _paths.get(self.receiver)
    if path is None or not isinstance(data, bytes) or not path.take(data, time.time_ns() // 1_000_000):
        _long_way(self, data, addr)
        return
    loop = asyncio.get_running_loop()
    if loop not in _pumps:
        _pumps[loop] = Pump(loop)
    _pumps[loop].adopt(self, path)


def open_for(transport: RTCDtlsTransport) -> None:
    """What comes for this transport goes the short way, once its keys are there."""
    connection = getattr(getattr(transport, "transport", None), "_connection", None)
    if _installed and isinstance(connection, Connection):
        _paths.setdefault(connection, Path(transport)).forget_routes()


def forget_routes(transport: RTCDtlsTransport) -> None:
    """A receiver has come or gone."""
    open_for(transport)


def lacking() -> list[str]:
    """Names used here that this aiortc or aioice does not have."""
    wanted = {
        "aioice StunProtocol.datagram_received": "receiver" in StunProtocol.__init__.__code__.co_varnames,
        "aioice Connection.data_received": hasattr(Connection, "data_received"),
        "RTCDtlsTransport._rx_srtp": "_rx_srtp" in RTCDtlsTransport.__init__.__code__.co_names,
        "RTCDtlsTransport._rtp_router": "_rtp_router" in RTCDtlsTransport.__init__.__code__.co_names,
        "RTCIceTransport._connection": "_connection" in RTCIceTransport.__init__.__code__.co_names,
        "pylibsrtp Session.unprotect": hasattr(pylibsrtp.Session, "unprotect"),
    }
    return [name for name, there in wanted.items() if not there]


def install() -> bool:
    """Take the short way from now on, in this process. False, and said once: media goes the long way."""
    global _installed
    missing = lacking()
    if missing:
        log.warning("media takes the long way, at more cost: %s is not there", ", ".join(missing))
        return False
    if not _installed:
        StunProtocol.datagram_received = _short_way  # type: ignore[method-assign]
        _installed = True
    return True
