"""What goes wrong at the door: each refusal has its status and problem details, and nothing was changed."""

# ruff: noqa: E501 - tables read better unbroken

import json

import pytest
from people import RECORDER_KEY, ROOT, Cast, House, Reply

UNKNOWN = "aaaa-aaaa-aaaa"


def refused(reply: Reply, status: int, code: str | None = None) -> Reply:
    """The answer is a refusal in the form of RFC 9457."""
    assert reply.status == status, (reply.status, reply.content)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply["status"] == status
    assert reply["title"]
    assert reply["detail"]
    if code is not None:
        assert reply["type"] == f"/problems/{code}"
    return reply


def silent(cast: Cast) -> None:
    """Nobody was told anything."""
    assert cast.alice.is_told() == cast.bob.is_told() == cast.charlie.is_told() == []


@pytest.mark.parametrize("key", ["a host key", "the recorder key", None])
def test_unknown_room_is_404_whoever_asks(house: House, key: str | None) -> None:
    _, host_key = house.room()
    token = {"a host key": host_key, "the recorder key": RECORDER_KEY, None: None}[key]
    refused(house.get(f"rooms/{UNKNOWN}", token), 404, "no-such-room")
    refused(house.post(f"rooms/{UNKNOWN}/participants", {"name": "Ana"}, token), 404, "no-such-room")
    refused(house.get(f"rooms/{UNKNOWN}/recordings", token), 404, "no-such-room")


def test_host_key_for_an_unknown_room_is_404(house: House) -> None:
    _, host_key = house.room()
    refused(house.post(f"rooms/{UNKNOWN}/close", {}, host_key), 404, "no-such-room")
    refused(house.post(f"rooms/{UNKNOWN}/recording", {"action": "start"}, host_key), 404, "no-such-room")
    refused(house.post(f"rooms/{UNKNOWN}/participants", {"name": "Ana", "host_key": host_key}), 404, "no-such-room")


@pytest.mark.parametrize("token", [None, "", "pt_wrong", "hk_wrong", "rk_wrong", "pt_ä", "x" * 5000])
def test_missing_or_wrong_token_is_401(cast: Cast, token: str | None) -> None:
    door = cast.door
    refused(door.get("mailbox?after=0&wait_s=0", token), 401, "bad-token")
    refused(door.post("messages", {"messages": []}, token), 401, "bad-token")
    refused(door.post("leave", {}, token), 401, "bad-token")
    refused(door.post("recorders", {"name": "Rec"}, token), 401, "bad-token")
    silent(cast)


def test_wrong_token_says_how_to_authenticate(house: House) -> None:
    assert refused(house.get("mailbox"), 401).headers["WWW-Authenticate"].startswith("Bearer")


def test_another_rooms_host_is_403(cast: Cast) -> None:
    for token in (cast.charlie.token, cast.other_key, cast.bob.token):
        refused(cast.door.post(f"rooms/{cast.room}/recording", {"action": "start"}, token), 403, "not-yours")
        refused(cast.door.post(f"rooms/{cast.room}/close", {}, token), 403, "not-yours")
        refused(cast.door.get(f"rooms/{cast.room}/recordings", token), 403, "not-yours")
    refused(cast.door.post(f"rooms/{cast.room}/participants", {"name": "Eve", "host_key": cast.other_key}), 403, "not-yours")
    silent(cast)


BROKEN = {
    "no JSON": b"{",
    "not UTF-8": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {"t": "\xff"}}]}',
    "a list": b"[]",
    "null": b"null",
    "a NUL byte": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {"t": "\x00"}}]}',
    "a NUL as recipient": b'{"messages": [{"n": 1, "to": "\\u0000", "kind": "note", "body": {}}]}',
    "not a number": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {"t": NaN}}]}',
    "infinity": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {"t": -Infinity}}]}',
    "too large a float": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {"t": 1e999}}]}',
    "huge number": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {"t": ' + b"9" * 5000 + b"}}]}",
    "huge n": b'{"messages": [{"n": 99999999999999999999, "to": "*", "kind": "note", "body": {}}]}',
    "n below one": b'{"messages": [{"n": 0, "to": "*", "kind": "note", "body": {}}]}',
    "lone surrogate": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {"t": "\\ud800"}}]}',
    "deep": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}]}",
    "deep list": b'{"messages": ' + b"[" * 100_000,
    "no messages": b'{"messages": []}',
    "misspelt": b'{"mesages": []}',
    "body is text": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": "hello"}]}',
    "server's kind": b'{"messages": [{"n": 1, "to": "*", "kind": "joined", "body": {}}]}',
    "bad kind": b'{"messages": [{"n": 1, "to": "*", "kind": "Note\\"", "body": {}}]}',
    "kind with line end": b'{"messages": [{"n": 1, "to": "*", "kind": "note\\n", "body": {}}]}',
    "second one bad": b'{"messages": [{"n": 1, "to": "*", "kind": "note", "body": {}}, {"n": 2, "to": "*", "kind": "", "body": {}}]}',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_malformed_message_is_422_or_404_and_reaches_nobody(cast: Cast, data: bytes) -> None:
    reply = cast.alice.door.post("messages", None, cast.alice.token, data=data)
    if data == BROKEN["a NUL as recipient"]:
        assert reply.status in (404, 422)
    else:
        refused(reply, 422, "malformed")
        assert reply["errors"][0].keys() == {"field", "problem"}
    silent(cast)
    assert cast.alice.say(cast.bob).status == 200, "the next message is still number 1"


def test_whatever_json_can_say_arrives_as_it_was_said(cast: Cast) -> None:
    bodies = [
        {"text": "a NUL \u0000 and a bell \u0007"}, {"text": "\u2028 😀 ä 漢"}, {"": {"": [None, True, -0.5, 1e300]}}, {"big": 2**70},
        {"quote": '"}],"messages":[', "backslash": "\\", "typed": "\\u0000"},
    ]  # fmt: skip
    for body in bodies:
        assert cast.alice.say(cast.bob, body).status == 200
    assert [body for _, body in cast.bob.is_told()] == bodies


CALLS = [
    ("rooms", {"title": "{}"}, None),
    ("rooms/{room}/participants", {"name": "{}"}, None),
    ("rooms/{room}/participants", {"name": "Ana", "host_key": "{}"}, None),
    ("rooms/{room}/participants", {"name": "Ana", "kind": "recorder", "recording": "{}"}, "recorder"),
    ("leave", {"token": "{}"}, None),
    ("messages", {"messages": [{"n": 1, "to": "{}", "kind": "note", "body": {}}]}, "alice"),
    ("messages", {"messages": [{"n": 1, "to": "*", "kind": "{}", "body": {}}]}, "alice"),
    ("rooms/{room}/recording", {"action": "{}"}, "alice"),
    ("rooms/{room}/recording", {"action": "mark", "label": "{}"}, "alice"),
    ("recorders", {"name": "{}"}, "recorder"),
    ("recordings/{recording}/claim", {"recorder": "{}"}, "recorder"),
    ("recordings/{recording}/report", {"segment": "{}", "state": "recording"}, "recorder"),
    ("recordings/{recording}/report", {"segment": "{segment}", "state": "recording", "tracks": [{"participant": "{}", "source": "x"}]}, "recorder"),
    ("recordings/{recording}/report", {"segment": "{segment}", "state": "recording", "tracks": [{"participant": "p", "source": "x", "more": "{}"}]}, "recorder"),
    ("recordings/{recording}/artifacts", {"name": "{}", "kind": "track", "media_type": "video/webm", "bytes": 1, "sha256": "0" * 64}, "recorder"),
    ("recordings/{recording}/artifacts", {"name": "a", "kind": "track", "media_type": "video/webm", "bytes": 0, "sha256": "0" * 64, "meta": {"{}": "{}"}}, "recorder"),
    ("recordings/{recording}/jobs/verify/claim", {"worker": "{}"}, "recorder"),
    ("recordings/{recording}/jobs/verify", {"attempt": 1, "state": "failed", "reason": "{}"}, "recorder"),
    ("recordings/{recording}/end", {"segment": "{segment}", "reason": "{}"}, "recorder"),
]  # fmt: skip
NASTY = {
    "NUL": "\\u0000",
    "surrogate": "\\ud800",
    "long": "x" * 70_000,
    "quotes": '\\"\\\\',
    "line ends": "\\r\\n",
    "right to left": "\u202e",
}


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize("what", range(len(CALLS)), ids=[f"{path} {json.dumps(body)[:60]}" for path, body, _ in CALLS])
def test_no_text_brings_the_server_down(shared_cast, what: int, nasty: str) -> None:
    cast, recording, segment = shared_cast
    path, body, who = CALLS[what]
    data = json.dumps(body).replace("{segment}", segment).replace("{}", nasty).encode()
    token = {"recorder": RECORDER_KEY, "alice": cast.alice.token, None: None}[who]
    reply = cast.door.post(path.format(room=cast.room, recording=recording), None, token, data=data)
    assert reply.status < 500, (path, data[:200], reply.content)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_cast(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """One house for many refusals: they change nothing."""
    from conftest import Databases

    made = Databases(request.param, request, tmp_path_factory.mktemp("shared"))
    house = House(made.settings(max_participants=10_000, max_mailbox=100_000))
    cast = Cast(house)
    _, recording, segment = cast.record()
    yield cast, recording, segment
    house.close()


PATHS = [
    "/r/{}", "/r/{}/recordings", "rooms/{}", "rooms/{}/recordings", "recordings/{}", "recordings/{}/uploads/x",
    "artifacts/{}/x", "artifacts/x/{}", "mailbox?after={}", "mailbox?wait_s={}", "mailbox?nonce={}", "artifacts/a/x?signature={}",
    "recordings/x/uploads/{}", "{}",
]  # fmt: skip


@pytest.mark.parametrize(
    "nasty",
    [
        "%00",
        "%ff",
        "%ed%a0%80",
        "..%2f..%2fetc%2fpasswd",
        "x" * 3000,
        "-1",
        "1e3",
        "%D9%A3",
        "99999999999999999999",
        "%0d%0aX:%20y",
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_no_address_brings_the_server_down(shared_cast, path: str, nasty: str) -> None:
    if path.startswith("/r/") and not (ROOT / "locales" / "en.json").exists():
        pytest.skip("the pages have no texts yet")
    cast, _, _ = shared_cast
    for token in (None, RECORDER_KEY, cast.bob.token, cast.host_key):
        reply = cast.door.get(path.format(nasty) + ("&wait_s=0" if "after=" in path or "nonce=" in path else ""), token)
        assert reply.status < 500, (path, nasty, reply.content)


def test_body_over_the_limit_is_413(sqlite, open_house) -> None:
    cast = Cast(open_house(sqlite.settings(max_message_bytes=1000, max_body_bytes=5000)))
    refused(cast.alice.say(cast.bob, {"text": "x" * 1000}), 413, "too-large")
    cast.alice.n = 0
    refused(cast.alice.say(cast.bob, {"text": "x" * 5000}), 413, "too-large")
    refused(cast.door.post("rooms", None, data=b" " * 6000), 413, "too-large")
    silent(cast)
    cast.alice.n = 0
    assert cast.alice.say(cast.bob, {"text": "x" * 900}).status == 200


def test_size_of_a_message_is_counted_in_bytes_not_in_escapes(sqlite, open_house) -> None:
    cast = Cast(open_house(sqlite.settings(max_message_bytes=1000)))
    assert cast.alice.say(cast.bob, {"t": "漢" * 320}).status == 200  # 960 bytes of UTF-8 and a few of JSON
    refused(cast.alice.say(cast.bob, {"t": "漢" * 340}), 413, "too-large")


def test_message_to_someone_of_another_room_is_404_and_none_of_the_batch_is_sent(cast: Cast) -> None:
    batch = [cast.alice.draft(cast.bob), cast.alice.draft(cast.charlie), cast.alice.draft("*")]
    refused(cast.alice.send(batch), 404, "no-such-recipient")
    silent(cast)
    assert cast.alice.send([batch[0]]).json == {"n": 1}


@pytest.mark.parametrize("to", ["p" + "a" * 11, "room", "server", "' OR 1=1", "%"])
def test_message_to_nobody_is_404(cast: Cast, to: str) -> None:
    refused(cast.alice.say(to), 404, "no-such-recipient")
    silent(cast)


def test_message_to_oneself_is_404(cast: Cast) -> None:
    refused(cast.alice.say(cast.alice), 404, "no-such-recipient")


def test_full_room_refuses_the_next_person_but_not_the_recorder(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(max_participants=2)))
    refused(cast.door.post(f"rooms/{cast.room}/participants", {"name": "Dora"}), 409, "room-full")
    silent(cast)
    assert cast.door.post(f"rooms/{cast.room}/participants", {"name": "Rec", "kind": "recorder"}, RECORDER_KEY).status == 201
    cast.bob.leave()
    assert cast.door.post(f"rooms/{cast.room}/participants", {"name": "Dora"}).status == 201


def test_closed_room_is_410_for_all(cast: Cast) -> None:
    assert cast.door.post(f"rooms/{cast.room}/close", {}, cast.host_key).status == 200
    assert cast.bob.is_told() == [("left", {"participant": cast.bob.id, "reason": "closed"})]
    assert cast.alice.is_told() == [("left", {"participant": cast.alice.id, "reason": "closed"})]
    refused(cast.door.get(f"rooms/{cast.room}"), 410, "room-closed")
    refused(cast.door.post(f"rooms/{cast.room}/participants", {"name": "Dora"}), 410, "room-closed")
    refused(cast.host("start"), 410, "room-closed")


def test_recorder_without_the_key_cannot_enter_as_recorder(cast: Cast) -> None:
    refused(cast.door.post(f"rooms/{cast.room}/participants", {"name": "Eve", "kind": "recorder"}), 401, "bad-token")
    refused(cast.door.post(f"rooms/{cast.room}/participants", {"name": "Eve", "kind": "recorder"}, cast.alice.token), 401)
    silent(cast)


def test_unknown_call_and_wrong_method_are_problem_details_too(house: House) -> None:
    refused(house.get("nothing/here"), 404)
    refused(house.ask("DELETE", "rooms"), 405)
    refused(house.get("messages"), 405)


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=", "after=1.5", "wait_s=-1", "wait_s=99999", "after=9007199254740993"]
)
def test_malformed_poll_is_422(cast: Cast, query: str) -> None:
    refused(cast.door.get(f"mailbox?{query}", cast.bob.token), 422, "malformed")


def test_poll_ahead_of_the_mailbox_is_422(cast: Cast) -> None:
    refused(cast.bob.ask(after=1), 422, "malformed")
    assert cast.bob.ask().status == 200


def test_leaving_twice_is_200_and_told_once(cast: Cast) -> None:
    assert cast.bob.leave().status == cast.bob.leave().status == 200
    assert cast.alice.is_told() == [("left", {"participant": cast.bob.id, "reason": "left"})]
    refused(cast.bob.ask(), 410, "participant-gone")
    refused(cast.bob.say(cast.alice), 410, "participant-gone")


def test_beacon_leaves_with_the_token_in_the_body(cast: Cast) -> None:
    data = json.dumps({"token": cast.bob.token}).encode()
    assert cast.door.post("leave", None, data=data, Content_Type="text/plain;charset=UTF-8").status == 200
    assert cast.alice.is_told() == [("left", {"participant": cast.bob.id, "reason": "left"})]
