"""Several mailboxes in one request: what the tabs of one browser share."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.people import Door, Person, eventually
from tests.signaling.test_operations import figure


@pytest.fixture(params=["one process in memory", "our worker"])
def door(request, sqlite, open_house, serve) -> Door:
    return open_house(sqlite.settings(wait_s=20)) if request.param.startswith("one") else serve(sqlite.settings(wait_s=20))


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as threads:
        yield threads


def ask(door: Door, *whom: tuple[Person, int], wait_s: int = 0):
    polls = [{"token": one.token, "after": after, "nonce": f"n{index}"} for index, (one, after) in enumerate(whom)]
    return door.post("mailboxes", {"polls": polls, "wait_s": wait_s})


def seen(entry) -> list[int]:
    return [message["seq"] for message in entry["messages"]]


def told(person: Person) -> int:
    """How far a mailbox is."""
    return max((message["seq"] for message in person.ask(0, after=0).json["messages"]), default=0)


def test_what_waits_is_answered_at_once_each_in_its_place(door):
    room, _ = door.room()
    ana, ben = door.join(room, "Ana"), door.join(room, "Ben")
    ana.say(ben, {"x": 1})

    answer = ask(door, (ben, 0), (ana, 0), wait_s=20)

    assert [seen(entry) for entry in answer["mailboxes"]] == [[1], [1]]


def test_a_message_for_one_of_them_answers_the_request(door, pool):
    room, _ = door.room()
    ana, ben, cleo = (door.join(room, name) for name in ("Ana", "Ben", "Cleo"))
    far = {one.id: told(one) for one in (ana, ben)}
    waiting: Future = pool.submit(ask, door, (ana, far[ana.id]), (ben, far[ben.id]), wait_s=20)
    eventually(lambda: parked(door) == 2)

    cleo.say(ben, {"x": 1})

    assert [entry and seen(entry) for entry in waiting.result(20)["mailboxes"]] == [None, [far[ben.id] + 1]]
    eventually(lambda: parked(door) == 0)


def test_with_nothing_to_say_it_is_answered_when_its_time_is_over(door):
    room, _ = door.room()
    ana, ben = door.join(room, "Ana"), door.join(room, "Ben")

    answer = ask(door, (ana, told(ana)), (ben, told(ben)), wait_s=1)

    assert {"messages": [], "wait_s": 20} in answer["mailboxes"]


def test_one_who_is_gone_is_told_so_and_keeps_nobody_waiting(door):
    room, _ = door.room()
    ana, ben = door.join(room, "Ana"), door.join(room, "Ben")
    far = told(ana)
    ben.leave()

    answer = ask(door, (ben, 0), (ana, far), wait_s=20)

    assert answer["mailboxes"][0]["problem"]["type"] == "/problems/participant-gone"
    assert answer.status == 200


def test_a_wrong_token_is_refused_in_its_place(door):
    answer = door.post("mailboxes", {"polls": [{"token": "pt_wrong"}]})

    assert answer["mailboxes"][0]["problem"]["status"] == 401


def test_a_poll_by_itself_takes_a_mailbox_out_of_the_shared_one(door, pool):
    room, _ = door.room()
    ana = door.join(room, "Ana")
    shared: Future = pool.submit(ask, door, (ana, told(ana)), wait_s=20)
    eventually(lambda: parked(door) == 1)

    alone = ana.waits(1, nonce="alone")

    assert shared.result(20)["mailboxes"][0]["problem"]["type"] == "/problems/replaced"
    assert alone.result(20).status == 200


@pytest.mark.parametrize("polls", [[], [{}], [{"token": "x", "after": -1}], [{"token": "x"}] * 21, "x"])
def test_a_malformed_one_is_refused(door, polls):
    assert door.post("mailboxes", {"polls": polls}).status == 422


def parked(door: Door) -> float:
    return door.server.mailboxes.parked if hasattr(door, "server") else figure(door, "letterbox_parked_polls")
