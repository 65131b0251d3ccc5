"""The mailbox contract (PROTOCOL.md): exactly once, in order, without gaps, whatever breaks between two steps."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from people import Cast, House, Person, eventually
from sqlalchemy import event
from sqlalchemy.exc import OperationalError


def texts(person: Person, sender: Person) -> list[int]:
    """The numbers a person has heard from one sender, in the order they came."""
    return [message["body"]["i"] for message in person.got if message["from"] == sender.id]


def test_message_reaches_a_poll_that_is_already_waiting(cast: Cast) -> None:
    waiting = cast.bob.waits()
    assert cast.alice.say(cast.bob, {"i": 1}).json == {"n": 1}
    answer = waiting.result(2)
    assert answer["messages"] == [{"seq": 1, "from": cast.alice.id, "kind": "note", "body": {"i": 1}}]
    assert answer.headers["Cache-Control"] == "no-store"


def test_message_waits_for_a_poll_that_comes_later(cast: Cast) -> None:
    cast.alice.say(cast.bob, {"i": 1})
    assert [m["body"] for m in cast.bob.hear()] == [{"i": 1}]


def test_broadcast_reaches_all_others_in_the_room_and_nobody_else(cast: Cast) -> None:
    dora = cast.door.join(cast.room, "Dora")
    cast.alice.hear(), cast.bob.hear()
    cast.alice.say("*", {"i": 1})
    assert cast.bob.is_told() == dora.is_told() == [("note", {"i": 1})]
    assert cast.alice.is_told() == cast.charlie.is_told() == []


def test_repeated_poll_after_lost_reply_gets_the_same_messages(cast: Cast) -> None:
    cast.alice.say(cast.bob, {"i": 1})
    first, second = cast.bob.ask(), cast.bob.ask()
    assert first["messages"] == second["messages"] != []


def test_repeated_post_changes_nothing_and_gets_the_same_answer(cast: Cast) -> None:
    batch = [cast.alice.draft(cast.bob, body={"i": 1}), cast.alice.draft("*", body={"i": 2})]
    assert cast.alice.send(batch).json == cast.alice.send(batch).json == {"n": 2}
    assert [body["i"] for _, body in cast.bob.is_told()] == [1, 2]


def test_post_that_repeats_and_goes_on_sends_only_what_is_new(cast: Cast) -> None:
    batch = [cast.alice.draft(cast.bob, body={"i": 1}), cast.alice.draft(cast.bob, body={"i": 2})]
    cast.alice.send(batch[:1])
    assert cast.alice.send(batch).json == {"n": 2}
    assert [body["i"] for _, body in cast.bob.is_told()] == [1, 2]


def test_skipped_number_is_409_and_says_what_was_expected(cast: Cast) -> None:
    first, second = cast.alice.draft(cast.bob), cast.alice.draft(cast.bob)
    refused = cast.alice.send([second])
    assert (refused.status, refused["type"], refused["expected"]) == (409, "/problems/number-skipped", 1)
    assert cast.bob.is_told() == []
    assert cast.alice.send([first, second]).status == 200


def test_numbers_of_one_batch_must_rise_one_by_one(cast: Cast) -> None:
    for numbers in ([1, 1], [2, 1], [1, 3]):
        drafts = [{"n": n, "to": cast.bob.id, "kind": "note", "body": {}} for n in numbers]
        assert cast.alice.send(drafts).status == 409
    assert cast.bob.is_told() == []


def test_acknowledged_messages_leave_the_database(house: House, cast: Cast, engine) -> None:
    for i in range(5):
        cast.alice.say(cast.bob, {"i": i})
    cast.bob.hear(), cast.bob.ask()
    eventually(lambda: rows(engine, f"SELECT count(*) FROM message WHERE recipient_id = '{cast.bob.id}'") == [(0,)], 3)
    assert rows(engine, f"SELECT acknowledged_n, mailbox_n FROM participant WHERE id = '{cast.bob.id}'") == [(5, 5)]


def rows(engine, statement: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def test_message_to_one_who_left_comes_back_as_undelivered_and_spoils_nothing(cast: Cast) -> None:
    cast.bob.leave()
    dora = cast.door.join(cast.room, "Dora")
    cast.alice.hear()
    batch = [cast.alice.draft(cast.bob), cast.alice.draft(dora, body={"i": 2})]
    assert cast.alice.send(batch).json == {"n": 2}
    assert cast.alice.is_told() == [("undelivered", {"n": 1, "to": cast.bob.id, "reason": "left"})]
    assert dora.is_told() == [("note", {"i": 2})]


def test_full_mailbox_is_429_and_takes_more_when_it_was_read(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(max_mailbox=3)))
    for i in range(3):
        assert cast.alice.say(cast.bob, {"i": i}).status == 200
    refused = cast.alice.say(cast.bob, {"i": 3})
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert [body["i"] for _, body in cast.bob.is_told()] == [0, 1, 2]
    cast.bob.ask()
    retry = [{"n": 4, "to": cast.bob.id, "kind": "note", "body": {"i": 3}}]
    eventually(lambda: cast.alice.send(retry).status == 200, 3)
    assert [body["i"] for _, body in cast.bob.is_told()] == [3]


def test_the_server_still_speaks_to_a_full_mailbox(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(max_mailbox=1)))
    cast.alice.say(cast.bob)
    cast.door.join(cast.room, "Dora")
    assert [kind for kind, _ in cast.bob.is_told()] == ["note", "joined"]


# -- many at once ----------------------------------------------------------------------------------------------------------


def talk(senders: list[Person], to: list[Person], count: int, seed: int = 1) -> None:
    """Every sender says 0, 1, 2, … to every recipient, in batches, some of them twice."""

    def one(sender: Person, chance: random.Random) -> None:
        i = 0
        while i < count:
            size = chance.randint(1, 5)
            batch = [
                sender.draft(person, body={"i": k})
                for k in range(i, min(i + size, count))
                for person in to
                if person is not sender
            ]
            for _ in range(chance.choice([1, 1, 2])):
                answer = sender.send(batch)
                assert answer.status == 200, answer
            i += size

    with ThreadPoolExecutor(len(senders)) as pool:
        for done in [pool.submit(one, sender, random.Random(seed + k)) for k, sender in enumerate(senders)]:
            done.result(40)


def listen(person: Person, wanted: int, limit_s: float = 30) -> None:
    """Poll until so many notes are there."""
    eventually(lambda: person.hear(1) is not None and sum(m["kind"] == "note" for m in person.got) >= wanted, limit_s)


def test_many_senders_at_once_lose_and_repeat_nothing_and_keep_their_order(house: House) -> None:
    room, key = house.room()
    people = [house.join(room, f"Person {k}", key) for k in range(5)]
    with ThreadPoolExecutor(len(people)) as pool:
        listening = [pool.submit(listen, person, 4 * 20) for person in people]
        talk(people, people, 20)
        for done in listening:
            done.result(40)
    for person in people:
        for sender in people:
            if sender is not person:
                assert texts(person, sender) == list(range(20))


def test_two_processes_on_one_database_lose_and_repeat_nothing(databases, open_house) -> None:
    here = databases.settings()
    left, right = open_house(here), open_house(here)
    room, key = left.room()
    people = [door.join(room, f"Person {k}", key) for k, door in enumerate((left, right, left, right))]
    with ThreadPoolExecutor(len(people)) as pool:
        listening = [pool.submit(listen, person, 3 * 20) for person in people]
        talk(people, people, 20)
        for done in listening:
            done.result(40)
    for person in people:
        for sender in people:
            if sender is not person:
                assert texts(person, sender) == list(range(20))


def test_message_wakes_a_poll_in_another_process(databases, open_house) -> None:
    here = databases.settings()
    left, right = open_house(here), open_house(here)
    cast = Cast(left)
    bob = Person(right, cast.bob.joined)
    waiting = bob.waits()
    cast.alice.say(bob, {"i": 1})
    assert waiting.result(0.9)["messages"][0]["body"] == {"i": 1}, "by a wake-up, sooner than the reconciling look"


def test_lost_wakeup_costs_two_seconds_at_most(sqlite, open_house) -> None:
    here = sqlite.settings()
    left, right = open_house(here), open_house(here)
    left.server.wakeup.wake = lambda worker, ids: None
    cast = Cast(left)
    bob = Person(right, cast.bob.joined)
    for i in range(3):
        waiting = bob.waits()
        cast.alice.say(bob, {"i": i})
        bob.after += len(waiting.result(2.5)["messages"])
    assert bob.after == 3


def test_garbled_wakeup_does_not_make_a_process_deaf(sqlite, open_house) -> None:
    house = open_house(sqlite.settings())
    other = open_house(house.settings)
    cast = Cast(other)
    bob = Person(house, cast.bob.joined)
    waiting = bob.waits()
    other.server.wakeup._send(house.server.worker, b"\xff not json")
    cast.alice.say(bob, {"i": 1})
    assert waiting.result(0.9)["messages"]


def test_idle_processes_ask_the_database_nothing(sqlite, open_house) -> None:
    here = sqlite.settings()
    left, right = open_house(here), open_house(here)
    cast = Cast(left)
    waiting = [cast.alice.waits(), Person(right, cast.bob.joined).waits()]
    looks = threading.Event()
    eventually(lambda: not left.server.unsettled and not right.server.unsettled)
    threading.Event().wait(2.5)  # what came before is settled
    said: list[str] = []
    for house in (left, right):
        event.listen(house.server.engine, "before_cursor_execute", lambda *about: said.append(about[2]))
    looks.wait(2.5)
    assert said == []
    assert not any(poll.done() for poll in waiting)
    left.close(), right.close()


# -- the machine -----------------------------------------------------------------------------------------------------------


class Fault:
    """Break the nth step from now of whatever transaction comes: a statement, the commit, or what follows it."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.broke = False

    def step(self, *_: object) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left, self.broke = None, True
                raise OperationalError("a statement", {}, ConnectionError("broken for the test"))

    def install(self, house: House) -> None:
        engine = house.server.engine
        event.listen(engine, "before_cursor_execute", self.step)
        event.listen(engine, "commit", self.step)
        after = house.server.mailboxes.committed

        def committed(deliveries):
            self.step()
            after(deliveries)

        house.server.mailboxes.committed = committed


class MailboxMachine(RuleBasedStateMachine):
    """Two people and a third send, poll, repeat, skip, are cut off; the process dies; any step may break."""

    databases = None

    @initialize()
    def begin(self) -> None:
        self.house_settings = self.databases.settings(wait_s=1)
        self.fault = Fault()
        self.house: House | None = None
        self.open()
        room, key = self.house.room()
        self.people = [self.house.join(room, name, key) for name in ("Alice", "Bob", "Dora")]
        self.accepted: dict[tuple[int, int], list[int]] = {(a, b): [] for a in range(3) for b in range(3)}
        self.sent: dict[int, list[dict]] = {0: [], 1: [], 2: []}
        self.gone: set[int] = set()
        self.count = 0

    def open(self) -> None:
        self.house = House(self.house_settings, housekeeping=False)
        self.fault.install(self.house)

    def person(self, who: int) -> Person:
        self.people[who].door = self.house
        return self.people[who]

    @rule(who=st.integers(0, 2), to=st.integers(0, 3), size=st.integers(1, 3), fault=st.one_of(st.none(), st.integers(0, 8)))
    def post(self, who: int, to: int, size: int, fault: int | None) -> None:
        """Send; when it fails, send the same again, as the client does."""
        sender = self.person(who)
        if to == who or who in self.gone:
            return
        drafts = []
        for _ in range(size):
            self.count += 1
            drafts.append(sender.draft("*" if to == 3 else self.people[to], body={"i": self.count}))
        self.fault.left, self.fault.broke = fault, False
        answer = self.house_send(sender, drafts)
        self.fault.left = None
        if answer is None or answer.status == 503:
            assert self.fault.broke, answer
            answer = sender.send(drafts)
        assert answer.status == 200, answer
        assert answer["n"] == sender.n
        if self.fault.broke:
            # Committed, perhaps, without a word to those who listen: the process looks by itself every two seconds.
            self.house.server.reconcile()
        self.sent[who] = drafts
        for other in range(3):
            if other != who and other not in self.gone and to in (3, other):
                self.accepted[who, other] += [draft["body"]["i"] for draft in drafts]

    def house_send(self, sender: Person, drafts: list[dict]):
        try:
            return sender.send(drafts)
        except OperationalError:
            return None  # broken after the commit: the connection would have been cut

    @rule(who=st.integers(0, 2))
    def repeat_post(self, who: int) -> None:
        """A proxy sends the last POST again."""
        if self.sent[who] and who not in self.gone:
            assert self.person(who).send(self.sent[who]).json == {"n": self.people[who].n}

    @rule(who=st.integers(0, 2), ahead=st.integers(2, 5))
    def skip(self, who: int, ahead: int) -> None:
        if who not in self.gone:
            draft = {"n": self.people[who].n + ahead, "to": "*", "kind": "note", "body": {"i": -1}}
            assert self.person(who).send([draft]).status == 409

    @rule(who=st.integers(0, 2), fault=st.one_of(st.none(), st.integers(0, 3)))
    def poll(self, who: int, fault: int | None) -> None:
        if who in self.gone:
            assert self.person(who).ask().status == 410
            return
        self.fault.left = fault
        answer = self.person(who).ask()
        self.fault.left = None
        assert answer.status in (200, 503)
        self.person(who).hear()

    @rule(who=st.integers(0, 2))
    def lose_an_answer(self, who: int) -> None:
        if who not in self.gone:
            assert self.person(who).ask().status == 200

    @rule(who=st.integers(0, 2), back=st.integers(1, 3))
    def replay_an_old_poll(self, who: int, back: int) -> None:
        person = self.person(who)
        if who not in self.gone and person.after >= back:
            answer = person.ask(after=person.after - back)
            assert answer.status in (200, 409)
            if answer.status == 200:
                assert [m for m in answer["messages"] if m["seq"] <= person.after] == [
                    m for m in person.got if m["seq"] > person.after - back
                ]

    @rule(who=st.integers(0, 2), by=st.integers(0, 2))
    def parked_poll_hears_the_next_message(self, who: int, by: int) -> None:
        if who == by or {who, by} & self.gone:
            return
        listener = self.person(who)
        while listener.hear():
            pass
        parked = listener.waits(1)
        self.post(by, who, 1, None)
        answer = parked.result(5)
        assert [m["seq"] for m in answer["messages"]] == [listener.after + 1]

    @rule(who=st.integers(0, 2))
    def two_polls_at_once(self, who: int) -> None:
        if who in self.gone:
            return
        listener = self.person(who)
        while listener.hear():
            pass
        older = listener.waits(1, nonce="older")
        newer = listener.waits(1, nonce="newer")
        assert older.result(5).status == 409
        self.house.server.mailboxes._clock = lambda clock=self.house.server.mailboxes._clock: clock() + 2
        self.house.server.mailboxes.expire()
        assert newer.result(5)["messages"] == []

    @rule()
    def kill(self) -> None:
        """The process dies with everything it had in memory; another comes up."""
        self.house.kill()
        self.open()

    @rule()
    def keep_house(self) -> None:
        self.house.server.flush_acknowledged()
        self.house.server.reconcile()

    @rule(who=st.integers(0, 2))
    @precondition(lambda self: not self.gone)
    def leave(self, who: int) -> None:
        assert self.person(who).leave().status == 200
        self.gone.add(who)

    @invariant()
    def nothing_came_twice_or_out_of_order(self) -> None:
        for (a, b), sent in getattr(self, "accepted", {}).items():
            if a != b:
                got = texts(self.people[b], self.people[a])
                assert got == sent[: len(got)]

    def teardown(self) -> None:
        """In the end everybody who is still here has heard everything."""
        try:
            self.everybody_has_heard_everything()
        finally:
            self.house.close()
            self.databases.drop()

    def everybody_has_heard_everything(self) -> None:
        for who in set(range(3)) - self.gone:
            while self.person(who).hear():
                pass
            for other in range(3):
                if other != who:
                    assert texts(self.people[who], self.people[other]) == self.accepted[other, who]


def test_nothing_is_lost_repeated_or_reordered_whatever_breaks(databases) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    class Machine(MailboxMachine):
        pass

    Machine.databases = databases
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=False,
            phases=[Phase.generate],  # shrinking takes minutes on a real database; the steps are printed as they were
        ),
    )


pytestmark = pytest.mark.timeout(120)
