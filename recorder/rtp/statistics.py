"""What the sender is told of its stream in a receiver report (RFC 3550 section 6.4.1 and appendix A.3, A.8)."""

MOST_LOST = (1 << 23) - 1


class Statistics:
    """add(seq, timestamp, arrival_ms): seq unwrapped; each packet as it first came, none that was sent again."""

    def __init__(self, clock_hz: int) -> None:
        self._ticks_per_ms = clock_hz / 1000
        self._first: int | None = None
        self._transit = 0.0
        self._timestamp: int | None = None
        self._expected_before = self._received_before = 0
        self.highest = 0
        self.received = 0
        self._jitter = 0.0

    def add(self, seq: int, timestamp: int, arrival_ms: int) -> None:
        self.received += 1
        if self._first is None:
            self._first = self.highest = seq
        elif seq > self.highest:
            self.highest = seq
        if timestamp != self._timestamp:
            transit = arrival_ms * self._ticks_per_ms - timestamp
            if self._timestamp is not None:
                self._jitter += (abs(transit - self._transit) - self._jitter) / 16
            self._timestamp, self._transit = timestamp, transit

    @property
    def expected(self) -> int:
        return 0 if self._first is None else max(0, self.highest - self._first + 1)

    @property
    def lost(self) -> int:
        return max(-MOST_LOST, min(MOST_LOST, self.expected - self.received))

    @property
    def jitter(self) -> int:
        """In ticks of the stream's clock."""
        return min(int(self._jitter), 0xFFFFFFFF)

    def fraction_lost(self) -> int:
        """In 256ths, since this was last asked."""
        expected, received = self.expected - self._expected_before, self.received - self._received_before
        self._expected_before, self._received_before = self.expected, self.received
        return min(255, max(0, expected - received) * 256 // expected) if expected > 0 else 0
