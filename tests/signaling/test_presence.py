"""Who is here: leaving, vanishing, coming back; workers that die, restart, are told to stop; databases that go away."""

import os
import signal
import time

import pytest
from people import Cast, Person, eventually

from signaling import presence

WORKERS = 2


def test_leaving_by_beacon_is_seen_within_a_second(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings()))
    waiting = cast.alice.waits()
    cast.bob.leave()
    assert waiting.result(1)["messages"][0]["body"] == {"participant": cast.bob.id, "reason": "left"}


def test_leaving_answers_ones_own_parked_poll(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings()))
    waiting = cast.bob.waits()
    cast.bob.leave()
    assert waiting.result(1).status == 410


def test_leaving_is_seen_from_another_process(databases, open_house) -> None:
    here = databases.settings()
    left, right = open_house(here), open_house(here)
    cast = Cast(left)
    waiting = cast.alice.waits()
    other_tab = Person(left, cast.bob.joined).waits()
    Person(right, cast.bob.joined).leave()
    assert waiting.result(1)["messages"][0]["kind"] == "left"
    assert other_tab.result(1).status == 410


def test_vanished_participant_is_told_once_after_the_grace_time(databases, open_house) -> None:
    here = databases.settings(grace_s=1, wait_s=1)
    left, right = open_house(here), open_house(here)
    cast = Cast(left)
    Person(right, cast.bob.joined).hear()
    began = time.monotonic()
    assert cast.alice.hears("left", 5) == {"participant": cast.bob.id, "reason": "vanished"}
    assert time.monotonic() - began < 4
    assert [m for m in cast.alice.hear(1) if m["kind"] == "left"] == []
    assert cast.bob.ask().status == 410


def test_who_polls_is_present_however_short_the_grace_time(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(grace_s=1, wait_s=1)))
    until = time.monotonic() + 3
    while time.monotonic() < until:
        cast.alice.hear(1), cast.bob.hear(0)
    assert [m["kind"] for m in cast.alice.got] == ["joined"]


def test_parked_participant_is_present(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(grace_s=1)))
    bob = cast.bob.waits(5)
    assert cast.alice.hears  # Alice listens, Bob is parked for longer than the grace time
    heard = cast.alice.waits(3).result(5)
    assert heard["messages"] == []
    assert not bob.done()


def test_blink_shorter_than_the_grace_time_loses_nothing(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(grace_s=20)))
    cast.bob.hear()
    for i in range(10):
        cast.alice.say(cast.bob, {"i": i})
    assert [body["i"] for _, body in cast.bob.is_told()] == list(range(10))
    assert [m["kind"] for m in cast.alice.hear()] == []


def test_participants_of_a_process_that_was_killed_are_adopted_and_not_thrown_out(databases, open_house) -> None:
    here = databases.settings(grace_s=3, wait_s=1)
    left = open_house(here)
    cast = Cast(left)
    cast.bob.hear(), cast.alice.hear()
    cast.alice.say(cast.bob, {"i": 1})
    left.kill()
    right = open_house(here)
    alice, bob = Person(right, cast.alice.joined, n=1, after=cast.alice.after), Person(right, cast.bob.joined)
    assert bob.hears("note") == {"i": 1}
    assert alice.say(bob, {"i": 2}).status == 200
    assert bob.hears("note") == {"i": 2}
    assert [m["kind"] for m in alice.hear(1)] == []


def test_who_never_comes_back_after_a_kill_is_told_as_vanished(databases, open_house, monkeypatch) -> None:
    here = databases.settings(grace_s=1, wait_s=1)
    left, right = open_house(here), open_house(here)
    cast = Cast(left)
    alice = Person(right, cast.alice.joined, after=cast.alice.after)
    alice.hear()
    left.kill()
    for _ in range(2):  # on PostgreSQL a process must be missed twice
        presence.adopt_orphans(right.server)
    assert alice.hears("left", 5) == {"participant": cast.bob.id, "reason": "vanished"}


def test_poll_that_is_taken_over_in_another_process_is_told_replaced(databases, open_house) -> None:
    here = databases.settings()
    left, right = open_house(here), open_house(here)
    cast = Cast(left)
    older = cast.bob.waits()
    eventually(lambda: left.server.mailboxes._clock() - left.server.mailboxes._boxes[cast.bob.id].parked_at_s > 0.3)
    newer = Person(right, cast.bob.joined).waits()
    refused = older.result(2)
    assert (refused.status, refused["type"]) == (409, "/problems/replaced")
    assert not newer.done()


def test_client_that_wanders_between_processes_is_never_sent_away(databases, open_house) -> None:
    """Each poll lands on whichever process accepted its connection: none of them may tell the only tab to stop."""
    here = databases.settings(wait_s=1)
    doors = [open_house(here), open_house(here)]
    cast = Cast(doors[0])
    for i in range(30):
        bob = cast.bob
        bob.door = doors[i % 2]
        cast.alice.door = doors[i // 2 % 2]
        waiting = bob.waits(1)
        assert cast.alice.say(bob, {"i": i}).status == 200
        answer = waiting.result(3)
        assert answer.status == 200, answer
        bob.after += len(answer["messages"])
        while bob.after <= i:
            bob.hear(1)
    assert bob.after == 30


# -- real servers ----------------------------------------------------------------------------------------------------------


def test_killed_worker_costs_nobody_a_message(databases, serve) -> None:
    server = serve(databases.settings(wait_s=3), workers=WORKERS)
    cast = Cast(server)
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
        draft = cast.alice.draft(cast.bob, body={"pid": pid})
        assert patiently(lambda draft=draft: cast.alice.send([draft])).status == 200
    patiently(lambda: cast.bob.ask(0))
    heard = [m["body"]["pid"] for m in hear_all(cast.bob, 2) if m["kind"] == "note"]
    assert len(heard) == len(set(heard)) == 2
    assert [m["kind"] for m in cast.alice.got] == ["joined"]


def hear_all(person: Person, wanted: int) -> list[dict]:
    eventually(
        lambda: patiently(lambda: person.ask(0)).status == 200 and person.hear(0) is not None and len(person.got) >= wanted
    )
    return person.got


def patiently(call):
    """As a client does: again after a transport error."""
    import httpx

    def once():
        try:
            return call()
        except httpx.TransportError:
            return None

    return eventually(once)


def test_parked_polls_are_answered_at_once_when_the_server_is_told_to_stop(sqlite, serve) -> None:
    server = serve(sqlite.settings(), workers=1)
    cast = Cast(server)
    polls = [cast.alice.waits(), cast.bob.waits()]
    time_to_park(cast)
    server.signal(signal.SIGTERM)
    # Long before their own time is over: they asked for 20 s.
    answers = [poll.result(8) for poll in polls]
    assert [(a.status, a["messages"], a["reconnect"]) for a in answers] == [(200, [], True)] * 2
    assert server.process.wait(8) == 0


def time_to_park(cast: Cast) -> None:
    """Until the server counts both polls as parked: a message to a third person goes through after them."""
    dora = cast.charlie
    for _ in range(3):
        dora.hear(0)
    eventually(lambda: parked(cast) >= 2)


def parked(cast: Cast) -> float:
    found = cast.door.ask("GET", "/metrics")
    import re

    values = re.findall(rb"^letterbox_\w*parked\w*(?:\{[^}]*\})? ([\d.]+)$", found.content, re.M)
    return sum(float(value) for value in values)


def test_restart_of_the_whole_server_goes_unnoticed(databases, serve) -> None:
    here = databases.settings(wait_s=2)
    first = serve(here, workers=WORKERS)
    cast = Cast(first)
    cast.alice.say(cast.bob, {"i": 1})
    first.stop()
    second = serve(here, workers=WORKERS)
    for person in (cast.alice, cast.bob):
        person.door = second
    assert cast.bob.hears("note") == {"i": 1}
    assert cast.alice.say(cast.bob, {"i": 2}).status == 200
    assert cast.bob.hears("note") == {"i": 2}
    assert [m["kind"] for m in cast.alice.got + cast.alice.hear()] == ["joined"]


def test_message_crosses_from_worker_to_worker(databases, serve) -> None:
    server = serve(databases.settings(), workers=WORKERS)
    cast = Cast(server)
    for i in range(10):
        waiting = cast.bob.waits(5)
        assert cast.alice.say(cast.bob, {"i": i}).status == 200
        answer = waiting.result(4)
        assert [m["body"] for m in answer["messages"]] == [{"i": i}]
        cast.bob.after += 1


@pytest.mark.timeout(60)
def test_restarted_postgresql_loses_nothing_and_throws_nobody_out(postgresql, request, tmp_path, open_house) -> None:
    from conftest import Databases

    databases = Databases("postgresql", request, tmp_path)
    here = databases.settings(grace_s=8)
    left, right = open_house(here), open_house(here)
    cast = Cast(left)
    bob = Person(right, cast.bob.joined)
    assert cast.alice.say(bob, {"i": 1}).status == 200
    assert bob.hears("note") == {"i": 1}
    bob.ask(0, nonce="acknowledge")
    waiting = bob.waits(20)
    postgresql.stop("fast")
    draft = cast.alice.draft(bob, body={"i": 2})
    refused = cast.alice.send([draft])
    assert refused.status == 503
    assert refused.headers["Retry-After"]
    postgresql.start()
    eventually(lambda: cast.alice.send([draft]).status == 200)
    answer = waiting.result(13)
    assert answer.status == 200, "the only tab must not be sent away"
    while not any(m["body"] == {"i": 2} for m in bob.got):
        bob.hear(1)
    assert [m["kind"] for m in cast.alice.got + cast.alice.hear()] == ["joined"]
    left.close(), right.close()
    databases.drop()
