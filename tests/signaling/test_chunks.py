"""Media over plain HTTP through the server's own door."""

import pytest
from people import Cast, eventually
from post import CAMERA, KEY, MICROPHONE, Post, record


@pytest.fixture
def stage(sqlite, open_house) -> Cast:
    return Cast(open_house(sqlite.settings()))


@pytest.fixture
def pair(stage) -> tuple[Post, Post]:
    return Post(stage.alice), Post(stage.bob)


def test_what_one_sends_another_who_wants_it_gets(pair):
    alice, bob = pair
    bob.calls(want=f"{alice.id}.0.0,{alice.id}.1.0")

    alice.calls(record(MICROPHONE, 1, b"a packet") + record(CAMERA, 1, b"a picture", KEY))

    assert [(one.stream, one.n, one.sealed) for one in bob.calls(want=f"{alice.id}.0.0,{alice.id}.1.0")] == [
        (MICROPHONE, 1, b"a packet"), (CAMERA, 1, b"a picture"),
    ]  # fmt: skip
    assert bob.calls(want=f"{alice.id}.0.1,{alice.id}.1.1") == []


def test_a_held_request_is_answered_when_something_comes(pair, stage):
    alice, bob = pair
    waiting = bob.waits(f"{alice.id}.0.0")
    eventually(lambda: stage.door.server.chunks.parked == 1)

    alice.sends(MICROPHONE, 1, b"a packet")

    assert [one.sealed for one in waiting.result(timeout=10)] == [b"a packet"]


def test_a_sender_hears_that_somebody_wants_its_picture_and_asks_for_a_key_frame(pair, stage):
    alice, bob = pair
    waiting = alice.waits()
    eventually(lambda: stage.door.server.chunks.parked == 1)

    bob.calls(want=f"{alice.id}.1.0.300")
    waiting.result(timeout=10)

    assert alice.control["streams"]["1"] == {"wanted": True, "key": True, "kbit": 300}
    alice.sends(CAMERA, 1, flags=KEY)
    assert alice.control["streams"]["1"]["key"] is False


def test_a_repeated_request_gets_the_same_again_and_a_repeated_post_changes_nothing(pair):
    alice, bob = pair
    bob.calls(want=f"{alice.id}.0.0")
    for _ in range(2):
        alice.calls(record(MICROPHONE, 1, b"once"), nonce="x")

    first = bob.calls(want=f"{alice.id}.0.0", nonce="lost")
    again = bob.calls(want=f"{alice.id}.0.0", nonce="lost")

    assert [one.sealed for one in first] == [b"once"]
    assert again == first


# -- a real worker -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worker", ["signaling.worker.ParkingWorker", "gthread"])
def test_both_workers_hold_a_request_and_answer_it_with_what_comes(sqlite, serve, worker):
    cast = Cast(serve(sqlite.settings(), LETTERBOX_WORKER_CLASS=worker))
    alice, bob = Post(cast.alice), Post(cast.bob)
    bob.calls(want=f"{alice.id}.1.0")
    waiting = bob.waits(f"{alice.id}.1.0")

    for n in range(1, 30):
        alice.calls(record(CAMERA, n, bytes([n]) * 9_000, KEY if n == 1 else 0))
    waiting.result(timeout=10)
    bob.calls(want=f"{alice.id}.1.0")

    assert [one.n for one in bob.got] == list(range(1, 30))
    assert all(one.sealed == bytes([one.n]) * 9_000 for one in bob.got)
