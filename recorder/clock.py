"""The only reader of wall time above the transport."""

import time


def now_us() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000
