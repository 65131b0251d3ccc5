"""Counters that wrap go on without end."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.rtp.sequence import Unwrapper


@given(st.sampled_from([16, 32]), st.integers(0, 1 << 33), st.lists(st.integers(0, 30_000), max_size=60))
def test_a_count_that_wraps_keeps_every_step(bits: int, first: int, steps: list[int]) -> None:
    unwrapper, true = Unwrapper(bits), first
    before = unwrapper.unwrap(true % (1 << bits))
    for step in steps:
        true += step
        now = unwrapper.unwrap(true % (1 << bits))
        assert now - before == step
        before = now


@given(st.integers(0, 65_535), st.permutations(range(100)))
def test_order_on_the_way_does_not_change_the_number(first: int, order: list[int]) -> None:
    unwrapper = Unwrapper(16)
    base = unwrapper.unwrap(first)
    found = {number: unwrapper.unwrap((first + number) % 65_536) for number in order}
    assert found == {number: base + number for number in order}


@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=200))
def test_no_number_is_negative_and_all_keep_their_last_16_bits(values: list[int]) -> None:
    unwrapper = Unwrapper(16)
    for value in values:
        found = unwrapper.unwrap(value)
        assert found >= 0
        assert found % 65_536 == value
