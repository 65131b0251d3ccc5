"""When a recording that waits will begin."""

from hypothesis import given
from hypothesis import strategies as st

from signaling.library.queue import LEAST_S, left_s, starts_in_s

seconds = st.floats(0, 10_000)


def test_calls_that_lasted_longer_tell_how_much_longer_one_may_take():
    assert left_s(600, [300, 1200, 1800, 2400]) == 1200


def test_without_any_that_is_over_half_an_hour_is_the_guess():
    assert left_s(0, []) == 1800
    assert left_s(1500, []) == 1500


def test_the_next_begins_when_the_first_ends_and_the_second_when_the_second_does():
    lengths = [1000.0] * 5

    assert starts_in_s(1, [800, 100], lengths) == 200
    assert starts_in_s(2, [800, 100], lengths) == 900


def test_one_behind_more_than_run_waits_for_another_round():
    assert starts_in_s(2, [800], [1000.0]) == 1200


def test_while_none_runs_nobody_knows():
    assert starts_in_s(1, [], [1000]) is None


@given(st.integers(1, 50), st.lists(seconds, min_size=1), st.lists(seconds))
def test_who_is_further_back_never_begins_earlier(place, ages, lengths):
    earlier, later = starts_in_s(place, ages, lengths), starts_in_s(place + 1, ages, lengths)

    assert LEAST_S <= earlier <= later
