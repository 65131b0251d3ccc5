"""Packets over a bad link: all that came are handed on in order, each hole is waited for and asked for, and then given up."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.rtp.packets import (
    ASK_AGAIN_MS,
    ASK_FIRST_MS,
    MOST_ASKED,
    MOST_MISSING,
    MOST_WAITING,
    PATIENCE_MS,
    Packet,
    PacketBuffer,
)

BEGIN_MS = 1_795_470_000_000
FIRST = 70_000
ASKED_MS = BEGIN_MS + ASK_FIRST_MS


def packet(seq: int, at_ms: int = 0) -> Packet:
    return Packet(seq, seq * 960, False, b"x", BEGIN_MS + at_ms)


def numbers(taken: list[tuple[Packet, int]]) -> list[int]:
    return [one.seq for one, _ in taken]


@given(
    st.sets(st.integers(1, 150), max_size=40),
    st.lists(st.integers(1, 150), max_size=20),
    st.randoms(use_true_random=False),
    st.integers(1, 12),
)
@settings(max_examples=150, deadline=None)
def test_all_that_came_is_handed_on_once_in_order_and_the_rest_is_counted(
    lost: set[int], twice: list[int], chance: random.Random, disorder: int
) -> None:
    sent = [number for number in range(1, 151) if number not in lost]
    sent += [number for number in twice if number not in lost]
    sent.sort(key=lambda number: number + chance.uniform(0, disorder))
    buffer = PacketBuffer()

    taken = buffer.take(BEGIN_MS)
    for at_ms, number in enumerate([0, *sent]):
        buffer.add(packet(FIRST + number, at_ms))
        taken += buffer.take(BEGIN_MS + at_ms)
    taken += buffer.drain()

    assert numbers(taken) == [FIRST, *(FIRST + number for number in sorted(set(sent)))]
    for (before, _), (after, missing) in pairwise(taken):
        assert missing == after.seq - before.seq - 1
    assert buffer.received == len(taken)
    assert buffer.lost == sum(missing for _, missing in taken)


def test_a_hole_is_waited_for_as_long_as_promised_and_then_given_up() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST + 2):
        buffer.add(packet(seq))
    assert numbers(buffer.take(BEGIN_MS)) == [FIRST]
    assert buffer.take(BEGIN_MS + PATIENCE_MS - 1) == []
    assert buffer.take(BEGIN_MS + PATIENCE_MS) == [(packet(FIRST + 2), 1)]
    assert buffer.to_ask_for(BEGIN_MS + PATIENCE_MS) == [], "what was given up is not asked for again"


def test_what_is_repeated_in_time_fills_its_hole() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST + 2):
        buffer.add(packet(seq))
    buffer.add(packet(FIRST + 1, 900))
    assert [lost for _, lost in buffer.take(BEGIN_MS + 900)] == [0, 0, 0]


def test_a_packet_that_comes_after_its_hole_was_given_up_is_dropped() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST + 2):
        buffer.add(packet(seq))
    buffer.take(BEGIN_MS + PATIENCE_MS)
    buffer.add(packet(FIRST + 1, PATIENCE_MS + 1))
    assert buffer.take(BEGIN_MS + 2 * PATIENCE_MS) == []
    assert buffer.drain() == []


def test_a_hole_is_asked_for_soon_and_again_until_it_is_filled() -> None:
    buffer = PacketBuffer()
    for seq in (65_535, 65_538):
        buffer.add(packet(seq))
    assert buffer.to_ask_for(BEGIN_MS) == []
    assert buffer.to_ask_for(ASKED_MS) == [0, 1]
    assert buffer.to_ask_for(ASKED_MS + ASK_AGAIN_MS - 1) == []
    buffer.add(packet(65_536, ASK_FIRST_MS + ASK_AGAIN_MS))
    assert buffer.to_ask_for(ASKED_MS + ASK_AGAIN_MS) == [1]
    buffer.add(packet(65_537, ASK_FIRST_MS + ASK_AGAIN_MS))
    assert buffer.to_ask_for(ASKED_MS + 3 * ASK_AGAIN_MS) == []


def test_what_is_only_overtaken_is_not_asked_for() -> None:
    buffer = PacketBuffer()
    asked = []
    for at_ms, seq in enumerate([0, 3, 1, 2, 6, 5, 4, 7]):
        buffer.add(packet(FIRST + seq, at_ms * 5))
        asked += buffer.to_ask_for(BEGIN_MS + at_ms * 5)
    assert asked == []
    assert len(buffer.take(BEGIN_MS + 40)) == 8


def test_a_path_that_never_answers_is_asked_ever_more_seldom() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST + 2):
        buffer.add(packet(seq))
    asked_ms = [at_ms for at_ms in range(PATIENCE_MS) if buffer.to_ask_for(BEGIN_MS + at_ms)]
    assert 5 <= len(asked_ms) <= 7
    waits = [later - earlier for earlier, later in pairwise(asked_ms)]
    assert waits == sorted(waits)


def test_all_of_a_wide_hole_is_asked_for_though_one_request_holds_only_a_part() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST + 2 * MOST_ASKED + 1):
        buffer.add(packet(seq))
    first, second = buffer.to_ask_for(ASKED_MS), buffer.to_ask_for(ASKED_MS + 1)
    assert len(first) == len(second) == MOST_ASKED
    assert sorted(first + second) == [(FIRST + 1 + number) % 65_536 for number in range(2 * MOST_ASKED)]


def test_a_jump_forward_is_taken_as_lost_and_the_stream_goes_on() -> None:
    buffer = PacketBuffer()
    buffer.add(packet(FIRST))
    buffer.add(packet(FIRST + 30_000))
    taken = buffer.take(BEGIN_MS) + buffer.take(BEGIN_MS + PATIENCE_MS)
    assert numbers(taken) == [FIRST, FIRST + 30_000]
    assert taken[1][1] == 29_999


def test_a_sender_that_counts_anew_from_lower_down_is_heard_at_once() -> None:
    buffer = PacketBuffer()
    taken = []
    for at_ms, seq in enumerate([FIRST, FIRST + 1, *range(FIRST - 20_000, FIRST - 19_990)]):
        buffer.add(packet(seq, at_ms))
        taken += buffer.take(BEGIN_MS + at_ms)
    # The first of them may be a stray one (RFC 3550 appendix A.1): the second in a row proves the new count.
    assert [one.timestamp // 960 for one, _ in taken] == [FIRST, FIRST + 1, *range(FIRST - 19_999, FIRST - 19_990)]
    assert taken[2][1] > 0, "what lies between is a loss: a picture must begin anew"


def test_after_counting_anew_holes_are_asked_for_by_the_new_numbers() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST + 5, FIRST - 20_000, FIRST - 19_999, FIRST - 19_996):
        buffer.add(packet(seq))
    assert buffer.to_ask_for(ASKED_MS) == [(FIRST - 19_998) % 65_536, (FIRST - 19_997) % 65_536]
    buffer.add(packet(FIRST - 19_998))
    buffer.add(packet(FIRST - 19_997))
    assert [one.timestamp // 960 for one, _ in buffer.take(BEGIN_MS)][-4:] == list(range(FIRST - 19_999, FIRST - 19_995))


def test_one_stray_old_packet_changes_nothing() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST - 20_000, FIRST + 1, FIRST - 15_000, FIRST + 2):
        buffer.add(packet(seq))
    assert buffer.take(BEGIN_MS) == [(packet(FIRST + number), 0) for number in range(3)]


def test_a_clock_that_is_set_back_does_not_hold_the_stream_up() -> None:
    buffer = PacketBuffer()
    for seq in (FIRST, FIRST + 2):
        buffer.add(packet(seq))
    buffer.take(BEGIN_MS)
    assert numbers(buffer.take(BEGIN_MS - 3_600_000)) == [FIRST + 2]


def test_a_sender_that_leaps_all_the_time_costs_no_more_memory_than_allowed() -> None:
    buffer = PacketBuffer()
    for number in range(50):
        buffer.add(packet(FIRST + number * 20_000))
        assert buffer.missing <= MOST_MISSING
    assert numbers(buffer.drain()) == [FIRST + number * 20_000 for number in range(50)]


def test_an_open_hole_costs_no_more_memory_than_allowed() -> None:
    buffer = PacketBuffer()
    buffer.add(packet(FIRST))
    taken = []
    for seq in range(FIRST + 2, FIRST + 2 + MOST_WAITING + 10):
        buffer.add(packet(seq))  # all in one instant: patience never ends
        taken += buffer.take(BEGIN_MS)
        assert buffer.waiting <= MOST_WAITING
    assert numbers(taken + buffer.drain()) == [FIRST, *range(FIRST + 2, FIRST + 2 + MOST_WAITING + 10)]


@given(st.lists(st.integers(0, 1 << 17), min_size=1, max_size=120))
@settings(deadline=None)
def test_any_numbers_at_all_come_out_in_order_and_without_error(sequence: list[int]) -> None:
    buffer = PacketBuffer()
    taken = []
    for at_ms, seq in enumerate(sequence):
        buffer.add(packet(seq, at_ms))
        taken += buffer.take(BEGIN_MS + at_ms)
        assert all(0 <= number < 65_536 for number in buffer.to_ask_for(BEGIN_MS + at_ms))
    taken += buffer.drain()
    assert buffer.waiting == buffer.missing == 0
    assert numbers(taken) == sorted(set(numbers(taken)))
    assert all(lost >= 0 for _, lost in taken)
