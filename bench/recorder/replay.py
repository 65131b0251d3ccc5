"""Many senders that cost next to nothing: the RTP a browser sent once, sent again by each, with numbers and clocks of its own.

`python -m bench.recorder.replay CAPTURE`; a line of JSON in, a line of JSON out, one process for all senders:
{"offer": "p1"} → {"offer": {…}};  {"answer": {…}, "id": "p1"};  {"begin": 1};  {"mark": 1};  {"stop": 1}; each answer has
"sent", the frames sent so far by each.
"""

import asyncio
import json
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket

from recorder.rtp.header import parse

HZ = {"audio": 48_000, "video": 90_000}
REPORT_S = 1.0
NTP_EPOCH_S = 2_208_988_800


class Sent(NamedTuple):
    """One packet of the capture: when, of what, and its own numbers counted from 0."""

    at_s: float
    kind: str
    seq: int
    ticks: int
    marker: bool
    payload: bytes


def write_packet(file: Any, at_s: float, data: bytes) -> None:
    file.write(struct.pack("!dH", at_s, len(data)) + data)


def read(path: Path) -> list[Sent]:
    """A capture as `receiver.py` writes it; of each kind the stream with the most packets (retransmissions are streams too)."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        at_s, length = struct.unpack_from("!dH", data, at)
        found.append((at_s, parse(data[at + 10 : at + 10 + length])))
        at += 10 + length
    streams: dict[int, list[Any]] = {}
    for at_s, packet in found:
        streams.setdefault(packet.ssrc, []).append((at_s, packet))
    by_length = sorted(streams.values(), key=len, reverse=True)[:2]
    sent = []
    for stream in by_length:
        kind = "audio" if all(packet.payload_type == 111 for _, packet in stream) else "video"
        first = stream[0][1]
        for at_s, packet in stream:
            seq, ticks = (packet.seq - first.seq) % 65_536, (packet.timestamp - first.timestamp) % (1 << 32)
            sent.append(Sent(at_s, kind, seq, ticks, packet.marker, packet.payload))
    sent.sort(key=lambda one: one.at_s)
    begin_s = sent[0].at_s
    return [one._replace(at_s=one.at_s - begin_s) for one in sent if one.seq < 60_000]


class Silent(MediaStreamTrack):
    """Says that there will be something; what is sent goes around it."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class Sender:
    """capture: what to send, over and over."""

    def __init__(self, capture: list[Sent]) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._capture = capture
        self._round = {kind: self._length(kind) for kind in HZ}
        self.frames = {"audio": 0, "video": 0}
        self._ids: dict[str, tuple[int, int]] = {}

    def _length(self, kind: str) -> tuple[int, int]:
        """Packets and ticks of one round."""
        of_kind = [one for one in self._capture if one.kind == kind]
        whole_s = self._capture[-1].at_s + 1 / 30
        return max(one.seq for one in of_kind) + 1, int(whole_s * HZ[kind])

    async def offer(self) -> dict[str, Any]:
        for kind in HZ:
            sender = self.connection.addTransceiver(Silent(kind), direction="sendonly").sender

            async def nothing(parameters: Any) -> None:
                """In place of aiortc's own sending."""

            sender.send = nothing  # type: ignore[method-assign]
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return {"type": "offer", "sdp": self.connection.localDescription.sdp}

    async def answered(self, body: dict[str, Any]) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))
        wanted = {"audio": "audio/opus", "video": "video/VP8"}
        for transceiver in self.connection.getTransceivers():
            codec = next(one for one in transceiver._codecs if one.mimeType.lower() == wanted[transceiver.kind].lower())
            self._ids[transceiver.kind] = (codec.payloadType, transceiver.sender._ssrc)

    async def run(self, began_s: float) -> None:
        """From `began_s` on the loop's clock, for ever."""
        loop, transport = asyncio.get_running_loop(), self.connection.getTransceivers()[0].sender.transport
        reported_s, number = 0.0, 0
        while True:
            for one in self._capture:
                due_s = began_s + number * (self._capture[-1].at_s + 1 / 30) + one.at_s
                if due_s - loop.time() > 0.004:
                    await asyncio.sleep(due_s - loop.time())
                if transport.state != "connected":
                    return
                await transport._send_rtp(self._packet(one, number))
                if one.marker or one.kind == "audio":
                    self.frames[one.kind] += 1
                if loop.time() - reported_s > REPORT_S:
                    reported_s = loop.time()
                    for kind in HZ:
                        await transport._send_rtp(self._report(kind, loop.time() - began_s))
            number += 1

    def _packet(self, one: Sent, number: int) -> bytes:
        packets, ticks = self._round[one.kind]
        payload_type, ssrc = self._ids[one.kind]
        seq, timestamp = one.seq + number * packets & 0xFFFF, one.ticks + number * ticks & 0xFFFFFFFF
        return struct.pack("!BBHII", 0x80, one.marker << 7 | payload_type, seq, timestamp, ssrc) + one.payload

    def _report(self, kind: str, media_s: float) -> bytes:
        now_ns = time.time_ns() + NTP_EPOCH_S * 1_000_000_000
        info = RtcpSenderInfo(
            ntp_timestamp=(now_ns << 32) // 1_000_000_000, rtp_timestamp=int(media_s * HZ[kind]) & 0xFFFFFFFF,
            packet_count=0, octet_count=0,
        )  # fmt: skip
        return bytes(RtcpSrPacket(ssrc=self._ids[kind][1], sender_info=info, reports=[]))


async def serve(capture: list[Sent]) -> None:
    senders: dict[str, Sender] = {}
    tasks: list[asyncio.Task[None]] = []
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def take() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=take, daemon=True).start()
    while True:
        told = json.loads(await lines.get())
        said: dict[str, Any] = {}
        if "offer" in told:
            senders[told["offer"]] = Sender(capture)
            said["offer"] = await senders[told["offer"]].offer()
        elif "answer" in told:
            await senders[told["id"]].answered(told["answer"])
        elif "begin" in told:
            while not all(sender.connection.connectionState == "connected" for sender in senders.values()):
                await asyncio.sleep(0.05)
            for number, sender in enumerate(senders.values()):
                # People do not breathe in step.
                tasks.append(asyncio.create_task(sender.run(loop.time() + 0.1 + number * 0.0317)))
        elif "stop" in told:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        said["sent"] = {name: sender.frames for name, sender in senders.items()}
        print(json.dumps(said), flush=True)
        if "stop" in told:
            await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(serve(read(Path(sys.argv[1]))))
