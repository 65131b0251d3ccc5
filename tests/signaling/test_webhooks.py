"""Another program is told of recordings: signed, in order, until it has taken it; a real receiver over real HTTP."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from people import Cast, House, eventually
from sqlalchemy import event, select

from signaling import clock
from signaling.config import BadSetting, Settings
from signaling.library import recordings, webhooks
from signaling.models import Webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
DOC = Path(__file__).resolve().parents[2] / "docs/webhooks.md"
DAY_S = 86_400


@dataclass
class Receiver:
    """Somebody else's program. answers: the next statuses, then 204; hold: no answer until it is set."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    it = Receiver()
    it.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            it.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            it.hold.wait(30)
            self.send_response(it.answers.pop(0) if it.answers else 204)
            self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        it.url = f"http://127.0.0.1:{server.server_address[1]}/letterbox"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield it
        it.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(databases, receiver: Receiver) -> Settings:
    return databases.settings(webhook_url=receiver.url, webhook_secret=SECRET, public_url="https://call.example/")


@pytest.fixture
def house(settings: Settings, open_house) -> House:
    """Its webhooks are sent by hand."""
    return open_house(settings, housekeeping=False)


def waiting(house: House) -> list:
    with house.server.reading() as connection:
        return list(connection.execute(select(Webhook.__table__).order_by(Webhook.recording_id, Webhook.n)))


def send_all(house: House) -> None:
    """Until nothing is due."""
    while webhooks.send_due(house.server) <= clock.now_ms():
        pass


def begins(cast: Cast) -> tuple:
    """(Rec, recording, segment) of one that has started."""
    rec, recording, segment = cast.record()
    assert rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"}).status == 200
    return rec, recording, segment


def ends(cast: Cast, rec, recording: str, segment: str) -> None:
    """Nobody had sent anything: it fails."""
    cast.host("stop")
    rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "stopped", "duration_ms": 0})


def becomes_ready(cast: Cast) -> str:
    rec, recording, segment = begins(cast)
    rec.uploads(recording, "bob.webm", b"picture")
    cast.host("stop")
    following = rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "stopped", "duration_ms": 61000})["next"]
    while following:
        job = f"recordings/{recording}/jobs/{following[0]}"
        attempt = rec.calls(f"{job}/claim", {"worker": "w1"})["attempt"]
        following = rec.calls(job, {"attempt": attempt, "state": "done"})["next"]
    return recording


def test_started_ready_and_deleted_are_told_in_their_order_with_the_facts(cast: Cast, house: House, receiver: Receiver) -> None:
    recording = becomes_ready(cast)
    assert house.post(f"recordings/{recording}/delete", {}, cast.alice.token).status == 200

    send_all(house)

    assert receiver.types == ["recording.started", "recording.ready", "recording.deleted"]
    ready = json.loads(receiver.got[1][1])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ready["timestamp"])
    assert {key: ready["data"][key] for key in ("id", "room", "title", "state", "duration_ms", "reason", "url")} == {
        "id": recording, "room": cast.room, "title": "Board meeting", "state": "ready", "duration_ms": 61000, "reason": None,
        "url": f"https://call.example/r/{cast.room}/recordings",
    }  # fmt: skip
    deleted = json.loads(receiver.got[2][1])["data"]
    assert (deleted["id"], deleted["files"], deleted["bytes"]) == (recording, 1, 7)
    assert waiting(house) == []


def test_one_that_fails_is_told_with_its_reason(cast: Cast, house: House, receiver: Receiver) -> None:
    ends(cast, *begins(cast))

    send_all(house)

    assert receiver.types == ["recording.started", "recording.failed"]
    assert "Nothing was recorded" in json.loads(receiver.got[1][1])["data"]["reason"]


def test_one_that_is_stopped_before_any_recorder_came_has_failed_and_never_started(cast: Cast, house, receiver) -> None:
    cast.host("start")
    cast.host("stop")

    send_all(house)

    assert receiver.types == ["recording.failed"]


def test_no_name_of_anybody_and_no_key_is_told(cast: Cast, house: House, receiver: Receiver) -> None:
    becomes_ready(cast)

    send_all(house)

    for _, body in receiver.got:
        assert not {word for word in ("Alice", "Bob", "Rec", cast.host_key, cast.alice.token) if word.encode() in body}


def test_signature_is_what_the_standard_s_own_library_expects(cast: Cast, house: House, receiver: Receiver) -> None:
    library = pytest.importorskip("standardwebhooks", reason="standardwebhooks is not installed: see requirements-dev.txt")
    begins(cast)

    send_all(house)

    headers, body = receiver.got[0]
    assert library.Webhook(SECRET).verify(body, headers)["type"] == "recording.started"
    with pytest.raises(library.WebhookVerificationError):
        library.Webhook(SECRET).verify(body.replace(b"Board", b"Bored"), headers)


def test_signature_is_the_one_of_the_specification_s_example() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'

    made = webhooks.headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_check_in_the_documentation_accepts_what_is_sent_and_nothing_else(cast: Cast, house: House, receiver: Receiver) -> None:
    example = re.search(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    assert example is not None
    names: dict = {}
    exec(example[1], names)
    begins(cast)

    send_all(house)

    headers, body = receiver.got[0]
    check = names["is_from_letterbox"]
    assert check(SECRET, headers, body)
    assert not check(SECRET, headers, body + b" ")
    assert not check(SECRET, headers | {"webhook-timestamp": "1614265330"}, body)
    assert not check("whsec_" + base64.b64encode(bytes(32)).decode(), headers, body)


def test_refused_twice_it_is_sent_again_later_with_the_same_id_and_body(cast: Cast, house, receiver: Receiver, later) -> None:
    receiver.answers = [500, 429]
    begins(cast)

    send_all(house)
    assert len(receiver.got) == 1
    later(6.1)
    send_all(house)
    assert len(receiver.got) == 2
    later(6.1)
    send_all(house)
    assert len(receiver.got) == 2, "the second pause is longer than the first"
    later(12)
    send_all(house)

    assert len(receiver.got) == 3
    assert len(set(receiver.ids)) == 1
    assert len({body for _, body in receiver.got}) == 1
    times = [int(headers["webhook-timestamp"]) for headers, _ in receiver.got]
    assert times == sorted(set(times)), "each attempt is signed anew"
    assert waiting(house) == []


def test_later_events_of_a_recording_wait_for_the_first_and_other_recordings_do_not(cast: Cast, house, receiver, later) -> None:
    receiver.answers = [503]
    first = begins(cast)
    send_all(house)
    ends(cast, *first)
    begins(cast)

    send_all(house)
    assert receiver.types == ["recording.started", "recording.started"]
    later(7)
    send_all(house)

    told = [json.loads(body) for _, body in receiver.got]
    assert [one["type"] for one in told if one["data"]["id"] == first[1]] == [
        "recording.started", "recording.started", "recording.failed",
    ]  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed_and_counts_as_refused(cast: Cast, house, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    begins(cast)

    send_all(house)

    assert len(receiver.got) == 1
    assert [row.attempt for row in waiting(house)] == [1]


def test_receiver_that_is_gone_for_good_is_sent_nothing_of_what_waits(cast: Cast, house: House, receiver: Receiver) -> None:
    receiver.answers = [410]
    ends(cast, *begins(cast))

    send_all(house)

    assert len(receiver.got) == 1
    assert waiting(house) == []


def test_nobody_there_is_tried_for_three_days_and_then_given_up(cast: Cast, house, receiver: Receiver, later, caplog) -> None:
    receiver.answers = [500] * 100
    begins(cast)

    for _ in range(50):
        send_all(house)
        later(DAY_S)

    assert len(receiver.got) == webhooks.ATTEMPTS
    assert waiting(house) == []
    assert "given up after 15 attempts" in caplog.text


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_pauses_grow_and_last_for_about_three_days(chance: float) -> None:
    pauses = [webhooks.retry_after_s(attempt, chance) for attempt in range(1, webhooks.ATTEMPTS)]

    assert pauses == sorted(pauses)
    assert 3.9 < pauses[0] < 6.1
    assert 2.4 * DAY_S < sum(pauses) < 3.8 * DAY_S


def test_two_processes_that_send_at_once_send_it_once(cast: Cast, house: House, settings, open_house, receiver: Receiver) -> None:
    other = open_house(settings, housekeeping=False)
    for _ in range(4):
        ends(cast, *begins(cast))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send_all, [house, other]))
    send_all(house)

    assert len(receiver.got) == len(set(receiver.ids)) == 8


def test_process_killed_between_the_change_and_the_sending_loses_nothing(cast, house, settings, open_house, receiver) -> None:
    begins(cast)
    house.kill()

    other = open_house(settings)

    eventually(lambda: receiver.types == ["recording.started"])
    eventually(lambda: waiting(other) == [])


def test_process_killed_while_sending_has_it_sent_again_under_its_id(cast, house, settings, open_house, receiver, later) -> None:
    begins(cast)
    # As kill -9 leaves it: claimed, sent or not, and nobody to say how it went.
    with house.server.transaction() as tx:
        assert webhooks._claim(tx, waiting(house)[0])
    claimed = waiting(house)[0].id
    house.kill()
    other = open_house(settings, housekeeping=False)

    send_all(other)
    assert receiver.got == [], "another process may be sending it"
    later(61)
    send_all(other)

    assert receiver.ids == [claimed]


def test_change_that_is_not_committed_is_not_told(cast: Cast, house: House, receiver: Receiver) -> None:
    recording = becomes_ready(cast)
    send_all(house)

    def removed_and_undone() -> None:
        with house.server.transaction() as tx:
            recordings.remove(house.server, tx, recording, "Alice")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        removed_and_undone()
    send_all(house)

    assert receiver.types == ["recording.started", "recording.ready"]


def test_receiver_that_hangs_is_given_up_on_and_holds_up_no_request_and_no_chore(
    settings, open_house, receiver: Receiver, monkeypatch
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_S", 0.3)
    receiver.hold.clear()
    house = open_house(settings)
    cast = Cast(house)
    begins(cast)
    eventually(lambda: receiver.got)

    assert cast.host("pause").status == 200
    assert cast.bob.waits(wait_s=1).result(10).status == 200, "polls are still expired"
    eventually(lambda: [row.attempt for row in waiting(house)] == [1] and waiting(house)[0].due_at_ms < clock.now_ms() + 7000)
    assert webhooks.LEASE_MS > 7000


def test_it_goes_out_by_itself(settings, open_house, receiver: Receiver) -> None:
    cast = Cast(open_house(settings))

    ends(cast, *begins(cast))

    eventually(lambda: receiver.types == ["recording.started", "recording.failed"])


def test_nothing_is_written_where_nobody_wants_to_know(databases, open_house) -> None:
    house = open_house(databases.settings(), housekeeping=False)

    becomes_ready(Cast(house))

    assert waiting(house) == []


def test_nothing_is_asked_of_the_database_while_nothing_happens(settings, open_house, later) -> None:
    house = open_house(settings, housekeeping=False)
    deliveries = webhooks.Deliveries()
    looks: list[str] = []
    deliveries.sweep(house.server)
    eventually(lambda: not deliveries._thread.is_alive())
    event.listen(house.server.engine, "before_cursor_execute", lambda *told: looks.append(told[2]))

    for _ in range(5):
        deliveries.sweep(house.server)
    assert looks == []
    later(31)
    deliveries.sweep(house.server)

    # What another process left is looked for now and then.
    eventually(lambda: looks)
    eventually(lambda: not deliveries._thread.is_alive())


@pytest.mark.parametrize(
    ("url", "secret", "says"),
    [
        ("crm.example/letterbox", SECRET, "write it like https://"),
        ("ftp://crm.example/", SECRET, "write it like https://"),
        ("https://crm.example/", "", "openssl rand"),
        ("https://crm.example/", "whsec_c2hvcnQ=", "24 to 64 bytes"),
        ("https://crm.example/", "whsec_no base64 at all, and very long besides", "24 to 64 bytes"),
    ],
)
def test_settings_that_cannot_be_used_stop_the_start_and_never_show_the_secret(tmp_path, url, secret, says) -> None:
    told = {"LETTERBOX_DATA_DIR": str(tmp_path), "LETTERBOX_WEBHOOK_URL": url, "LETTERBOX_WEBHOOK_SECRET": secret}

    with pytest.raises(BadSetting, match=says) as refused:
        Settings.from_environ(told)

    assert not secret or secret not in str(refused.value)
