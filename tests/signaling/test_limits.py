"""How often and how much: each limit has its own clear refusal, says when to come again, and nothing was done."""

import pytest

from signaling import mailbox
from tests import people


@pytest.fixture
def house_with(databases, open_house):
    def make(**limits: object) -> people.House:
        return open_house(databases.settings(**limits))

    return make


def test_who_makes_too_many_rooms_is_told_when_to_come_again(house_with):
    house = house_with(rooms_per_address="2/hour")
    made = [house.post("rooms", {"title": "x"}) for _ in range(3)]

    assert [reply.status for reply in made] == [201, 201, 429]
    assert made[2]["type"] == "/problems/too-often"
    assert 1 <= int(made[2].headers["Retry-After"]) <= 3600


def test_who_sends_too_often_is_refused_and_the_same_numbers_are_taken_later(house_with):
    house = house_with(sends_per_participant="3/2 second")
    room, _ = house.room()
    alice, bob = house.join(room, "Alice"), house.join(room, "Bob")
    note = {"to": bob.id, "kind": "note", "body": {}}
    replies = [alice.send([{"n": n, **note}]) for n in (1, 2, 3, 4)]

    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert int(replies[3].headers["Retry-After"]) >= 1
    people.eventually(lambda: alice.send([{"n": 4, **note}]).status == 200)
    assert [body for kind, body in bob.is_told() if kind == "note"] == [{}] * 4


def test_who_guesses_keys_is_locked_out_and_others_are_not_believed_either_until_then(house_with):
    house = house_with(guesses_per_address="3/minute")

    replies = [house.get("mailbox?after=0", token=f"pt_guess{n}") for n in range(5)]

    assert [reply.status for reply in replies] == [401, 401, 401, 429, 429]


def test_a_mailbox_that_is_full_refuses_the_sender_and_has_room_again_when_it_was_read(house_with):
    house = house_with(max_mailbox=5)
    room, _ = house.room()
    alice, bob = house.join(room, "Alice"), house.join(room, "Bob")
    replies = [alice.say(bob, {"n": n}) for n in range(6)]

    assert [reply.status for reply in replies] == [200, 200, 200, 200, 200, 429]
    assert replies[5]["type"] == "/problems/mailbox-full"
    assert int(replies[5].headers["Retry-After"]) >= 1
    bob.hear()
    bob.ask()
    again = [{"n": 6, "to": bob.id, "kind": "note", "body": {"n": 5}}]
    assert people.eventually(lambda: alice.send(again).status == 200)


def test_a_recipient_who_is_gone_leaves_no_rows_behind(house_with):
    house = house_with()
    room, _ = house.room()
    alice, bob = house.join(room, "Alice"), house.join(room, "Bob")
    for n in range(20):
        alice.say(bob, {"n": n})

    bob.leave()
    alice.say(bob, {"n": 99})

    with house.server.reading() as connection:
        waiting = mailbox.waiting(connection, bob.id, 0)
    assert waiting == []
    assert ("undelivered", {"n": 21, "to": bob.id, "reason": "left"}) in alice.is_told()
