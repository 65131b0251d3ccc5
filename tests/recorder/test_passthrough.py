"""The receiver in place of aiortc's own: real encoded tracks over real peer connections, also over a link that loses.

A contract with aiortc's insides: another version than the one named here must be looked at before it is taken.
"""

import asyncio
import fractions
import random
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import av
import encoded
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, rtcpeerconnection
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcdtlstransport import RTCDtlsTransport, is_rtcp
from aiortc.rtp import RtcpPacket, RtpPacket

from recorder import passthrough
from recorder.passthrough import MOST_STREAMS, Codec, PassthroughReceiver, Stream, UnknownAiortc
from recorder.rtp.frames import Frame

LIMIT_S = 20.0
MIME = {"vp8": "video/VP8", "h264": "video/H264", "opus": "audio/opus"}


def test_aiortc_is_the_version_whose_insides_we_know() -> None:
    assert version("aiortc").startswith("1.16.")
    passthrough.probe()


def test_another_aiortc_is_refused_by_name_and_not_by_an_empty_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RTCDtlsTransport, "_register_rtp_receiver")
    with pytest.raises(UnknownAiortc, match="_register_rtp_receiver"):
        passthrough.probe()


# -- a whole connection -------------------------------------------------------------------------------------------------------


class Encoded(MediaStreamTrack):
    """A track of packets that are encoded already; aiortc's sender only packs them."""

    def __init__(self, frames: list[Frame], pace: float = 1.0) -> None:
        super().__init__()
        self.kind = "audio" if frames[0].codec == "opus" else "video"
        self._frames, self._hz, self._pace, self._begun = frames, encoded.HZ[frames[0].codec], pace, 0.0
        self.sent = 0
        self.finished = asyncio.Event()

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self._begun = self._begun or loop.time()
        if self.sent == len(self._frames):
            self.finished.set()
            await asyncio.Event().wait()
        frame = self._frames[self.sent]
        ticks = frame.timestamp - self._frames[0].timestamp
        await asyncio.sleep(self._begun + ticks / self._hz / self._pace - loop.time())
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = ticks
        packet.time_base = fractions.Fraction(1, self._hz)
        self.sent += 1
        return packet


class Call:
    """A sender and our receiver in one process. drop: the share of media packets the link loses."""

    def __init__(self, tracks: dict[str, Encoded], drop: float = 0.0) -> None:
        self.tracks, self.drop, self.dropped = tracks, drop, 0
        self.chance = random.Random(7)
        self.frames: dict[str, list[Frame]] = {}
        self.streams: dict[str, Stream] = {}

    async def run(self) -> None:
        sending, receiving = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
        try:
            await self._connect(sending, receiving)
            await asyncio.wait_for(asyncio.gather(*(track.finished.wait() for track in self.tracks.values())), LIMIT_S)
            await self._quiet()
        finally:
            for transceiver in receiving.getTransceivers():
                transceiver.receiver.drain()
            await asyncio.gather(sending.close(), receiving.close())

    async def _connect(self, sending: RTCPeerConnection, receiving: RTCPeerConnection) -> None:
        for codec, track in self.tracks.items():
            transceiver = sending.addTransceiver(track, direction="sendonly")
            offered = RTCRtpSender.getCapabilities(track.kind).codecs
            wanted = [one for one in offered if one.mimeType == MIME[codec] or one.mimeType.endswith("/rtx")]
            transceiver.setCodecPreferences(wanted)
        await sending.setLocalDescription(await sending.createOffer())
        await receiving.setRemoteDescription(sending.localDescription)
        for transceiver in receiving.getTransceivers():
            assert isinstance(transceiver.receiver, PassthroughReceiver)
            transceiver.receiver.sink = self._take
        await receiving.setLocalDescription(await receiving.createAnswer())
        self._make_lossy(sending.getTransceivers()[0].sender.transport)
        await sending.setRemoteDescription(receiving.localDescription)

    def _make_lossy(self, transport: Any) -> None:
        send = transport._send_rtp

        async def maybe(data: bytes) -> None:
            if not is_rtcp(data) and self.chance.random() < self.drop:
                self.dropped += 1
            else:
                await send(data)

        transport._send_rtp = maybe

    def _take(self, stream: Stream, frame: Frame) -> None:
        self.streams[frame.codec] = stream
        self.frames.setdefault(frame.codec, []).append(frame)

    async def _quiet(self) -> None:
        """Until nothing is waited for any more: holes filled or given up, and all frames counted."""
        async with asyncio.timeout(LIMIT_S):
            before = -1
            while (now := sum(len(frames) for frames in self.frames.values())) != before or any(
                stream.intake.buffer.waiting for stream in self.streams.values()
            ):
                before = now
                await asyncio.sleep(0.1)  # the receiver's own tick is longer than what is looked at here


@pytest.fixture
def installed() -> Iterator[None]:
    own = rtcpeerconnection.RTCRtpReceiver
    passthrough.install()
    yield
    rtcpeerconnection.RTCRtpReceiver = own


def _units(frame: Frame) -> list[bytes]:
    """For H.264 without start codes, which are three bytes long or four."""
    return [unit.rstrip(b"\x00") for unit in frame.data.split(b"\x00\x00\x01")] if frame.codec == "h264" else [frame.data]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_every_frame_arrives_as_it_was_encoded(codec: str) -> None:
    async def act() -> Call:
        call = Call({codec: Encoded(encoded.frames(codec, 4), 2), "opus": Encoded(encoded.frames("opus", 4), 2)})
        await call.run()
        return call

    call = asyncio.run(act())
    sent = encoded.frames(codec, 4)
    assert [_units(frame) for frame in call.frames[codec]] == [_units(frame) for frame in sent]
    assert call.frames[codec][0].is_key
    steps = [frame.timestamp - call.frames[codec][0].timestamp for frame in call.frames[codec]]
    assert steps == [frame.timestamp - sent[0].timestamp for frame in sent]
    assert [frame.data for frame in call.frames["opus"]] == [frame.data for frame in encoded.frames("opus", 4)]
    assert call.streams[codec].clock, "sender reports place the track in time"


@pytest.mark.usefixtures("installed")
def test_three_percent_loss_costs_next_to_nothing() -> None:
    async def act() -> Call:
        frames = {codec: encoded.frames(codec, 12, key_every=50) for codec in ("vp8", "opus")}
        call = Call({codec: Encoded(these, 2) for codec, these in frames.items()}, drop=0.03)
        await call.run()
        return call

    call = asyncio.run(act())
    assert call.dropped >= 15
    assert len(call.frames["vp8"]) >= 0.99 * 300
    assert len(call.frames["opus"]) >= 0.995 * 600


# -- one receiver alone -------------------------------------------------------------------------------------------------------


class Wire:
    """A transport that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append(data)


class Ear:
    """A receiver that knows Opus as 111, given packets by hand."""

    def __init__(self) -> None:
        self.wire: Any = Wire()
        self.receiver = PassthroughReceiver("audio", self.wire)
        self.receiver._set_rtcp_ssrc(1)
        self.receiver._codecs[111] = Codec("opus", 48_000)
        self.heard: list[tuple[Stream, Frame]] = []
        self.receiver.sink = lambda stream, frame: self.heard.append((stream, frame))

    def hears(self, seq: int, timestamp: int, ssrc: int = 7) -> None:
        packet = RtpPacket(
            payload_type=111, sequence_number=seq % 65_536, timestamp=timestamp % (1 << 32), ssrc=ssrc, payload=b"x"
        )
        asyncio.run(self.receiver._handle_rtp_packet(packet, 0))

    def tracks(self) -> int:
        return len({id(stream) for stream, _ in self.heard})


def test_a_loss_where_the_numbers_wrap_is_asked_for_again() -> None:
    ear = Ear()
    ear.hears(65_533, 0)
    ear.hears(65_537, 4 * 960)
    asyncio.run(ear.receiver._tick(time.time() + 0.1))
    (packet,) = RtcpPacket.parse(ear.wire.sent[0])
    assert sorted(packet.lost) == [0, 65_534, 65_535]


def test_what_is_sent_again_does_not_hide_from_the_sender_what_the_path_loses() -> None:
    ear = Ear()
    ear.receiver._codecs |= {
        96: Codec("vp8", 90_000),
        97: Codec("rtx", 90_000, repeats=96),
    }
    ear.receiver._rtx[8] = 7

    def comes(seq: int, payload_type: int = 96, ssrc: int = 7, payload: bytes = b"\x10\x01") -> None:
        packet = RtpPacket(payload_type=payload_type, sequence_number=seq, timestamp=1, ssrc=ssrc, payload=payload)
        asyncio.run(ear.receiver._handle_rtp_packet(packet, 0))

    # Sent again before anything of the stream itself came: nothing to report yet (RFC 4588 section 4).
    comes(1, 97, 8, b"\x00\x01" + b"\x10\x01")
    asyncio.run(ear.receiver._tick(time.time() + 2))
    for seq in (2, 3, 5):
        comes(seq)
    comes(2, 97, 8, b"\x00\x04" + b"\x10\x01")
    (stream,) = ear.receiver.streams.values()
    assert (stream.intake.buffer.lost, stream.intake.buffer.missing, stream.intake.buffer.received) == (0, 0, 5)
    assert stream.intake.statistics.lost == 1
    assert not ear.receiver._said


def test_time_that_leaps_begins_a_new_track_instead_of_hours_of_nothing() -> None:
    ear = Ear()
    for number in range(3):
        ear.hears(number, 1_000 + number * 960)
    ear.receiver.streams[7].clock.append(passthrough.Report(1, 1, 1))
    for number in range(3, 6):
        ear.hears(number, 1_000 + 48_000 * 7_200 + number * 960)
    assert len(ear.heard) == 6
    assert ear.tracks() == 2
    assert ear.receiver.streams[7].clock == [], "what was known of the old time says nothing of the new"


def test_time_that_wraps_goes_on_in_the_same_track() -> None:
    ear = Ear()
    for number in range(6):
        ear.hears(number, (1 << 32) - 2_000 + number * 960)
    assert ear.tracks() == 1
    assert [frame.timestamp - ear.heard[0][1].timestamp for _, frame in ear.heard] == [number * 960 for number in range(6)]


def test_one_participant_cannot_use_up_the_disk_s_handles() -> None:
    ear = Ear()
    for ssrc in range(1, MOST_STREAMS + 30):
        ear.hears(1, 1_000, ssrc)
    assert ear.tracks() == MOST_STREAMS
    ear.hears(2, 1_960, 1)
    assert len(ear.heard) == MOST_STREAMS + 1, "those that were there are heard on"


def test_a_sink_that_fails_does_not_end_the_connection() -> None:
    ear = Ear()

    def full(stream: Stream, frame: Frame) -> None:
        raise OSError("No space left on device")

    ear.receiver.sink = full
    ear.hears(1, 0)
    ear.receiver.sink = lambda stream, frame: ear.heard.append((stream, frame))
    ear.hears(2, 960)
    assert len(ear.heard) == 1


def test_packets_that_make_no_sense_are_passed_over() -> None:
    ear = Ear()
    for payload_type, payload in ((99, b"x"), (111, b""), (0, b"")):
        packet = RtpPacket(payload_type=payload_type, sequence_number=1, timestamp=0, ssrc=7, payload=payload)
        asyncio.run(ear.receiver._handle_rtp_packet(packet, 0))
    asyncio.run(ear.receiver._handle_rtcp_packet(object()))
    assert ear.heard == []


def test_the_clock_of_a_report_is_read_as_unix_time() -> None:
    # RFC 5905 section 6: seconds since 1900 in the upper 32 bits, fractions in the lower.
    assert passthrough.ntp_to_unix_us((2_208_988_800 + 1_795_470_000 << 32) | 1 << 31) == 1_795_470_000_500_000
