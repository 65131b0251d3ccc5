"""What whoever runs Letterbox sees: figures that are right over several processes, and logs that give nothing away."""

import re

import pytest

from tests.people import eventually


@pytest.fixture
def two_workers(databases, serve):
    return serve(databases.settings(), workers=2, LETTERBOX_LOG_LEVEL="debug")


def figure(server, name: str) -> float:
    found = re.search(
        rf"^{re.escape(name)}(?:{{[^}}]*}})? ([0-9.e+]+)$", server.ask("GET", "/metrics").content.decode(), re.MULTILINE
    )
    return float(found[1]) if found else 0.0


def test_figures_count_all_processes_together(two_workers):
    room, _ = two_workers.room()
    people = [two_workers.join(room, f"P{n}") for n in range(6)]
    for one in people[1:]:
        one.say(people[0], {"x": 1})
    parked = [one.waits(10, after=one.ask().json["messages"][-1]["seq"]) for one in people[:4] if one.ask().json["messages"]]

    assert figure(two_workers, 'letterbox_messages_total{kind="other"}') == 5
    assert figure(two_workers, 'letterbox_participants{kind="person"}') == 6
    assert figure(two_workers, "letterbox_messages_waiting") > 0
    eventually(lambda: figure(two_workers, "letterbox_parked_polls") == len(parked), 15)
    people[5].say("*")
    assert all(one.result(15).status == 200 for one in parked)


def test_ready_means_that_the_database_answers(two_workers):
    assert two_workers.ask("GET", "/readyz").json == {"status": "ready"}


def test_logs_name_rooms_and_participants_and_never_a_token_or_a_description(two_workers):
    room, host_key = two_workers.room()
    alice, bob = two_workers.join(room, "Alice", host_key), two_workers.join(room, "Bob")
    alice.say(bob, {"sdp": "v=0 secret-description"}, kind="offer")
    two_workers.get("mailbox?after=x", token=alice.token)
    two_workers.get("mailbox?after=0", token="pt_a-wrong-guess")
    bob.leave()

    log = two_workers.log.read_text()

    assert f"room={room} participant={alice.id} joined as host" in log
    assert f"participant={bob.id} left: left" in log
    for secret in (alice.token, bob.token, host_key, "secret-description", "pt_a-wrong-guess"):
        assert secret not in log


def test_what_comes_and_goes_is_counted_by_the_byte_whoever_serves_it(databases, serve):
    server = serve(databases.settings())
    room, _ = server.room()
    ana, ben = server.join(room, "Ana"), server.join(room, "Ben")
    names = ("letterbox_received_bytes_total", "letterbox_sent_bytes_total")
    before = [figure(server, name) for name in names]

    ana.say(ben, {"long": "x" * 20_000})
    got = ben.ask().content
    page = server.ask("GET", "/api/v1/openapi.json").content

    def counted() -> bool:
        received, sent = (figure(server, name) - was for name, was in zip(names, before, strict=True))
        return received > 20_000 and sent > len(got) + len(page)

    eventually(counted, 15)
