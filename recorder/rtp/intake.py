"""One RTP stream (one SSRC) of one codec: packets in, frames out, and what to ask the sender for."""

from recorder.rtp.frames import ASSEMBLERS, Assembler, Frame
from recorder.rtp.packets import Packet, PacketBuffer
from recorder.rtp.sequence import Unwrapper
from recorder.rtp.statistics import Statistics

# How often a key frame is asked for while none comes, and so that the file can be sought in; milliseconds.
KEY_AGAIN_MS = 500
KEY_EVERY_MS = 10_000
# Media time that jumps by more than this, while ours does not, is a stream that began anew; milliseconds.
LEAP_MS = 10_000


class Intake:
    """codec: lower-case name; clock_hz: of its RTP timestamps."""

    def __init__(self, codec: str, clock_hz: int) -> None:
        self.codec, self.clock_hz = codec, clock_hz
        self.buffer = PacketBuffer()
        self._leap_ticks = LEAP_MS * clock_hz // 1000
        self._assembler: Assembler = ASSEMBLERS[codec]()
        self._seq, self._time = Unwrapper(16), Unwrapper(32)
        self.statistics = Statistics(clock_hz)
        self._asked_ms = self._key_ms = 0
        self._before: tuple[int, int] | None = None
        self.last_frame_ms = 0
        self.bytes = self.frames = 0

    def leaps(self, timestamp: int, now_ms: int) -> bool:
        """Whether this packet's time has nothing to do with that of those before it."""
        if self._before is None or timestamp == self._before[0]:
            return False
        ticks = (timestamp - self._before[0] + (1 << 31)) % (1 << 32) - (1 << 31)
        if abs(ticks) <= self._leap_ticks:
            return False
        media_ms = ticks * 1000 / self.clock_hz
        return abs(media_ms - (now_ms - self._before[1])) > LEAP_MS

    def add(self, seq: int, timestamp: int, marker: bool, payload: bytes, arrival_ms: int, again: bool = False) -> list[Frame]:
        """A packet as it came (RFC 3550 section 5.1). Returns the frames that are whole now.

        again: it was sent a second time, in a stream of its own (RFC 4588 section 4); counted as one of this stream it would
        hide from the sender what the path loses.
        """
        self.bytes += len(payload)
        self._before = timestamp, arrival_ms
        packet = Packet(self._seq.unwrap(seq), self._time.unwrap(timestamp), marker, payload, arrival_ms)
        if not again:
            self.statistics.add(packet.seq, packet.timestamp, arrival_ms)
        return self._frames(self.buffer.pass_on(packet))

    def take(self, now_ms: int) -> list[Frame]:
        """Frames that are whole now, because a packet came or because one was waited for long enough."""
        return self._frames(self.buffer.take(now_ms))

    def drain(self) -> list[Frame]:
        """The rest, at the end."""
        return self._frames(self.buffer.drain())

    def _frames(self, packets: list[tuple[Packet, int]]) -> list[Frame]:
        found = []
        for packet, lost in packets:
            frame = self._assembler.add(packet, lost)
            if frame is not None:
                found.append(frame)
                self.frames += 1
                self.last_frame_ms = frame.arrival_ms
                if frame.is_key:
                    self._key_ms = frame.arrival_ms
        return found

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return self.buffer.lost

    def needs_key(self) -> None:
        """Nothing is of use until a key frame comes."""
        self._assembler.wants_key = self.codec != "opus"

    def unwrap_time(self, timestamp: int) -> int:
        """A timestamp of a sender report on the scale of the frames' own."""
        return self._time.unwrap(timestamp)

    def wants_key(self, now_ms: int) -> bool:
        """Whether to ask for a key frame now (PLI, RFC 4585 section 6.3.1); asking counts."""
        if self.codec == "opus":
            return False
        due_ms = KEY_AGAIN_MS if self._assembler.wants_key else KEY_EVERY_MS
        # A clock that was set back must not keep us silent until it is there again.
        if abs(now_ms - max(self._asked_ms, 0 if self._assembler.wants_key else self._key_ms)) < due_ms:
            return False
        self._asked_ms = now_ms
        return True
