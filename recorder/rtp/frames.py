"""Encoded frames out of RTP payloads: Opus (RFC 7587), VP8 (RFC 7741), H.264 (RFC 6184). Nothing is decoded.

A frame is handed on only when it is whole and can be decoded: the first of a video is a key frame, and after a loss that
nothing repaired none is handed on until the next key frame. What is missing is a gap, never a broken picture.
"""

from dataclasses import dataclass
from typing import Protocol

from recorder.rtp.packets import Packet

START_CODE = b"\x00\x00\x00\x01"


@dataclass(slots=True)
class Frame:
    """One encoded frame. timestamp: unwrapped RTP ticks; lost: packets lost since the one before; size: pixels of a key frame."""

    codec: str
    timestamp: int
    data: bytes
    is_key: bool
    arrival_ms: int
    lost: int = 0
    size: tuple[int, int] | None = None


class Assembler(Protocol):
    """Packets in, in order; frames out. wants_key: it can hand on nothing until a key frame comes."""

    wants_key: bool

    def add(self, packet: Packet, lost: int) -> Frame | None:
        """One packet, and how many were lost just before it."""


class OpusAssembler:
    """Each packet is a frame, and each can be decoded by itself."""

    wants_key = False

    def add(self, packet: Packet, lost: int) -> Frame | None:
        # An empty payload is a sender that probes bandwidth.
        return Frame("opus", packet.timestamp, packet.payload, True, packet.arrival_ms, lost) if packet.payload else None


class VideoAssembler:
    """What VP8 and H.264 share: packets of one timestamp make a frame, the marker ends it, a loss spoils it."""

    codec = ""

    def __init__(self) -> None:
        self.wants_key = True
        self._parts: list[bytes] = []
        self._timestamp: int | None = None
        self._spoilt = False
        self._lost = 0

    def add(self, packet: Packet, lost: int) -> Frame | None:
        if lost:
            self._lost += lost
            self.wants_key = True
            self._spoilt = packet.timestamp == self._timestamp
            self._parts = []
        if packet.timestamp != self._timestamp:
            # A frame without its marker was cut short: what builds on it would be broken.
            self.wants_key = self.wants_key or bool(self._parts)
            self._timestamp, self._parts = packet.timestamp, []
            self._spoilt = not self._begins(packet.payload)
        if packet.payload and not self._spoilt:
            try:
                self._parts.append(self._payload(packet.payload))
            except (IndexError, ValueError):
                self._spoilt = self.wants_key = True
        return self._finish(packet) if packet.marker else None

    def _finish(self, packet: Packet) -> Frame | None:
        data, spoilt = b"".join(self._parts), self._spoilt
        self._parts, self._timestamp, self._spoilt = [], None, False
        if spoilt or not data:
            self.wants_key = self.wants_key or spoilt
            return None
        is_key = self._is_key(data)
        if self.wants_key and not is_key:
            return None
        frame = Frame(
            self.codec, packet.timestamp, data, is_key, packet.arrival_ms, self._lost, self._size(data) if is_key else None
        )
        self.wants_key, self._lost = False, 0
        return frame

    def _begins(self, payload: bytes) -> bool:
        raise NotImplementedError

    def _payload(self, payload: bytes) -> bytes:
        raise NotImplementedError

    def _is_key(self, data: bytes) -> bool:
        raise NotImplementedError

    def _size(self, data: bytes) -> tuple[int, int] | None:
        raise NotImplementedError


class Vp8Assembler(VideoAssembler):
    """RFC 7741 section 4."""

    codec = "vp8"

    def _begins(self, payload: bytes) -> bool:
        # S=1 and PID=0: the first packet of a frame, without which the picture has no beginning. Padding has no payload.
        return not payload or payload[0] & 0x17 == 0x10

    def _payload(self, payload: bytes) -> bytes:
        at = 1
        if payload[0] & 0x80:
            extension = payload[1]
            at = 2
            if extension & 0x80:
                at += 2 if payload[at] & 0x80 else 1
            if extension & 0x40:
                at += 1
            if extension & 0x30:
                at += 1
        if at >= len(payload):
            raise ValueError("a VP8 payload ends in its descriptor")
        return payload[at:]

    def _is_key(self, data: bytes) -> bool:
        # RFC 6386 section 9.1: the first bit is 0 in a key frame, whose start code follows the three bytes of the tag.
        return len(data) >= 10 and data[0] & 1 == 0 and data[3:6] == b"\x9d\x01\x2a"

    def _size(self, data: bytes) -> tuple[int, int] | None:
        return (data[6] | data[7] << 8) & 0x3FFF, (data[8] | data[9] << 8) & 0x3FFF


class H264Assembler(VideoAssembler):
    """RFC 6184 section 5, to Annex B: single NAL units, STAP-A, FU-A. A key frame that lacks parameter sets gets the last."""

    codec = "h264"

    def __init__(self) -> None:
        super().__init__()
        self._sets: dict[int, bytes] = {}

    def _begins(self, payload: bytes) -> bool:
        if not payload:
            return True
        kind, slice_at = payload[0] & 0x1F, 1
        if kind == 28:
            # A fragment begins with its S bit set.
            if len(payload) < 2 or not payload[1] & 0x80:
                return False
            kind, slice_at = payload[1] & 0x1F, 2
        elif kind == 24 and len(payload) > 3:
            kind, slice_at = payload[3] & 0x1F, 4
        # A picture's first slice has first_mb_in_slice = 0, one bit that is 1 (ITU-T H.264 sections 7.3.3 and 9.1).
        return kind not in (1, 5) or (len(payload) > slice_at and payload[slice_at] & 0x80 != 0)

    def _payload(self, payload: bytes) -> bytes:
        kind = payload[0] & 0x1F
        if 1 <= kind <= 23:
            return START_CODE + payload
        if kind == 28:
            start = START_CODE + bytes([payload[0] & 0xE0 | payload[1] & 0x1F]) if payload[1] & 0x80 else b""
            return start + payload[2:]
        if kind == 24:
            return b"".join(START_CODE + unit for unit in _aggregated(payload))
        raise ValueError(f"NAL unit type {kind} is not used in WebRTC")

    def _is_key(self, data: bytes) -> bool:
        kinds = {unit[0] & 0x1F for unit in nal_units(data)}
        return 5 in kinds and {7, 8} <= kinds | self._sets.keys()

    def _finish(self, packet: Packet) -> Frame | None:
        data = b"".join(self._parts)
        for unit in nal_units(data):
            if unit[0] & 0x1F in (7, 8):
                self._sets[unit[0] & 0x1F] = unit
        frame = super()._finish(packet)
        if frame is not None and frame.is_key:
            here = {unit[0] & 0x1F for unit in nal_units(frame.data)}
            lacking = [self._sets[kind] for kind in (7, 8) if kind in self._sets and kind not in here]
            frame.data = b"".join(START_CODE + unit for unit in lacking) + frame.data
        return frame

    def _size(self, data: bytes) -> tuple[int, int] | None:  # noqa: ARG002
        # Inside the parameter set, Exp-Golomb coded: read from the file when it is finalised.
        return None


def _aggregated(payload: bytes) -> list[bytes]:
    units, at = [], 1
    while at + 2 < len(payload):
        length = payload[at] << 8 | payload[at + 1]
        unit = payload[at + 2 : at + 2 + length]
        if len(unit) != length or not unit:
            raise ValueError("a STAP-A is shorter than it says")
        units.append(unit)
        at += 2 + length
    return units


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B buffer made here: each behind a four-byte start code."""
    return [unit for unit in data.split(START_CODE) if unit]


ASSEMBLERS: dict[str, type[OpusAssembler] | type[Vp8Assembler] | type[H264Assembler]] = {
    "opus": OpusAssembler,
    "vp8": Vp8Assembler,
    "h264": H264Assembler,
}
