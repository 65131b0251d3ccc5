"""The receiver in place of aiortc's own: real packets, real peer connections, a link that loses."""

import asyncio
from typing import Any

from aiortc.rtp import RtcpPacket

from recorder.passthrough import PassthroughReceiver


class Wire:
    """A transport that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append(data)


def test_a_loss_where_the_numbers_wrap_is_asked_for_again() -> None:
    wire: Any = Wire()
    receiver = PassthroughReceiver("video", wire)
    receiver._set_rtcp_ssrc(1)
    asyncio.run(receiver._send_nack(7, [65_534, 65_535, 0, 1, 30]))
    (packet,) = RtcpPacket.parse(wire.sent[0])
    assert sorted(packet.lost) == [0, 1, 30, 65_534, 65_535]
