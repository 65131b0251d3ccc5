"""What an RTP packet says of itself (RFC 3550 section 5.1), without what a recording does not need."""

from struct import Struct
from typing import NamedTuple

_FIXED = Struct("!BBHII")


class Media(NamedTuple):
    """One RTP packet. seq: 16 bits, timestamp: 32 bits, as sent."""

    payload_type: int
    seq: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes


def parse(data: bytes) -> Media:
    """Extensions and padding are left out. Raises ValueError when it says more than it has."""
    if len(data) < 12:
        raise ValueError("shorter than an RTP header")
    first, second, seq, timestamp, ssrc = _FIXED.unpack_from(data)
    if first >> 6 != 2:
        raise ValueError("not RTP version 2")
    begin, end = 12 + 4 * (first & 15), len(data)
    if first & 0x10:
        if begin + 4 > end:
            raise ValueError("an RTP extension is cut short")
        begin += 4 + 4 * (data[begin + 2] << 8 | data[begin + 3])
    if begin > end:
        raise ValueError("an RTP header is longer than its packet")
    if first & 0x20:
        padding = data[-1] if begin < end else 0
        if not padding or padding > end - begin:
            raise ValueError("more RTP padding than packet")
        end -= padding
    return Media(second & 0x7F, seq, timestamp, ssrc, second > 0x7F, data[begin:end])


def repeated(packet: Media, payload_type: int, ssrc: int) -> Media:
    """The packet inside a retransmission (RFC 4588 section 4). Raises ValueError when there is none."""
    if len(packet.payload) < 2:
        raise ValueError("a retransmission without the number of what it repeats")
    seq = packet.payload[0] << 8 | packet.payload[1]
    return Media(payload_type, seq, packet.timestamp, ssrc, packet.marker, packet.payload[2:])
