"""Whether another recording fits."""

import pytest

from recorder.capacity import BUDGET, Capacity
from recorder.watch import SOUND_ONLY_BYTES

PLENTY = 1 << 40


class Clocks:
    """A process that uses so much of a core."""

    def __init__(self, most: int = 10) -> None:
        self.cpu_s = self.now_s = 0.0
        self.capacity = Capacity(most, lambda: self.cpu_s, lambda: self.now_s)

    def run(self, of_a_core: float, people: int) -> None:
        for _ in range(30):
            self.now_s += 2
            self.cpu_s += 2 * of_a_core
            self.capacity.measure(people)

    def refusal(self, running: int = 1, expected: int = 0, people: int = 2, free: int = PLENTY, written: int = 0) -> str | None:
        return self.capacity.refusal(running, expected, people, free, written)


def test_who_has_nothing_to_do_takes_any():
    assert Clocks().refusal(running=0, people=100) is None


def test_what_a_person_costs_is_measured():
    clocks = Clocks()

    clocks.run(0.3, people=10)

    assert clocks.capacity.cost == pytest.approx(0.03, rel=0.05)


def test_one_more_is_taken_until_the_core_is_used_up():
    clocks = Clocks(most=100)
    clocks.run(0.5, people=10)

    assert clocks.refusal(people=4) is None
    assert clocks.refusal(people=6) == "busy"


def test_who_is_in_a_room_and_does_not_send_yet_is_expected_to():
    clocks = Clocks(most=100)
    clocks.run(0.5, people=10)

    assert clocks.refusal(people=2, expected=4) == "busy"


def test_a_cheaper_stream_lets_more_in():
    clocks = Clocks(most=100)
    clocks.run(0.1, people=20)

    assert clocks.refusal(people=int((BUDGET - 0.1) / 0.005) - 2) is None


def test_the_admin_s_limit_holds_whatever_is_measured():
    assert Clocks(most=3).refusal(running=3) == "busy"


def test_a_disk_that_is_nearly_full_takes_none():
    assert Clocks().refusal(running=0, free=SOUND_ONLY_BYTES - 1) == "disk"
    assert Clocks().refusal(running=1, free=SOUND_ONLY_BYTES + 10, written=11) == "disk"
