"""How often and how much: each limit has its own clear refusal, says when to come again, and nothing was done."""

import brokers
import pytest

from signaling import mailbox, proxies
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


# -- every call, from everywhere ------------------------------------------------------------------------------------------------


def test_calls_are_counted_by_address_room_and_token(house_with):
    by_address = house_with(calls_per_address="3/minute")
    assert [by_address.get(path).status for path in ("rooms/x", "rooms/y", "openapi.json", "rooms/z")] == [404, 404, 200, 429]
    assert by_address.ask("GET", "/").status == 429
    assert by_address.ask("GET", "/healthz").status == 200

    by_room = house_with(calls_per_room="2/minute")
    room, _ = by_room.room()
    assert [by_room.get(f"rooms/{room}").status for _ in range(3)] == [200, 200, 429]
    assert by_room.get("rooms/another").status == 404

    by_token = house_with(calls_per_token="2/minute")
    room, key = by_token.room()
    assert [by_token.get(f"rooms/{room}/recordings", key).status for _ in range(3)] == [200, 200, 429]
    assert by_token.get(f"rooms/{room}").status == 200


def test_a_recorders_calls_are_not_counted(house_with):
    house = house_with(calls_per_address="3/minute")

    assert [house.get("recordings/none", people.RECORDER_KEY).status for _ in range(6)] == [404] * 6


@pytest.mark.parametrize("way", ["direct", "flask"])
def test_polls_and_messages_are_counted_by_participant_and_by_address(sqlite, serve, way):
    server = serve(
        sqlite.settings(polls_per_participant="3/minute", messages_and_polls_per_address="7/minute"),
        LETTERBOX_HOT_PATH=way, LETTERBOX_TRUSTED_PROXIES="1", LETTERBOX_PROXY_ADDRESSES="127.0.0.0/8",
    )  # fmt: skip
    room, _ = server.room()
    alice, bob = server.join(room, "Alice"), server.join(room, "Bob")

    def polls(person, address: str):
        return server.get("mailbox?after=0&wait_s=0&nonce=n", person.token, X_Forwarded_For=address).status

    assert [polls(alice, "203.0.113.1") for _ in range(4)] == [200, 200, 200, 429]
    assert [polls(bob, "203.0.113.1") for _ in range(3)] == [200, 200, 200]
    # Eight from this address; from another one may still.
    message = {"messages": [bob.draft(alice)]}
    assert server.post("messages", message, bob.token, X_Forwarded_For="203.0.113.1").status == 429
    assert server.post("messages", message, bob.token, X_Forwarded_For="203.0.113.2").status == 200


def test_codes_tried_from_many_addresses_lock_the_door_for_codes_and_for_nobody_else(sqlite, open_house):
    house = open_house(sqlite.settings(codes_per_room="4/hour", trusted_proxies=1))
    cast = people.Cast(house)
    house.post(f"rooms/{cast.room}/settings", {"code": "sesame"}, cast.host_key)

    def enters(n: int, **more: str):
        return house.post(f"rooms/{cast.room}/participants", {"name": "X"} | more, X_Forwarded_For=f"198.51.100.{n}").status

    assert [enters(n, code=f"wrong{n}") for n in range(5)] == [403, 403, 403, 403, 429]
    assert enters(9, code="sesame") == 429
    assert enters(10, host_key=cast.host_key) == 201
    assert enters(11, again=cast.bob.token) == 201


# -- whose address ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),  # what the client wrote itself stands before
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),  # no proxy of ours
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("", "203.0.113.7", "203.0.113.7"),  # a socket of this machine
    ],
)
def test_only_of_our_own_proxies_it_is_believed_for_whom_they_speak(peer, forwarded, client):
    assert proxies.Proxies(1, ("10.0.0.0/8",)).client(peer, forwarded) == client


def test_without_proxies_nobody_is_believed():
    assert proxies.Proxies(0, ()).client("192.0.2.1", "203.0.113.7") == "192.0.2.1"


def test_who_has_a_network_of_addresses_is_counted_as_one():
    assert proxies.neighbourhood("2001:db8:1:2:3::4") == proxies.neighbourhood("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert proxies.neighbourhood("::ffff:192.0.2.1") == "192.0.2.1"


def test_limits_believe_no_address_a_stranger_writes(sqlite, open_house):
    house = open_house(sqlite.settings(calls_per_address="3/minute", trusted_proxies=1, proxy_addresses=("10.0.0.0/8",)))

    replies = [house.get("rooms/x", X_Forwarded_For=f"203.0.113.{n}").status for n in range(4)]

    assert replies == [404, 404, 404, 429]


# -- together -------------------------------------------------------------------------------------------------------------------


def test_nodes_on_one_postgresql_count_together(postgresql, databases, open_house):
    if databases.kind != "postgresql":
        pytest.skip("SQLite is one machine's")
    settings = databases.settings(rooms_per_address="2/hour", keys_per_address="2/hour")
    one, other = open_house(settings), open_house(settings)

    made = [house.post("rooms", {"title": "x"}).status for house in (one, other, one, other)]

    assert made == [201, 201, 429, 429]
    assert 0 < int(other.post("rooms", {"title": "x"}).headers["Retry-After"]) <= 3600


def test_nodes_on_one_redis_count_together_and_each_alone_when_it_is_away(sqlite, open_house):
    with brokers.redis() as url:
        settings = sqlite.settings(rooms_per_address="2/hour", limits_storage=url)
        one, other = open_house(settings), open_house(settings)
        assert [house.post("rooms", {"title": "x"}).status for house in (one, other, one)] == [201, 201, 429]

    assert other.post("rooms", {"title": "x"}).status == 201


# -- caps -----------------------------------------------------------------------------------------------------------------------


def test_there_are_only_so_many_open_rooms(sqlite, open_house):
    house = open_house(sqlite.settings(max_rooms=2))
    _, (room, key) = house.room(), house.room()

    assert house.post("rooms", {"title": "x"})["type"] == "/problems/too-many-rooms"
    house.post(f"rooms/{room}/close", {}, key)
    assert house.post("rooms", {"title": "x"}).status == 201


@pytest.mark.parametrize("cap", [{"max_recordings": 1}, {"min_free_mb": 10**9}])
def test_no_recording_begins_without_room_for_it_and_one_that_runs_goes_on(sqlite, open_house, cap):
    cast = people.Cast(open_house(sqlite.settings()))
    rec, recording, segment = cast.record()
    object.__setattr__(cast.door.server.settings, *next(iter(cap.items())))

    assert rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"}).status == 200
    assert rec.uploads(recording, "track.webm", b"picture").status == 201
    cast.host("stop")

    other = cast.door.post(f"rooms/{cast.other_room}/recording", {"action": "start"}, cast.other_key)
    assert other["type"] == "/problems/no-room-for-recordings"


def test_one_participant_has_one_parked_poll(sqlite, open_house):
    cast = people.Cast(open_house(sqlite.settings()))
    first = cast.alice.waits(20, nonce="1")
    cast.alice.waits(20, nonce="2")

    assert first.result(10)["type"] == "/problems/replaced"
    assert cast.door.server.mailboxes.parked == 1
