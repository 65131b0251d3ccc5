"""Media over plain HTTP through the server's own door."""

import pytest
from people import Cast, Person, eventually
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


def test_only_who_is_in_the_room_is_served(stage, sqlite, open_house):
    alice, charlie = Post(stage.alice), Post(stage.charlie)
    alice.calls(want=f"{charlie.id}.0.0")
    charlie.sends(MICROPHONE, 1)
    assert alice.calls(want=f"{charlie.id}.0.0") == [], "Charlie is in another room"

    stage.door.post(f"rooms/{stage.room}/settings", {"lobby": True}, stage.host_key)
    knocked = stage.door.post(f"rooms/{stage.room}/participants", {"name": "Dora"})
    assert knocked.status == 202
    assert Post(Person(stage.door, knocked)).ask(want="")["type"] == "/problems/still-waiting"

    bob = Post(stage.bob)
    bob.calls(want="")
    stage.door.post(f"rooms/{stage.room}/participants/{bob.id}/remove", {}, stage.host_key)
    assert bob.ask(want="")["type"] == "/problems/participant-gone"
    assert alice.person.door.post("chunks", None, "pt_wrong").status == 401

    off = Cast(open_house(sqlite.settings(http_media=False)))
    assert Post(off.alice).ask(want="")["type"] == "/problems/no-http-media"
    assert (off.alice.joined["http_media"], stage.alice.joined["http_media"]) == (False, True)


def test_what_is_wrong_is_refused_and_nothing_of_it_taken(pair, stage):
    alice, bob = pair
    bob.calls(want=f"{alice.id}.0.0")
    whole = record(MICROPHONE, 1, b"packet")

    tries = [alice.ask(whole + b"x"), alice.ask(record(9, 1, b"")), alice.ask(whole * 20_000), alice.ask(want="nonsense")]

    assert [reply.status for reply in tries] == [422, 422, 413, 422]
    assert all(reply["type"] for reply in tries)
    assert bob.calls(want=f"{alice.id}.0.0") == []


def test_a_call_that_does_not_need_it_sends_no_media_through_the_server(sqlite, serve):
    cast = Cast(serve(sqlite.settings()))
    cast.alice.say(cast.bob, {"sdp": "v=0"}, "offer")
    cast.bob.hear()

    def figures() -> dict[str, float]:
        lines = cast.door.get("/metrics").content.decode().splitlines()
        found = [line.rpartition(" ") for line in lines if "chunk" in line and line[0] != "#"]
        return {name: float(value) for name, _, value in found}

    before = figures()
    assert before["letterbox_chunk_bytes_in_total"] == before["letterbox_chunk_bytes_out_total"] == 0
    assert sum(before.values()) == 0

    alice, bob = Post(cast.alice), Post(cast.bob)
    bob.calls(want=f"{alice.id}.0.0")
    alice.sends(MICROPHONE, 1, b"x" * 5_000)
    bob.calls(want=f"{alice.id}.0.0")

    after = figures()
    assert after["letterbox_chunk_bytes_in_total"] >= 5_000
    assert after["letterbox_chunk_bytes_out_total"] >= 5_000
    assert after["letterbox_chunk_rings"] == 1


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
    # An answer is short enough for a narrow road: it takes more than one.
    while bob.calls(want=f"{alice.id}.1.0"):
        pass

    assert [one.n for one in bob.got] == list(range(1, 30))
    assert all(one.sealed == bytes([one.n]) * 9_000 for one in bob.got)
