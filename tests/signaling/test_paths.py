"""Finding a path: TURN credentials that a TURN server takes, renewed in a long call; trying the network without a room."""

import base64
import hashlib
import hmac
import time

import pytest

from signaling.config import BadSetting, Settings

TURN = {"stun_urls": ("stun:turn.test:3478",), "turn_urls": ("turn:turn.test:3478", "turns:192.0.2.1:443?transport=tcp"),
        "turn_secret": "s3cret"}  # fmt: skip


@pytest.fixture
def with_turn(sqlite, open_house):
    return open_house(sqlite.settings(**TURN))


def turn_server(answer) -> dict[str, str]:
    return next(server for server in answer["ice_servers"] if "credential" in server)


def test_no_third_party_is_asked_by_default(house):
    room, _ = house.room()

    joined = house.post(f"rooms/{room}/participants", {"name": "Ana"})

    assert (joined["ice_servers"], joined["ice_policy"], joined["ice_lasts_s"]) == ([], "all", None)


def test_credentials_are_what_coturn_computes_from_the_shared_secret(with_turn):
    room, _ = with_turn.room()

    joined = with_turn.post(f"rooms/{room}/participants", {"name": "Ana"})

    server = turn_server(joined)
    expires_at, who = server["username"].split(":")
    mac = hmac.new(b"s3cret", server["username"].encode(), hashlib.sha1).digest()
    assert server["credential"] == base64.b64encode(mac).decode()
    assert who == joined["participant"]["id"]
    assert joined["ice_lasts_s"] == 4 * 3600
    assert 3 * 3600 < int(expires_at) - time.time() <= 4 * 3600 + 1
    assert server["urls"] == list(TURN["turn_urls"])


def test_who_is_in_a_call_gets_new_credentials(with_turn):
    ana = with_turn.join(with_turn.room()[0], "Ana")

    renewed = with_turn.get("ice-servers", token=ana.token)

    assert turn_server(renewed)["username"].endswith(f":{ana.id}")
    assert renewed["ice_lasts_s"] == 4 * 3600


def test_who_has_left_gets_none(with_turn):
    ana = with_turn.join(with_turn.room()[0], "Ana")
    ana.leave()

    assert with_turn.get("ice-servers", token=ana.token).status == 410
    assert with_turn.get("ice-servers", token="pt_nobody").status == 401


def test_who_only_looks_for_a_path_gets_credentials_for_five_minutes(with_turn):
    trial = with_turn.get("ice-servers")

    assert trial["ice_lasts_s"] == 300
    assert turn_server(trial)["username"].endswith(":trial")


def test_relay_only_is_told_to_every_browser(sqlite, open_house):
    house = open_house(sqlite.settings(**TURN, relay_only=True))

    assert house.get("ice-servers")["ice_policy"] == "relay"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"LETTERBOX_RELAY_ONLY": "yes"}, "needs a TURN server"),
        ({"LETTERBOX_TURN_URLS": "turn:t.test"}, "LETTERBOX_TURN_SECRET is not"),
        ({"LETTERBOX_TURN_URLS": "https://t.test", "LETTERBOX_TURN_SECRET": "x"}, "write it like turn:host:3478"),
        ({"LETTERBOX_STUN_URLS": "stun://t.test"}, "write it like stun:host:3478"),
        ({"LETTERBOX_RELAY_ONLY": "perhaps"}, "say `yes` or `no`"),
    ],
)
def test_settings_that_could_not_connect_stop_the_start(environ, says, tmp_path):
    with pytest.raises(BadSetting, match=says):
        Settings.from_environ(environ | {"LETTERBOX_DATA_DIR": str(tmp_path)})


def test_a_check_goes_to_the_server_and_back_by_a_note_to_itself(house):
    check = house.post("checks", {}).json
    note = {"messages": [{"n": 1, "to": check["participant"]["id"], "kind": "echo", "body": {"x": 1}}]}

    assert house.post("messages", note, token=check["token"]).status == 200

    heard = house.get("mailbox?after=0&wait_s=0&nonce=a", token=check["token"])["messages"]
    assert [(one["from"], one["kind"], one["body"]) for one in heard] == [(check["participant"]["id"], "echo", {"x": 1})]


def test_a_check_reaches_nobody_else(house):
    check = house.post("checks", {}).json
    ana = house.join(house.room()[0], "Ana")

    for to in (ana.id, house.post("checks", {})["participant"]["id"]):
        note = {"messages": [{"n": 1, "to": to, "kind": "echo", "body": {}}]}
        assert house.post("messages", note, token=check["token"]).status == 404


def test_a_check_leaves_nothing_behind(house):
    check = house.post("checks", {}).json

    assert house.post("leave", {}, token=check["token"]).status == 200

    assert house.get("mailbox?after=0&wait_s=0&nonce=a", token=check["token"]).status == 410
    assert house.post("leave", {}, token=check["token"]).status == 200


def test_checks_of_one_address_are_limited(sqlite, open_house):
    house = open_house(sqlite.settings(checks_per_address="2/minute"))

    assert [house.post("checks", {}).status for _ in range(3)] == [201, 201, 429]


def test_two_pieces_come_one_after_the_other(live):
    import httpx

    with httpx.stream("GET", f"{live.url}/api/v1/checks/pieces") as response:
        first, second = [(piece, time.monotonic()) for piece in response.iter_raw()]

    assert (first[0], second[0]) == (b"one\n", b"two\n")
    assert second[1] > first[1]
