"""Whether another recording fits: by what this process really uses of a core, and by the room on its disk.

One event loop takes in every packet, so one core is all there is; above BUDGET packets would wait in the sockets. What a person
costs is measured while there are any: it depends on machine, codec and bit rate.
"""

from collections.abc import Callable
from typing import Literal

from recorder.watch import room_on_disk

Why = Literal["busy", "disk"]

# Of one core, with room for bursts: key frames come at once from all when somebody joins.
BUDGET = 0.75
# Until measured: one 720p30 sender, of one core (bench/recorder).
USUAL_COST = 0.022
# How much of the newest measurement counts.
NEWEST = 0.3
# Few know when they come how many will follow.
AT_LEAST_PEOPLE = 2


class Capacity:
    """most: recordings at once, whatever is measured. cpu_s, now_s: clocks, seconds."""

    def __init__(self, most: int, cpu_s: Callable[[], float], now_s: Callable[[], float]) -> None:
        self._most, self._cpu_s, self._now_s = most, cpu_s, now_s
        self._before = (cpu_s(), now_s())
        self.used, self.cost = 0.0, USUAL_COST

    def measure(self, people: int) -> None:
        """Now and then, with how many are recorded at the moment."""
        cpu_s, now_s = self._cpu_s(), self._now_s()
        passed_s = now_s - self._before[1]
        if passed_s <= 0:
            return
        self.used += NEWEST * ((cpu_s - self._before[0]) / passed_s - self.used)
        self._before = (cpu_s, now_s)
        if people:
            self.cost += NEWEST * (self.used / people - self.cost)

    def refusal(self, running: int, expected: int, people: int, free_bytes: int, written_bytes: int) -> Why | None:
        """Why not. running: recordings now; expected: persons they may have who do not send yet; people: in the room that asks;
        written_bytes: of all that run, as each is written once more at its end."""
        if room_on_disk(free_bytes, written_bytes) != "enough":
            return "disk"
        more = max(people, AT_LEAST_PEOPLE) + expected
        if running >= self._most or (running > 0 and self.used + more * self.cost > BUDGET):
            return "busy"
        return None
