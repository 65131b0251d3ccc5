"""How often one may ask: a name for each limit, a rate for each name, a 429 with the time to wait.

Counted by all processes and nodes together in Redis (`LETTERBOX_LIMITS_STORAGE=redis://…`), else in PostgreSQL where that is the
database, else by each process in its memory. Where the storage is away each process counts for itself, and nobody is refused
for that.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, MovingWindowSupport, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter

from signaling import errors
from signaling.config import Settings, read_rate

log = logging.getLogger(__name__)

TITLES = {
    "calls": "Too many requests from this address",
    "room_calls": "Too many requests about this room",
    "token_calls": "Too many requests with this token",
    "rooms": "Too many rooms were made from this address",
    "joins": "Too many joins from this address",
    "guesses": "Too many wrong tokens from this address",
    "keys": "Too many wrong keys from this address",
    "codes": "Too many wrong codes for this room",
    "room_codes": "Too many wrong codes for this room",
    "passwords": "Too many passwords were tried at this link",
    "checks": "Too many connection checks from this address",
}
# So many are counted of these that not each is remembered with its time.
COUNTED = ("calls", "room_calls", "token_calls")


class Limits:
    """The rates of the settings (`30/hour`, `100/second`), applied to whoever asks. shared: where nodes count together."""

    def __init__(self, settings: Settings, shared: Storage | None = None) -> None:
        if settings.limits_storage:
            shared = storage_from_string(settings.limits_storage, wrap_exceptions=True)  # type: ignore[assignment]
        self._limiters = _limiters(shared or MemoryStorage())
        self._alone = _limiters(MemoryStorage())
        rates = {
            "calls": settings.calls_per_address, "room_calls": settings.calls_per_room, "token_calls": settings.calls_per_token,
            "rooms": settings.rooms_per_address, "joins": settings.joins_per_address, "guesses": settings.guesses_per_address,
            "keys": settings.keys_per_address, "checks": settings.checks_per_address,
            "passwords": settings.passwords_per_share, "codes": settings.codes_per_address, "room_codes": settings.codes_per_room,
        }  # fmt: skip
        self._items = {name: parse(read_rate(rate)) for name, rate in rates.items()}

    def spend(self, name: str, who: str) -> None:
        """Count one. Raises 429 too-often, with the seconds after which there is room again; nothing was done then."""
        item = self._items[name]
        if not self._ask(name, lambda limiter: limiter.hit(item, name, who)):
            raise self._too_often(name, item, who)

    def check(self, name: str, who: str) -> None:
        """Refuse who has spent all, without counting. Raises 429 too-often."""
        item = self._items[name]
        if not self._ask(name, lambda limiter: limiter.test(item, name, who)):
            raise self._too_often(name, item, who)

    def _ask(self, name: str, question: Callable[[RateLimiter], Any]) -> Any:
        number = int(name in COUNTED)
        try:
            return question(self._limiters[number])
        except StorageError as error:
            log.warning("rates are counted by this process alone: %s", type(error.storage_error).__name__)
            return question(self._alone[number])

    def _too_often(self, name: str, item: RateLimitItem, who: str) -> errors.Problem:
        reset_s = self._ask(name, lambda limiter: limiter.get_window_stats(item, name, who).reset_time)
        return errors.too_often(TITLES[name], str(item), max(1, math.ceil(reset_s - time.time())))


def _limiters(storage: Storage) -> tuple[RateLimiter, RateLimiter]:
    """One that remembers each time, and one that counts."""
    counting = FixedWindowRateLimiter(storage)
    return (MovingWindowRateLimiter(storage) if isinstance(storage, MovingWindowSupport) else counting), counting
