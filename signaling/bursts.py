"""How often one may ask the two calls that everything waits for: counted here, in this process, in a fifth of a microsecond.

Each process counts for itself: asking another machine would take longer than the call.
"""

import math
from collections.abc import Callable

from limits import parse

from signaling import errors
from signaling.config import Settings, read_rate

TITLES = {
    "sends": "Too many messages at once",
    "polls": "Too many polls at once",
    "hot": "Too many requests at once from this address",
}
# Beyond it everything is counted anew: memory stays bounded whoever asks.
MOST = 200_000


class Burst:
    """One rate: a window of its own for each who asks, from the first time on."""

    def __init__(self, name: str, rate: str, now_s: Callable[[], float]) -> None:
        item = parse(read_rate(rate))
        self._name, self._rate, self._most, self._window_s = name, str(item), item.amount, item.get_expiry()
        self._now_s = now_s
        self._counts: dict[str, list[float]] = {}

    def spend(self, who: str) -> None:
        """Count one. Raises 429 too-often; nothing was done then."""
        now = self._now_s()
        count = self._counts.get(who)
        if count is None or now - count[0] >= self._window_s:
            if len(self._counts) >= MOST:
                self._counts.clear()
            self._counts[who] = [now, 1]
        elif count[1] >= self._most:
            wait_s = max(1, math.ceil(count[0] + self._window_s - now))
            raise errors.too_often(TITLES[self._name], self._rate, wait_s)
        else:
            count[1] += 1


class Bursts:
    """sends and polls of one participant, and all of these from one address."""

    def __init__(self, settings: Settings, now_s: Callable[[], float]) -> None:
        self.sends = Burst("sends", settings.sends_per_participant, now_s)
        self.polls = Burst("polls", settings.polls_per_participant, now_s)
        self.hot = Burst("hot", settings.messages_and_polls_per_address, now_s)
