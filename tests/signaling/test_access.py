"""Who may do what: keys that are kept as hashes, end, and are taken back; who makes rooms; what a link alone opens."""

import sqlite3

import pytest

from signaling import auth, calls, ids
from signaling.config import BadSetting, Settings
from tests.people import API, RECORDER_KEY, Cast


def test_links_of_rooms_have_59_bits_of_chance_and_secrets_192():
    rooms = {ids.room_id() for _ in range(2000)}

    assert len(rooms) == 2000
    assert len(ids.ALPHABET) ** 12 > 2**59
    assert {letter for room in rooms for letter in room} == set(ids.ALPHABET) | {"-"}
    assert len(ids.token("hk")) == len("hk_") + 32  # 24 bytes in base64


def test_no_secret_stands_in_the_database(sqlite, open_house):
    house = open_house(sqlite.settings())
    cast = Cast(house)
    _, recording, _ = cast.recorded()
    share = house.post(f"recordings/{recording}/shares", {"password": "open sesame"}, cast.host_key)["url"].partition("#")[2]
    house.post(f"rooms/{cast.room}/settings", {"code": "swordfish"}, cast.host_key)
    with sqlite3.connect(house.settings.data_dir / "letterbox.db") as database:
        everything = "\n".join(database.iterdump())

    assert ids.digest(cast.host_key) in everything
    for secret in (cast.host_key, cast.alice.token, cast.bob.token, share, "open sesame", "swordfish", RECORDER_KEY):
        assert secret not in everything


def test_keys_are_compared_without_telling_where_they_differ(sqlite, open_house, monkeypatch):
    settings = sqlite.settings(room_creation="key", room_key="sesame-open", admin_key="ak_0123456789abcdef")
    cast_room, compared = open_house(settings), []
    monkeypatch.setattr(ids.hmac, "compare_digest", lambda left, right: compared.append((left, right)) or left == right)
    room = cast_room.post("rooms", {"title": "x"}, "sesame-open")["room"]
    for token, path in (("hk_wrong", f"rooms/{room}/recordings"), ("rk_wrong", "recordings/r1")):
        cast_room.get(path, token)

    rights = {left for left, _ in compared}
    assert {b"sesame-open", settings.recorder_key.encode()} <= rights
    assert any(right == ids.digest("hk_wrong").encode() for _, right in compared)


def test_a_new_host_key_ends_the_old_one_and_hosts_in_the_call_stay_hosts(cast: Cast):
    changed = cast.door.post(f"rooms/{cast.room}/host-key", {}, cast.host_key)

    assert changed.status == 200
    assert cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key).status == 403
    assert cast.door.post(f"rooms/{cast.room}/participants", {"name": "Eve", "host_key": cast.host_key}).status == 403
    assert cast.door.get(f"rooms/{cast.room}/recordings", changed["host_key"]).status == 200
    assert cast.door.get(f"rooms/{cast.room}/recordings", cast.alice.token).status == 200
    assert cast.door.post(f"rooms/{cast.room}/host-key", {}, cast.bob.token).status == 403


def test_a_host_key_may_end_by_itself(cast: Cast, later):
    lent = cast.door.post(f"rooms/{cast.room}/host-key", {"expires_in_s": 3600}, cast.host_key)["host_key"]
    assert cast.door.get(f"rooms/{cast.room}/recordings", lent).status == 200

    later(3601)

    assert cast.door.get(f"rooms/{cast.room}/recordings", lent).status == 403


def every_call(cast: Cast) -> list[tuple[str, str, str]]:
    """(method, address, who may) of everything there is, in Alice's room and about her recording."""
    _, recording, _ = cast.recorded()
    values = {"room": cast.room, "recording": recording, "person": cast.alice.id}
    found = []
    for item in calls.described:
        path = item["path"].replace("<path:", "<").replace("<int:", "<")
        for name in ("room", "recording", "person", "share", "version", "name", "step", "artifact"):
            path = path.replace(f"<{name}>", values.get(name, "1"))
        found.append((item["method"], path, item["who"]))
    return found


def test_every_call_refuses_whom_it_is_not_for(sqlite, open_house):
    cast = Cast(open_house(sqlite.settings(guesses_per_address="1000/second", keys_per_address="1000/second")))
    listed = every_call(cast)
    gone = cast.door.join(cast.room, "Dan")
    gone.leave()
    strangers = {"nobody": None, "a guess": "pt_guess", "another room's host": cast.other_key, "who has left": gone.token}
    refused = {400, 401, 403, 404, 409, 410, 422}

    for method, path, who in listed:
        if who == "anyone" or path in ("/leave",):
            continue
        for name, token in strangers.items():
            reply = cast.door.ask(method, f"{API}{path}", {} if method == "POST" else None, token)
            assert reply.status in refused, (method, path, name, reply)
        if who in ("host", "recorder"):
            reply = cast.door.ask(method, f"{API}{path}", {} if method == "POST" else None, cast.bob.token)
            assert reply.status in refused, (method, path, "a guest", reply)


def test_a_rooms_link_alone_shows_nothing_of_its_recordings(cast: Cast):
    _, recording, _ = cast.recorded()
    found = cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]
    artifact = found["artifacts"][0]

    for path in (
        f"rooms/{cast.room}/recordings", f"recordings/{recording}", f"recordings/{recording}/shares",
        f"recordings/{recording}/archive", f"artifacts/{artifact['id']}/{artifact['name']}",
        f"recordings/{recording}/archive?signature={artifact['url'].partition('=')[2]}",
    ):  # fmt: skip
        for token in (None, cast.bob.token, cast.charlie.token):
            reply = cast.door.get(path, token)
            assert reply.status in (401, 403), (path, reply)
            assert b"picture and sound" not in reply.content
    assert cast.door.ask("GET", artifact["url"]).content == b"picture and sound"


def test_a_participants_token_ends_with_its_seat(cast: Cast, later):
    cast.bob.leave()

    assert cast.bob.ask().status == 410
    assert cast.door.get("ice-servers", cast.bob.token).status == 410
    assert cast.bob.answers("given").status in (409, 410)
    later(601)
    cast.door.post(f"rooms/{cast.room}/settings", {"locked": True}, cast.host_key)
    back = cast.door.post(f"rooms/{cast.room}/participants", {"name": "Bob", "again": cast.bob.token})
    assert back["type"] == "/problems/room-locked"


def test_what_is_uploaded_is_shown_in_the_page_only_where_it_can_run_nothing(cast: Cast):
    rec, recording, _ = cast.recorded()
    rec.uploads(recording, "evil.html", b"<script>alert(1)</script>", media_type="text/html")
    found = cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]
    urls = {one["name"]: one["url"] for one in found["artifacts"]}

    evil, film = cast.door.ask("GET", urls["evil.html"]), cast.door.ask("GET", urls["track.webm"])

    assert evil.headers["Content-Disposition"].startswith("attachment")
    assert film.headers["Content-Disposition"].startswith("inline")
    assert "default-src 'none'" in evil.headers["Content-Security-Policy"]
    assert "sandbox" in evil.headers["Content-Security-Policy"]


def test_links_made_by_the_release_before_are_still_good():
    links = auth.Links("a secret")
    old = links._signer.dumps(["a1", 123, "h1"])

    assert links.check("a1", old) == ("h1", "")
    assert links.check("a1", links.sign("a1", by="Ana")) == ("", "Ana")


# -- who makes rooms -------------------------------------------------------------------------------------------------------------


def test_with_a_key_for_rooms_only_who_knows_it_makes_one(sqlite, open_house):
    house = open_house(sqlite.settings(room_creation="key", room_key="sesame-open", admin_key="ak_0123456789abcdef"))
    wish = {"title": "x"}

    assert house.post("rooms", wish)["type"] == "/problems/room-key-needed"
    assert house.post("rooms", wish, "wrong").status == 403
    assert house.post("rooms", wish, "sesame-open").status == 201
    assert house.post("rooms", wish, "ak_0123456789abcdef").status == 201
    assert b'id="room-key"' in house.ask("GET", "/").content


def test_where_only_administrators_make_rooms_the_room_key_makes_none(sqlite, open_house):
    house = open_house(sqlite.settings(room_creation="admin", room_key="sesame-open", admin_key="ak_0123456789abcdef"))

    assert house.post("rooms", {"title": "x"}, "sesame-open").status == 403
    assert house.post("rooms", {"title": "x"}, "ak_0123456789abcdef").status == 201


def test_who_guesses_keys_is_locked_out_and_a_right_one_opens_nothing_then(sqlite, open_house):
    house = open_house(sqlite.settings(room_creation="key", room_key="sesame-open", keys_per_address="3/hour"))
    guesses = [house.post("rooms", {"title": "x"}, f"guess {n}").status for n in range(3)]

    locked_out = house.post("rooms", {"title": "x"}, "sesame-open")

    assert guesses == [403, 403, 403]
    assert locked_out.status == 429
    assert 0 < int(locked_out.headers["Retry-After"]) <= 3600


def test_who_guesses_host_keys_is_locked_out_too(sqlite, open_house):
    cast = Cast(open_house(sqlite.settings(keys_per_address="3/hour")))
    for n in range(3):
        assert cast.door.get(f"rooms/{cast.room}/recordings", f"hk_guess{n}").status == 403

    assert cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key).status == 429
    assert cast.door.get(f"rooms/{cast.room}/recordings", cast.alice.token).status == 200


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"ROOM_CREATION": "key"}, "LETTERBOX_ROOM_KEY"),
        ({"ROOM_CREATION": "some"}, "say `open`, `key` or `admin`"),
        ({"ADMIN_KEY": "short"}, "LETTERBOX_ADMIN_KEY is too short"),
        ({"ADMIN_HEADER": "X-Remote-User", "ADMINS": "ana"}, "LETTERBOX_PROXY_ADDRESSES"),
        ({"OIDC_ISSUER": "https://login.example", "ADMINS": "ana"}, "LETTERBOX_OIDC_CLIENT_ID"),
        ({"OIDC_ISSUER": "https://x", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"}, "LETTERBOX_ADMINS"),
        ({"PROXY_ADDRESSES": "the proxy"}, "LETTERBOX_PROXY_ADDRESSES"),
    ],
)
def test_a_door_that_is_half_set_up_stops_the_start(tmp_path, environ, says):
    with pytest.raises(BadSetting, match=says):
        Settings.from_environ({f"LETTERBOX_{name}": value for name, value in (environ | {"DATA_DIR": str(tmp_path)}).items()})
