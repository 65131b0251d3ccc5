"""The relay of chunks by itself, on a clock turned by hand: nothing lost, nothing twice, nothing without bounds."""

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from post import CAMERA, DATA, KEY, MICROPHONE, Chunk, read, record

from signaling import errors
from signaling.chunks import ring, wire
from signaling.chunks.relay import LOST_S, Chunks, Limits

ROOMY = Limits(bytes_per_s=1e9, streams=50, rooms=10, bytes=1 << 30)


class Waiter:
    """A request without an answer yet."""

    nonce = ""

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.problem: errors.Problem | None = None

    def answer(self, body: bytes) -> None:
        assert self.body is None, "answered twice"
        self.body = body

    def refuse(self, problem: errors.Problem) -> None:
        self.problem = problem


class Stage:
    """One process. Everybody in one room, unless said otherwise."""

    def __init__(self, limits: Limits = ROOMY) -> None:
        self.now_s = 1000.0
        self.chunks = Chunks(limits, lambda: self.now_s)
        self._nonces = itertools.count(1)

    def ask(
        self, who: str, body: bytes = b"", want: str | None = None, wait_ms: int = 0, nonce: str = "", room: str = "r"
    ) -> Waiter:
        """A request; its answer may come later."""
        waiter = Waiter()
        self.chunks.admit(who, room)
        query = f"nonce={nonce or f'n{next(self._nonces)}'}&wait_ms={wait_ms}" + ("" if want is None else f"&want={want}")
        found = self.chunks.exchange(who, wire.asked(query), body, waiter)
        if found is not None:
            waiter.answer(found)
        return waiter

    def says(self, who: str, body: bytes = b"", want: str | None = None, **more: Any) -> tuple[dict[str, Any], list[Chunk]]:
        waiter = self.ask(who, body, want, **more)
        assert waiter.body is not None
        return read(waiter.body)

    def gets(self, who: str, want: str, **more: Any) -> list[int]:
        return [chunk.n for chunk in self.says(who, b"", want, **more)[1]]


# -- nothing lost, nothing twice -----------------------------------------------------------------------------------------------


class Receiver:
    """Asks with several requests at once; some answers never arrive, and are then asked for again under the same nonce."""

    def __init__(self, stage: Stage, stream: int) -> None:
        self.stage, self.stream = stage, stream
        self.under_way: list[tuple[str, Waiter]] = []
        self.got: list[int] = []
        self._nonces = itertools.count(1)

    @property
    def want(self) -> str:
        after = next(n for n in itertools.count(1) if n not in self.got) - 1
        return f"alice.{self.stream}.{after}"

    def asks(self) -> None:
        if len(self.under_way) < 3:
            self._ask(f"b{next(self._nonces)}")

    def _ask(self, nonce: str) -> None:
        self.under_way.append((nonce, self.stage.ask("bob", b"", self.want, wait_ms=60_000, nonce=nonce)))

    def hears(self, which: int, is_lost: bool) -> None:
        answered = [one for one in self.under_way if one[1].body is not None]
        if not answered:
            return
        one = answered[which % len(answered)]
        self.under_way.remove(one)
        if is_lost:
            self._ask(one[0])
        else:
            assert one[1].body is not None
            self.got += [chunk.n for chunk in read(one[1].body)[1]]


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from([MICROPHONE, DATA]),
    st.lists(
        st.one_of(
            st.tuples(st.just("post"), st.integers(0, 3)),
            st.tuples(st.just("again"), st.integers(0, 30)),
            st.tuples(st.just("ask"), st.just(0)),
            st.tuples(st.just("hear"), st.integers(0, 3)),
            st.tuples(st.just("lose"), st.integers(0, 3)),
        ),
        max_size=80,
    ),
)
def test_whatever_is_lost_repeated_or_overtaken_each_chunk_arrives_once(stream: int, story: list[tuple[str, int]]) -> None:
    stage = Stage()
    stage.says("alice")
    bob = Receiver(stage, stream)
    bob.asks()
    batches = [b"".join(record(stream, n, b"x" * n) for n in (2 * k + 1, 2 * k + 2)) for k in range(12)]
    waiting, posted = list(range(12)), []

    for what, which in story:
        stage.now_s += 0.005
        if what == "post" and waiting:
            posted.append(waiting.pop(min(which, len(waiting) - 1)))
            stage.says("alice", batches[posted[-1]])
        elif what == "again" and posted:
            stage.says("alice", batches[posted[which % len(posted)]])
        elif what == "ask":
            bob.asks()
        elif what in ("hear", "lose"):
            bob.hears(which, what == "lose")
    for batch in waiting:
        stage.says("alice", batches[batch])
    for _ in range(6):
        bob.asks()
        for _ in range(3):
            bob.hears(0, is_lost=False)

    assert sorted(bob.got) == list(range(1, 25)), "each once"


def test_an_answer_nobody_asks_for_again_is_handed_out_anew_after_a_while():
    stage = Stage()
    stage.says("bob", b"", "alice.4.0")
    stage.says("alice", record(DATA, 1, b"a") + record(DATA, 2, b"b"))
    assert stage.gets("bob", "alice.4.0") == [1, 2]

    stage.now_s += LOST_S / 2
    assert stage.gets("bob", "alice.4.0") == []
    stage.now_s += LOST_S / 2

    assert stage.gets("bob", "alice.4.1") == [2]


# -- slow and late -------------------------------------------------------------------------------------------------------------


def test_who_is_too_slow_is_told_what_is_gone_and_goes_on_with_a_key_frame():
    stage = Stage()
    stage.says("bob", b"", "alice.1.0")
    stage.says("alice", record(CAMERA, 1, b"", KEY))
    assert stage.gets("bob", "alice.1.0") == [1]
    for n in range(2, 100):
        stage.now_s += 0.05
        stage.says("alice", record(CAMERA, n, b"x"))

    control, chunks = stage.says("bob", b"", "alice.1.1")
    asked, _ = stage.says("alice")

    assert chunks == []
    assert control["skipped"] == {"alice.1": 38}
    assert asked["streams"]["1"] == {"wanted": True, "key": True}
    stage.says("alice", record(CAMERA, 100, b"", KEY) + record(CAMERA, 101, b"x"))
    control, chunks = stage.says("bob", b"", "alice.1.38")
    assert [chunk.n for chunk in chunks] == [100, 101]
    assert control["skipped"] == {"alice.1": 99}
    assert stage.says("bob", b"", "alice.1.101")[0]["skipped"] == {}


def test_a_newcomer_begins_at_a_fresh_key_frame_and_hears_from_now_on():
    stage = Stage()
    stage.says(
        "alice", record(MICROPHONE, 1, b"") + b"".join(record(CAMERA, n, b"", KEY if n in (1, 3) else 0) for n in range(1, 6))
    )

    assert stage.gets("bob", "alice.0.0,alice.1.0") == [3, 4, 5]

    stage.says("alice", record(MICROPHONE, 2, b""))
    assert stage.gets("bob", "alice.0.1,alice.1.5") == [2]


def test_a_key_frame_that_is_on_its_way_is_not_asked_for_again():
    stage = Stage()
    stage.says("bob", b"", "alice.1.0")
    stage.says("alice", record(CAMERA, 1, b"", KEY))

    stage.says("bob", b"", "alice.1.0k")
    assert stage.says("alice")[0]["streams"]["1"]["key"] is False

    stage.says("bob", b"", "alice.1.1k")
    assert stage.says("alice")[0]["streams"]["1"]["key"] is True


def test_sound_comes_before_pictures_when_not_all_fits():
    stage = Stage()
    stage.says("bob", b"", "alice.1.0,alice.0.0")
    stage.says("alice", record(CAMERA, 1, b"x" * 150_000, KEY))
    stage.says("alice", record(CAMERA, 2, b"x" * 150_000))
    stage.says("alice", record(MICROPHONE, 1, b"packet"))

    _, chunks = stage.says("bob", b"", "alice.1.0,alice.0.0")

    assert [(chunk.stream, chunk.n) for chunk in chunks] == [(MICROPHONE, 1), (CAMERA, 1)]
    assert stage.gets("bob", "alice.1.1,alice.0.1") == [2]


# -- held requests -------------------------------------------------------------------------------------------------------------


def test_a_fourth_request_has_the_oldest_answered():
    stage = Stage()
    held = [stage.ask("bob", b"", "", wait_ms=9000) for _ in range(4)]

    assert [waiter.body is not None for waiter in held] == [True, False, False, False]
    assert stage.chunks.parked == 3


def test_the_request_that_waited_longest_is_answered_first_and_each_by_its_time():
    stage = Stage()
    first = stage.ask("bob", b"", "alice.0.0", wait_ms=1000)
    second = stage.ask("bob", b"", "alice.0.0", wait_ms=3000)
    stage.says("alice", record(MICROPHONE, 1, b""))
    assert first.body is not None
    assert second.body is None

    stage.now_s += 3.0
    assert stage.chunks.expire() is None

    assert read(second.body or b"")[1] == []


def test_a_sender_that_waits_hears_at_once_that_it_is_wanted_and_how_much_gets_through():
    stage = Stage()
    alice = stage.ask("alice", b"", "", wait_ms=9000)
    stage.says("bob", b"", "alice.1.0.400")
    assert read(alice.body or b"")[0]["streams"] == {"1": {"wanted": True, "key": True, "kbit": 400}}

    alice = stage.ask("alice", b"", "", wait_ms=9000)
    stage.says("cleo", b"", "alice.1.0.250")
    assert read(alice.body or b"")[0]["streams"]["1"]["kbit"] == 250

    alice = stage.ask("alice", b"", "", wait_ms=60_000)
    stage.now_s += 6
    stage.chunks.sweep()
    assert read(alice.body or b"")[0]["streams"]["1"] == {"wanted": False, "key": False}


def test_whose_connection_broke_while_it_waited_misses_nothing():
    stage = Stage()
    waiter = stage.ask("bob", b"", "alice.0.0", wait_ms=9000)
    stage.chunks.hung_up("bob", waiter)

    stage.says("alice", record(MICROPHONE, 1, b""))

    assert waiter.body is None
    assert stage.gets("bob", "alice.0.0") == [1]


def test_who_leaves_gets_nothing_more_and_nothing_of_it_is_kept():
    stage = Stage()
    waiting = stage.ask("bob", b"", "alice.0.0", wait_ms=9000)
    stage.says("alice", record(MICROPHONE, 1, b"x" * 1000))
    again = stage.ask("bob", b"", "alice.0.1", wait_ms=9000)

    stage.chunks.forget("alice")
    stage.chunks.forget("bob")

    assert waiting.body is not None
    assert again.problem is not None
    assert again.problem.code == "participant-gone"
    assert (stage.chunks.bytes, stage.chunks._rooms, stage.chunks._members) == (0, {}, {})


# -- bounds --------------------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 100_000), st.floats(0, 2)), max_size=60))
def test_what_is_held_is_bounded_and_counted_and_gone_in_the_end(story: list[tuple[int, int, float]]) -> None:
    stage = Stage(ROOMY._replace(bytes=3_000_000))
    stage.says("bob", b"", ",".join(f"alice.{stream}.0" for stream in range(5)))
    for n, (stream, size, pause_s) in enumerate(story, 1):
        stage.now_s += pause_s
        with contextlib.suppress(errors.Problem):
            stage.says("alice", record(stream, n, b"x" * size, KEY))
        stage.chunks.sweep()
        held = [one for room in stage.chunks._rooms.values() for one in room.rings.values()]
        assert stage.chunks.bytes == sum(len(chunk.wire) for one in held for chunk in one.chunks) <= 3_000_000
        assert all(stage.now_s - chunk.at_s <= 3.0 for one in held if one.stream != DATA for chunk in one.chunks)

    stage.now_s += ring.DATA_S + 20
    stage.chunks.sweep()
    stage.chunks.sweep()

    assert (stage.chunks.bytes, stage.chunks._rooms, stage.chunks._members) == (0, {}, {})


def test_too_much_at_once_is_refused_and_nothing_of_it_taken_and_full_says_so_before():
    stage = Stage(ROOMY._replace(bytes_per_s=10_000))
    stage.says("bob", b"", "alice.0.0")
    control, _ = stage.says("alice", record(MICROPHONE, 1, b"x" * 15_000))
    assert control["full"] is True

    with pytest.raises(errors.Problem) as refused:
        stage.says("alice", record(MICROPHONE, 2, b"") + record(MICROPHONE, 3, b"x" * 6000))

    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (429, "chunks-too-fast", 1)
    assert stage.gets("bob", "alice.0.0") == [1]
    stage.now_s += 2
    assert stage.says("alice", record(MICROPHONE, 2, b""))[0]["full"] is False


def test_data_is_kept_until_all_who_want_it_have_it_and_no_more_is_taken_meanwhile():
    stage = Stage()
    for who in ("bob", "cleo"):
        stage.says(who, b"", "alice.4.0")
    sent = ring.MAX_DATA_BYTES // 100_100
    for n in range(1, sent + 1):
        stage.says("alice", record(DATA, n, b"x" * 100_000))
    with pytest.raises(errors.Problem, match="not been received"):
        stage.says("alice", record(DATA, sent + 1, b"x" * 100_000))
    stage.now_s += 10
    stage.chunks.sweep()
    got = stage.gets("bob", "alice.4.0")
    while got[-1] < sent:
        got += stage.gets("bob", f"alice.4.{got[-1]}")

    assert got == list(range(1, sent + 1))
    assert stage.says("alice")[0]["streams"]["4"]["acknowledged"] == 0
    stage.says("cleo", b"", "alice.4.3")
    stage.says("bob", b"", f"alice.4.{sent}")
    assert stage.says("alice", record(DATA, sent + 1, b"x" * 100_000))[0]["streams"]["4"]["acknowledged"] == 3


def test_rooms_and_streams_are_bounded():
    stage = Stage(ROOMY._replace(rooms=1, streams=2))
    stage.says("bob", b"", "alice.0.0,alice.1.0")

    with pytest.raises(errors.Problem, match="2 streams"):
        stage.says("bob", b"", "alice.0.0,alice.1.0,alice.2.0")
    with pytest.raises(errors.Problem, match="no room for another"):
        stage.says("dora", room="another")


# -- the wire ------------------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 255), st.integers(1, 2**32 - 1), st.binary(max_size=40))), st.data())
def test_a_body_is_read_as_it_was_written_and_a_broken_one_refused(
    written: list[tuple[int, int, int, bytes]], data: st.DataObject
) -> None:
    body = b"".join(record(stream, n, sealed, flags) for stream, flags, n, sealed in written)

    assert [(one.stream, one.flags, one.n, one.sealed) for one in wire.drafts(body)] == written
    if body:
        cut = body[: data.draw(st.integers(1, len(body))) - 1]
        with contextlib.suppress(errors.Problem):
            found = wire.drafts(cut)
            assert found == wire.drafts(body)[: len(found)]


@pytest.mark.parametrize(
    "query",
    ["want=a", "want=p1.5.0", "want=p1.0.0,", "wait_ms=-1", "after=1", "want=p1.0.0.x", "want=" + "p1.0.0," * 64 + "p1.0.0"],
)
def test_a_query_that_says_something_else_is_refused(query: str) -> None:
    with pytest.raises(errors.Problem) as refused:
        wire.asked(query)
    assert refused.value.status == 422


def test_what_is_wanted_is_read_as_it_is_written() -> None:
    found = wire.asked("want=p1.1.77k.400%2Cp2.0.3&nonce=a-1&wait_ms=2000")

    assert (found.nonce, found.wait_ms) == ("a-1", 2000)
    assert found.wishes == (wire.Wish("p1", 1, 77, True, 400), wire.Wish("p2", 0, 3, False, 0))
    assert wire.asked("").wishes is None
    assert wire.asked("want=").wishes == ()
