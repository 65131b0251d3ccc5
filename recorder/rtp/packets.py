"""Packets back in order, with patience for what is late and a list of what to ask for again.

A recording has time: it waits a second for a packet to be repeated (NACK, RFC 4585 section 6.2.1) before it gives it up.
"""

from itertools import islice
from typing import NamedTuple

PATIENCE_MS = 1_000
# What is only late (packets overtake each other) need not be sent again: it has so long before it is asked for.
ASK_FIRST_MS = 25
# The next request comes so much later, then ever later: on a slow path the answer is under way, and on a full one repeating
# everything many times over would take the place of the call itself.
ASK_AGAIN_MS = 60
ASK_LATER = 1.6
# A larger jump is a stream that began anew, not a hole to fill.
MOST_MISSING = 2_000
# More packets than this are not kept behind a hole, whatever the clock says.
MOST_WAITING = 5_000
# As many as fit in one request of moderate size.
MOST_ASKED = 200
# Two in a row from so far behind are a sender that counts anew (RFC 3550 appendix A.1).
ANEW_BEHIND = 3_000


class Packet(NamedTuple):
    """One media packet. seq, timestamp: unwrapped; timestamp in ticks of the codec's RTP clock; arrival_ms: wall time."""

    seq: int
    timestamp: int
    marker: bool
    payload: bytes
    arrival_ms: int


class PacketBuffer:
    """Give packets in any order, take them in order, each with the number of those lost for good just before it."""

    def __init__(self, patience_ms: int = PATIENCE_MS) -> None:
        self._patience_ms = patience_ms
        self._waiting: dict[int, Packet] = {}
        self._next: int | None = None
        self._highest = 0
        self._lost_before_next = 0
        # seq → [when it was first missed, when it was last asked for (or missed), how long to wait before asking]
        self._missing: dict[int, list[int]] = {}
        # What is added to the sender's numbers since it counted anew, and where a stray one would have to go on.
        self._shift = 0
        self._stray_next: int | None = None
        self.received = self.lost = self.repeated = 0

    @property
    def waiting(self) -> int:
        """Packets kept behind a hole."""
        return len(self._waiting)

    @property
    def missing(self) -> int:
        """Holes that may still be filled."""
        return len(self._missing)

    def add(self, packet: Packet) -> None:
        """Take one packet in; repeated and too late ones are dropped."""
        packet = packet._replace(seq=packet.seq + self._shift)
        if self._next is None:
            self._next, self._highest = packet.seq, packet.seq
        if packet.seq < self._next - ANEW_BEHIND:
            if packet.seq != self._stray_next:
                self._stray_next = packet.seq + 1
            else:
                packet = self._begin_anew(packet)
        if packet.seq < self._next or packet.seq in self._waiting:
            self.repeated += 1
            return
        self.received += 1
        self._waiting[packet.seq] = packet
        self._missing.pop(packet.seq, None)
        if packet.seq > self._highest:
            for seq in range(max(self._highest + 1, packet.seq - MOST_MISSING), packet.seq):
                self._missing[seq] = [packet.arrival_ms, packet.arrival_ms, ASK_FIRST_MS]
            self._highest = packet.seq
            for seq in list(islice(self._missing, max(0, len(self._missing) - MOST_MISSING))):
                del self._missing[seq]  # of leap upon leap the oldest are given up

    def _begin_anew(self, packet: Packet) -> Packet:
        """Number this packet, and those to come, behind all there were; with a loss between, since we cannot know."""
        self._stray_next = None
        self._missing.clear()
        shift = self._highest + 2 - packet.seq
        self._shift += shift
        self._highest += 1
        return packet._replace(seq=packet.seq + shift)

    def pass_on(self, packet: Packet) -> list[tuple[Packet, int]]:
        """Take one in and hand on what it completes: the same as `add` and `take`, short where nothing is missing."""
        if packet.seq + self._shift != self._next or self._waiting:
            self.add(packet)
            return self.take(packet.arrival_ms)
        # With nothing waiting all before this one was handed on, or given up.
        self.received += 1
        self._highest = self._next
        self._next += 1
        lost, self._lost_before_next = self._lost_before_next, 0
        return [(packet, lost)]

    def take(self, now_ms: int) -> list[tuple[Packet, int]]:
        """(packet, packets lost just before it), in order, up to a hole that may still be filled."""
        taken: list[tuple[Packet, int]] = []
        while self._waiting:
            assert self._next is not None
            packet = self._waiting.pop(self._next, None)
            if packet is None and not self._give_up(self._next, now_ms):
                break
            if packet is not None:
                taken.append((packet, self._lost_before_next))
                self._lost_before_next = 0
                self._next += 1
        return taken

    def _give_up(self, seq: int, now_ms: int) -> bool:
        """Skip a hole whose time is over. False while there is hope."""
        missed = self._missing.get(seq)
        # A clock that was set back must not hold everything up until it is there again.
        hope = missed is not None and abs(now_ms - missed[0]) < self._patience_ms
        if hope and len(self._waiting) < MOST_WAITING:
            return False
        # Never noted as missing: part of a jump too wide to be a hole.
        count = 1 if missed is not None else min(min(self._waiting), min(self._missing, default=1 << 62)) - seq
        self._missing.pop(seq, None)
        self._lost_before_next += count
        self.lost += count
        self._next = seq + count
        return True

    def drain(self) -> list[tuple[Packet, int]]:
        """Everything that is left, holes given up: the tail behind an open hole belongs to the recording too."""
        return self.take(1 << 62)

    def to_ask_for(self, now_ms: int) -> list[int]:
        """16-bit sequence numbers to ask for now, MOST_ASKED at a time: each soon, then ever more seldom."""
        if not self._missing:
            return []
        asked = []
        for seq, times in self._missing.items():
            if abs(now_ms - times[1]) >= times[2]:
                times[1], times[2] = now_ms, max(ASK_AGAIN_MS, int(times[2] * ASK_LATER))
                asked.append(seq - self._shift & 0xFFFF)
                if len(asked) == MOST_ASKED:
                    break
        return asked
