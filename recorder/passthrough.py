"""The only place that touches aiortc's insides: a receiver that hands on encoded frames instead of decoding them.

aiortc has no interface for encoded frames (aiortc issue 984), so its RTCRtpReceiver is replaced by ours, which registers with
the DTLS transport the same way. Every private name used is probed at the start: with another aiortc this says so at once
instead of recording nothing. Verified with aiortc 1.16.

An exception in a receive callback would end the DTLS transport and every track with it: nothing may leave them.
"""

import asyncio
import inspect
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from aiortc import rtcpeerconnection
from aiortc.codecs import get_capabilities, is_rtx
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter
from aiortc.rtcrtpparameters import RTCRtpCapabilities, RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
)
from aiortc.stats import RTCStatsReport

from recorder import shortcut
from recorder.answer import START_BPS
from recorder.rtp.frames import ASSEMBLERS, Frame
from recorder.rtp.header import Media, repeated
from recorder.rtp.intake import Intake
from recorder.timeline import MOST_REPORTS, Report, thin

log = logging.getLogger(__name__)

# How often holes are looked at and reports are sent while packets come or not, seconds.
TICK_S = 0.2
REPORT_S = 1.0
# Chromium sends 300 kbit/s and 5 pictures a second until it is told that more fits (REMB, draft-alvestrand-rmcat-remb-03).
REMB_MOST_BPS = 4_000_000
REMB_LEAST_BPS = 150_000
# Each stream is a file. No browser sends so many on one connection; one participant must not use up the disk's handles.
MOST_STREAMS = 64


class UnknownAiortc(Exception):
    """This aiortc is not built as we know it; the text names what is missing."""


@dataclass(eq=False)
class Stream:
    """One SSRC of one codec, as long as its time runs on: its intake, its clock."""

    road: ClassVar[str] = "webrtc"
    ssrc: int
    intake: Intake
    clock: list[Report] = field(default_factory=list)
    last_report: tuple[int, float] = (0, 0.0)


class Codec(NamedTuple):
    """One payload type. name: lower case; repeats: for retransmissions, the payload type of what they repeat."""

    name: str
    clock_hz: int
    repeats: int | None = None


def codec_of(parameters: RTCRtpCodecParameters) -> Codec | None:
    """None for what is not recorded."""
    name = parameters.name.lower()
    if is_rtx(parameters):
        apt = parameters.parameters.get("apt")
        return Codec(name, parameters.clockRate, apt) if isinstance(apt, int) else None
    return Codec(name, parameters.clockRate) if name in ASSEMBLERS else None


FrameSink = Callable[[Stream, Frame], None]
NTP_EPOCH_S = 2_208_988_800


def ntp_to_unix_us(ntp: int) -> int:
    """64-bit NTP time (RFC 5905 section 6) as Unix microseconds."""
    return ((ntp * 1_000_000) >> 32) - NTP_EPOCH_S * 1_000_000


class PassthroughReceiver:
    """In place of aiortc's RTCRtpReceiver; the methods aiortc calls have its names."""

    def __init__(self, kind: str, transport: RTCDtlsTransport) -> None:
        self._enabled = True
        self._track: Any = None
        self._kind, self._transport = kind, transport
        self._codecs: dict[int, Codec] = {}
        self._rtx: dict[int, int] = {}
        self._rtcp_ssrc: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._remb_bps = START_BPS
        self._reported_s = 0.0
        self._said: set[str] = set()
        self._sending: set[asyncio.Future[None]] = set()
        self._begun = 0
        self.streams: dict[int, Stream] = {}
        self.sink: FrameSink | None = None

    # -- what RTCPeerConnection asks of a receiver ------------------------------------------------------------------------

    @property
    def track(self) -> Any:
        return self._track

    @property
    def transport(self) -> RTCDtlsTransport:
        return self._transport

    @classmethod
    def getCapabilities(cls, kind: str) -> RTCRtpCapabilities | None:
        return get_capabilities(kind)

    def setTransport(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport

    async def getStats(self) -> RTCStatsReport:
        return RTCStatsReport()

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        self._rtcp_ssrc = ssrc

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Begin, and again after each negotiation: what is new is added."""
        for codec in parameters.codecs:
            found = codec_of(codec)
            if codec.payloadType is not None and found is not None:
                self._codecs[codec.payloadType] = found
        for encoding in parameters.encodings:
            if encoding.rtx:
                self._rtx[encoding.rtx.ssrc] = encoding.ssrc
        self._transport._register_rtp_receiver(self, parameters)
        for ssrc in self._rtx:
            # With two videos on one transport the payload type alone does not say whose retransmission this is.
            self._transport._rtp_router.ssrc_table[ssrc] = self
        shortcut.open_for(self._transport)
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        self._transport._unregister_rtp_receiver(self)
        shortcut.forget_routes(self._transport)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self.drain()

    def _handle_disconnect(self) -> None:
        """The transport has ended; what is in the buffers is taken by `drain`."""

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        self.take_report(packet, time.time_ns() // 1000)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:  # noqa: ARG002 - another clock's
        """The long way, through aiortc's own queue and parser."""
        media = Media(
            packet.payload_type, packet.sequence_number, packet.timestamp, packet.ssrc, bool(packet.marker), packet.payload
        )
        self.take(media, time.time_ns() // 1_000_000)
        await self._all_sent()

    def take_report(self, packet: Any, arrival_us: int) -> None:
        """One RTCP packet. Never raises."""
        try:
            if isinstance(packet, RtcpSrPacket) and packet.ssrc in self.streams:
                self._note_report(self.streams[packet.ssrc], packet, arrival_us)
        except Exception:
            self._say_once("RTCP")

    # -- packets ----------------------------------------------------------------------------------------------------------

    def take(self, packet: Media, now_ms: int) -> None:
        """One packet, as it came. Never raises: it runs inside the transport."""
        try:
            stream = self._take(packet, now_ms)
            if stream is not None:
                self._ask(stream, now_ms)
        except Exception:
            self._say_once("RTP")

    def _ask(self, stream: Stream, now_ms: int) -> None:
        """For what is missing, when it is time to."""
        intake = stream.intake
        if intake.buffer.missing:
            missing = intake.buffer.to_ask_for(now_ms)
            if missing:
                self._send_soon(self._nack(stream.ssrc, missing))
        if intake.wants_key(now_ms):
            self._send_soon(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._rtcp_ssrc or 0, media_ssrc=stream.ssrc))

    def _take(self, packet: Media, now_ms: int) -> Stream | None:
        codec = self._codecs.get(packet.payload_type)
        if codec is None or not self._enabled:
            return None
        again = codec.repeats is not None
        if codec.repeats is not None:
            original, what = self._rtx.get(packet.ssrc), self._codecs.get(codec.repeats)
            if original is None or what is None or len(packet.payload) < 2:
                return None
            packet, codec = repeated(packet, codec.repeats, original), what
        stream = self.streams.get(packet.ssrc)
        if stream is None or stream.intake.codec != codec.name or stream.intake.leaps(packet.timestamp, now_ms):
            stream = self._begin(packet.ssrc, codec)
            if stream is None:
                return None
        frames = stream.intake.add(packet.seq, packet.timestamp, packet.marker, packet.payload, now_ms, again)
        if frames:
            self._hand_on(stream, frames)
        return stream

    def _begin(self, ssrc: int, codec: Codec) -> Stream | None:
        """A new stream; the one of the same SSRC before it ends. None when there have been too many."""
        if self._begun >= MOST_STREAMS:
            self._say_once("another stream: there were too many")
            return None
        self._begun += 1
        if ssrc in self.streams:
            self._hand_on(self.streams[ssrc], self.streams[ssrc].intake.drain())
        self.streams[ssrc] = Stream(ssrc, Intake(codec.name, codec.clock_hz))
        return self.streams[ssrc]

    def _hand_on(self, stream: Stream, frames: list[Frame]) -> None:
        if self.sink is not None:
            for frame in frames:
                self.sink(stream, frame)

    def drain(self) -> None:
        """Hand on what the buffers still hold; at the end."""
        for stream in self.streams.values():
            self._hand_on(stream, stream.intake.drain())

    def _note_report(self, stream: Stream, packet: Any, arrival_us: int) -> None:
        ntp = packet.sender_info.ntp_timestamp
        stream.last_report = ((ntp >> 16) & 0xFFFFFFFF, arrival_us / 1e6)
        timestamp = stream.intake.unwrap_time(packet.sender_info.rtp_timestamp)
        stream.clock.append(Report(timestamp, ntp_to_unix_us(ntp), arrival_us))
        if len(stream.clock) > MOST_REPORTS:
            stream.clock[:] = thin(stream.clock)

    # -- what the sender is told --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self._tick(time.time())
            except ConnectionError:
                pass
            except Exception:
                self._say_once("the receiver's tick")

    async def _tick(self, now_s: float) -> None:
        now_ms = int(now_s * 1000)
        for stream in list(self.streams.values()):
            self._hand_on(stream, stream.intake.take(now_ms))
            self._ask(stream, now_ms)
        await self._all_sent()
        if now_s - self._reported_s >= REPORT_S and self.streams:
            self._reported_s = now_s
            await self._send_reports(now_s)

    async def _send_reports(self, now_s: float) -> None:
        reports, worst = [], 0
        for stream in self.streams.values():
            statistics = stream.intake.statistics
            if not statistics.received:
                continue
            last, at_s = stream.last_report
            delay = int(min(now_s - at_s, 65_535) * 65_536) if last else 0
            fraction = statistics.fraction_lost()
            worst = max(worst, fraction)
            reports.append(
                RtcpReceiverInfo(
                    ssrc=stream.ssrc,
                    fraction_lost=fraction,
                    packets_lost=statistics.lost,
                    # The scale begins one range up.
                    highest_sequence=statistics.highest - (1 << 16) & 0xFFFFFFFF,
                    jitter=statistics.jitter,
                    lsr=last,
                    dlsr=delay,
                )
            )
        await self._send(RtcpRrPacket(ssrc=self._rtcp_ssrc or 0, reports=reports[:31]))
        if self._kind == "video":
            # Loss of more than a tenth is a link that is full (as Chromium's own loss-based control sees it).
            change = 0.85 if worst > 26 else 1.08
            self._remb_bps = int(min(REMB_MOST_BPS, max(REMB_LEAST_BPS, self._remb_bps * change)))
            fci = pack_remb_fci(self._remb_bps, list(self.streams))
            await self._send(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self._rtcp_ssrc or 0, media_ssrc=0, fci=fci))

    def _nack(self, ssrc: int, missing: list[int]) -> RtcpRtpfbPacket:
        packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=self._rtcp_ssrc or 0, media_ssrc=ssrc)
        # aiortc's packing counts upwards only, and would refuse a list that goes over 65535.
        packet.lost = sorted(missing)
        return packet

    def _send_soon(self, packet: Any) -> None:
        """In the order in which they are given; the transport is never waited for."""
        task = asyncio.ensure_future(self._send(packet))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _all_sent(self) -> None:
        if self._sending:
            await asyncio.gather(*self._sending)

    async def _send(self, packet: Any) -> None:
        if self._rtcp_ssrc is None:
            return
        try:
            await self._transport._send_rtp(bytes(packet))
        except ConnectionError:
            pass
        except Exception:
            self._say_once("an answer")

    def _say_once(self, where: str) -> None:
        if where not in self._said:
            self._said.add(where)
            log.error("error while taking in %s; said once", where, exc_info=sys.exc_info()[0] is not None)


def probe() -> None:
    """Raises UnknownAiortc unless everything used above is there."""
    wanted = {
        "RTCDtlsTransport._register_rtp_receiver": hasattr(RTCDtlsTransport, "_register_rtp_receiver"),
        "RTCDtlsTransport._unregister_rtp_receiver": hasattr(RTCDtlsTransport, "_unregister_rtp_receiver"),
        "RTCDtlsTransport._send_rtp": hasattr(RTCDtlsTransport, "_send_rtp"),
        "RTCDtlsTransport._rtp_router": "_rtp_router" in inspect.getsource(RTCDtlsTransport.__init__),
        "RtpRouter.ssrc_table": hasattr(RtpRouter(), "ssrc_table"),
        "rtcpeerconnection.RTCRtpReceiver": hasattr(rtcpeerconnection, "RTCRtpReceiver"),
    }
    missing = [name for name, there in wanted.items() if not there]
    if missing:
        raise UnknownAiortc(f"This aiortc lacks {', '.join(missing)}: install the version in requirements.txt.")


def install() -> None:
    """From now on peer connections of this process receive without decoding. Raises UnknownAiortc."""
    probe()
    shortcut.install()
    rtcpeerconnection.RTCRtpReceiver = PassthroughReceiver  # type: ignore[misc,assignment,attr-defined]
