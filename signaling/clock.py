"""The only reader of time on the server, and the only one who waits for it to pass."""

import time


def now_ms() -> int:
    """Wall time as Unix milliseconds: what is stored and sent."""
    return time.time_ns() // 1_000_000


def monotonic_s() -> float:
    """Seconds that only go forward: for waiting and patience, never stored."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Hold this thread."""
    time.sleep(seconds)
