"""How often one may ask: a name for each limit, a rate for each name, a 429 with the time to wait.

Counted in this process by default; in Redis, for all processes and nodes together, by `LETTERBOX_LIMITS_STORAGE=redis://…`.
"""

import math
import time

from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from signaling import errors
from signaling.config import BadSetting, Settings

TITLES = {
    "rooms": "Too many rooms were made from this address",
    "joins": "Too many joins from this address",
    "sends": "Too many messages at once",
    "guesses": "Too many wrong keys from this address",
    "codes": "Too many wrong codes for this room",
    "passwords": "Too many passwords were tried at this link",
    "checks": "Too many connection checks from this address",
}


class Limits:
    """The rates of the settings (`30/hour`, `100/second`), applied to whoever asks."""

    def __init__(self, settings: Settings) -> None:
        self._limiter = MovingWindowRateLimiter(storage_from_string(settings.limits_storage))
        rates = {
            "rooms": settings.rooms_per_address, "joins": settings.joins_per_address,
            "sends": settings.sends_per_participant, "guesses": settings.guesses_per_address,
            "checks": settings.checks_per_address, "passwords": settings.passwords_per_share,
            "codes": settings.codes_per_address,
        }  # fmt: skip
        self._items = {name: _parse(name, rate) for name, rate in rates.items()}

    def spend(self, name: str, who: str) -> None:
        """Count one. Raises 429 too-often, with the seconds after which there is room again; nothing was done then."""
        item = self._items[name]
        if not self._limiter.hit(item, name, who):
            raise self._too_often(name, item, who)

    def check(self, name: str, who: str) -> None:
        """Refuse who has spent all, without counting. Raises 429 too-often."""
        item = self._items[name]
        if not self._limiter.test(item, name, who):
            raise self._too_often(name, item, who)

    def _too_often(self, name: str, item: RateLimitItem, who: str) -> errors.Problem:
        wait_s = max(1, math.ceil(self._limiter.get_window_stats(item, name, who).reset_time - time.time()))
        return errors.too_often(TITLES[name], str(item), wait_s)


def _parse(name: str, rate: str) -> RateLimitItem:
    try:
        return parse(rate)
    except ValueError as error:
        raise BadSetting(f"The rate {rate!r} for {name} cannot be used: write it like `30/hour` or `100/second`.") from error
