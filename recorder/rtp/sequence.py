"""RTP counts sequence numbers with 16 bits and time with 32 (RFC 3550 section 5.1): here they go on without end."""


class Unwrapper:
    """Turns a counter that wraps into one that does not.

    A value within half the range of the last is taken to be near it, before or behind.
    """

    def __init__(self, bits: int) -> None:
        self._range = 1 << bits
        self._half = 1 << (bits - 1)
        self._last: int | None = None

    def unwrap(self, value: int) -> int:
        """The value on the endless scale. The first keeps its own number, one range up, so that none is ever negative."""
        if self._last is None:
            self._last = value + self._range
            return self._last
        step = (value - self._last) % self._range
        if step >= self._half:
            return self._last + step - self._range
        self._last += step
        return self._last
