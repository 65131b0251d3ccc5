"""Polls that wait, in one process, without any database: a clock turned by hand, rows in a dictionary."""

import json
import threading

import pytest

from signaling import errors
from signaling.delivery import MAX_TAIL, Mailboxes
from signaling.mailbox import Delivery


class World:
    """A database of rows, and a process's mailboxes before it."""

    def __init__(self, wait_s: float = 25) -> None:
        self.now, self.rows, self.acknowledged, self.foreign, self.gone, self.reads = 0.0, [], 0, False, False, 0
        self.mailboxes = Mailboxes(self.opened, self.look, self.read, wait_s, lambda: self.now)

    def opened(self, participant: str) -> tuple[int, int]:
        if self.gone:
            raise errors.participant_gone()
        self.foreign = False
        return len(self.rows), self.acknowledged

    def look(self, ids: list[str]) -> dict:
        if self.gone:
            return {}
        return {p: errors.replaced() if self.foreign else len(self.rows) for p in ids}

    def read(self, participant: str, after: int) -> list:
        self.reads += 1
        return [row for row in self.rows if row[0] > after]

    def write(self, text: str = "x", told: bool = True) -> Delivery:
        row = (len(self.rows) + 1, "p-alice", "note", json.dumps({"t": text}))
        self.rows.append(row)
        delivery = Delivery("p-bob", *row, "here")
        if told:
            self.mailboxes.committed([delivery])
        return delivery

    def poll(self, after: int = 0, wait_s: float = 25, nonce: str = "a") -> "Poll":
        poll = Poll(nonce)
        poll.take(self.mailboxes.poll("p-bob", after, wait_s, poll))
        return poll


class Poll:
    """A poll and what it was told."""

    def __init__(self, nonce: str) -> None:
        self.nonce, self.told = nonce, []

    def take(self, body: bytes | None) -> None:
        if body is not None:
            self.answer(body)

    def answer(self, body: bytes) -> None:
        self.told.append(json.loads(body))

    def refuse(self, problem: errors.Problem) -> None:
        self.told.append(problem.code)

    @property
    def seqs(self) -> list[int]:
        assert len(self.told) == 1, "answered once"
        return [m["seq"] for m in self.told[0]["messages"]]


@pytest.fixture
def world() -> World:
    return World()


def test_committed_message_answers_a_parked_poll_without_asking_the_database(world: World) -> None:
    poll = world.poll()
    assert poll.told == []
    world.write()
    assert poll.seqs == [1]
    assert world.reads == 0


def test_poll_is_answered_with_nothing_when_its_time_is_over(world: World) -> None:
    poll = world.poll(wait_s=10)
    world.now = 9.9
    assert world.mailboxes.expire() == pytest.approx(0.1)
    assert poll.told == []
    world.now = 10
    world.mailboxes.expire()
    assert poll.told == [{"messages": [], "wait_s": 25}]


def test_newer_poll_replaces_the_older(world: World) -> None:
    older, newer = world.poll(nonce="a"), world.poll(nonce="b")
    assert older.told == ["replaced"]
    world.write()
    assert newer.seqs == [1]


def test_poll_replayed_by_a_proxy_that_cut_it_is_held_shorter_and_the_page_is_told(world: World) -> None:
    world.poll(nonce="a")
    world.now = 10
    again = world.poll(nonce="a")
    world.now = 18
    world.mailboxes.expire()
    assert again.told == [{"messages": [], "wait_s": 8, "cut_s": 10}], "0.8 × the 10 s after which this network cut it"


def test_cut_that_the_server_saw_is_learnt_from_too(world: World) -> None:
    poll = world.poll(nonce="a")
    world.now = 10
    world.mailboxes.hung_up("p-bob", poll)
    world.now = 10.1
    world.poll(nonce="a")
    world.write()
    assert world.poll(nonce="c").told[0]["wait_s"] == 8


def test_page_that_was_told_may_try_whether_the_network_has_changed(world: World) -> None:
    world.poll(nonce="a")
    world.now = 10
    world.poll(nonce="a")
    probe = world.poll(nonce="b", wait_s=25)
    world.now = 34
    world.mailboxes.expire()
    assert probe.told == []
    world.now = 35
    world.mailboxes.expire()
    assert len(probe.told) == 1


def test_new_poll_after_a_cut_teaches_nothing(world: World) -> None:
    poll = world.poll(nonce="a")
    world.now = 10
    world.mailboxes.hung_up("p-bob", poll)
    world.poll(nonce="b")
    world.write()
    assert world.poll(nonce="c").told[0]["wait_s"] == 25


def test_stale_poll_does_not_replace_the_living_one(world: World) -> None:
    world.write(), world.write()
    assert world.poll(after=0).seqs == [1, 2]
    living = world.poll(after=2, nonce="b")
    with pytest.raises(errors.Problem) as refused:
        world.poll(after=1, nonce="a")
    assert (refused.value.status, refused.value.code) == (409, "stale-poll")
    world.write()
    assert living.seqs == [3]


def test_poll_ahead_of_everything_is_422_and_replaces_nobody(world: World) -> None:
    living = world.poll()
    with pytest.raises(errors.Problem) as refused:
        world.poll(after=5)
    assert refused.value.status == 422
    world.write()
    assert living.seqs == [1]


def test_messages_are_answered_again_until_they_are_acknowledged(world: World) -> None:
    world.poll(wait_s=0)
    world.write(), world.write()
    assert world.poll().seqs == world.poll().seqs == [1, 2]
    assert world.poll(after=1).seqs == [2]
    assert world.mailboxes.take_acknowledged() == {"p-bob": 1}
    assert world.mailboxes.take_acknowledged() == {}


def test_failed_transaction_gives_its_acknowledgements_back(world: World) -> None:
    world.write()
    world.poll(after=1, wait_s=0)
    taken = world.mailboxes.take_acknowledged()
    world.mailboxes.return_acknowledged(taken)
    assert world.mailboxes.take_acknowledged() == {"p-bob": 1}


def test_messages_committed_out_of_order_by_two_threads_come_in_order(world: World) -> None:
    poll = world.poll()
    first, second = world.write(told=False), world.write(told=False)
    world.mailboxes.committed([second])
    assert poll.seqs == [1, 2]
    world.mailboxes.committed([first])
    assert world.poll(after=2, wait_s=0).seqs == []


def test_many_unread_messages_do_not_grow_the_memory(world: World) -> None:
    world.poll(wait_s=0)
    for _ in range(MAX_TAIL * 3):
        world.write()
    assert len(world.mailboxes._boxes["p-bob"].tail) == MAX_TAIL
    assert world.poll().seqs == list(range(1, MAX_TAIL * 3 + 1))


def test_lost_wakeup_is_found_by_looking(world: World) -> None:
    poll = world.poll()
    world.write(told=False)
    world.mailboxes.woken([])
    assert poll.seqs == [1]


def test_database_that_is_away_when_a_poll_is_to_be_answered_does_not_leave_it_hanging(world: World) -> None:
    poll = world.poll()
    world.write(told=False)

    def away(participant: str, after: int) -> list:
        raise errors.database_away()

    read, world.mailboxes._read = world.mailboxes._read, away
    world.mailboxes.woken(["p-bob"])
    assert poll.seqs == []
    world.mailboxes._read = read
    assert world.poll().seqs == [1]


def test_poll_parked_long_before_another_process_took_over_is_replaced(world: World) -> None:
    poll = world.poll()
    world.now, world.foreign = 5, True
    world.mailboxes.woken(["p-bob"])
    assert poll.told == ["replaced"]


def test_poll_that_may_be_newer_than_the_news_is_asked_to_come_again(world: World) -> None:
    world.now = 5
    poll = world.poll()
    world.foreign = True
    world.mailboxes.woken(["p-bob"])
    assert poll.told == [{"messages": [], "wait_s": 25, "reconnect": True}]


def test_adoption_by_mistake_sends_nobody_away(world: World) -> None:
    poll = world.poll()
    world.now, world.foreign = 5, True
    world.mailboxes.woken([])
    assert poll.told == [{"messages": [], "wait_s": 25, "reconnect": True}]


def test_poll_that_comes_back_from_another_process_is_not_told_it_is_ahead(world: World) -> None:
    world.poll(wait_s=0)
    world.write(told=False), world.write(told=False)
    world.foreign = True
    assert world.poll(after=2, wait_s=0).seqs == []


def test_removed_participant_is_told(world: World) -> None:
    poll = world.poll()
    world.gone = True
    world.mailboxes.woken(["p-bob"])
    assert poll.told == ["participant-gone"]


def test_stopping_answers_every_poll_and_parks_no_more(world: World) -> None:
    poll = world.poll()
    world.mailboxes.shut()
    assert poll.told[0]["reconnect"] is True
    assert world.poll().told[0]["reconnect"] is True


def test_presence_is_lost_by_silence_alone(world: World) -> None:
    world.poll(wait_s=0)
    world.now = 20
    world.poll(wait_s=0)
    world.now = 40
    assert world.mailboxes.absent_longer_than(30) == []
    poll = world.poll()
    world.now = 100
    assert world.mailboxes.absent_longer_than(30) == [], "a parked participant is present"
    world.mailboxes.hung_up("p-bob", poll)
    world.now = 130
    assert world.mailboxes.absent_longer_than(30) == ["p-bob"]


def test_two_polls_at_once_wait_for_one_opening(world: World) -> None:
    """The first poll of a process asks the database; a second that comes meanwhile must not be answered from nothing."""
    asked, go = threading.Event(), threading.Event()
    opened = world.mailboxes._opened
    world.write(told=False)

    def slowly(participant: str) -> tuple[int, int]:
        asked.set()
        go.wait(5)
        return opened(participant)

    world.mailboxes._opened = slowly
    polls: list[Poll] = []
    threads = [threading.Thread(target=lambda: polls.append(world.poll(after=1, wait_s=0))) for _ in range(2)]
    threads[0].start()
    asked.wait(5)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(5)
    assert [poll.seqs for poll in polls] == [[], []]
