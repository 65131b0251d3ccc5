"""About when a recording that waits for a free recorder will begin. Pure.

How long a call lasts nobody knows: those that are over are the best guess. Of one that has run for ten minutes, the calls
that lasted longer than ten minutes tell how much longer it may take.
"""

import heapq
from collections.abc import Sequence
from statistics import median

# What a call lasts where none has ended yet, seconds.
USUAL_S = 1800
# Somebody has to be told something; and it is never said to be now.
LEAST_S = 60


def left_s(age_s: float, lengths_s: Sequence[float]) -> float:
    """How much longer one that has run for age_s may take. lengths_s: of recordings that are over."""
    longer = [length - age_s for length in lengths_s if length > age_s]
    # What has outlasted all others lasts as long again (Lindy's law).
    guess = median(longer) if longer else max(age_s, USUAL_S - age_s)
    return max(LEAST_S, guess)


def starts_in_s(place: int, ages_s: Sequence[float], lengths_s: Sequence[float]) -> int | None:
    """When the one at this place (1 is next) begins. ages_s: of those that run; None when none does: nobody can know."""
    if not ages_s:
        return None
    ends = [left_s(age, lengths_s) for age in ages_s]
    heapq.heapify(ends)
    for _ in range(place - 1):
        heapq.heapreplace(ends, ends[0] + left_s(0, lengths_s))
    return round(ends[0])
