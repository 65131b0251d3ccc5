"""The only reader of time on the server."""

import time


def now_ms() -> int:
    """Wall time as Unix milliseconds: what is stored and sent."""
    return time.time_ns() // 1_000_000


def monotonic_s() -> float:
    """Seconds that only go forward: for waiting and patience, never stored."""
    return time.monotonic()
