"""Whoever runs this server: how they sign in, what keeps others out, what they see, and what is written down of everybody."""

import csv
import io
import logging
import re

import issuer
import pytest
import requests

from tests.people import RECORDER_KEY, Cast, House

KEY = "ak_of_the_tests_0123456789"


class Desk:
    """An administrator's browser: keeps cookies, finds the token of a form."""

    def __init__(self, house: House, **base: str) -> None:
        self.client = house.app.test_client()
        self.base = base

    def get(self, path: str, **headers: str):
        return self.client.get(path, headers=self.base | headers)

    def post(self, path: str, csrf: str | None = None, **form: str):
        return self.client.post(path, data=form | ({"csrf_token": csrf} if csrf else {}), headers=self.base)

    def csrf(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/admin").text)
        assert found is not None
        return found[1]

    def signs_in(self, key: str = KEY) -> "Desk":
        assert self.post("/admin/sign-in", self.csrf(), key=key).status_code == 303
        return self

    def is_in(self) -> bool:
        return self.get("/admin/state").status_code == 200


@pytest.fixture
def run_house(sqlite, open_house) -> House:
    return open_house(sqlite.settings(admin_key=KEY))


def actions(house: House, **wanted: str) -> list[str]:
    rows = house.ask("GET", "/admin/state", token=KEY).json["audit"]
    return [row["action"] for row in reversed(rows) if all(row[name] == value for name, value in wanted.items())]


# -- signing in ------------------------------------------------------------------------------------------------------------------


def test_without_any_way_to_sign_in_there_is_no_admin_page(sqlite, open_house):
    house = open_house(sqlite.settings())

    for path in ("/admin", "/admin/state", "/admin/audit.csv", "/admin/oidc"):
        assert house.ask("GET", path).status == 404


def test_the_admin_key_opens_the_page_until_one_signs_out(run_house):
    desk = Desk(run_house)
    assert not desk.is_in()
    assert "admin-key" in desk.get("/admin").text

    desk.signs_in()

    assert desk.is_in()
    cookie = desk.client.get_cookie("letterbox-admin", path="/admin")
    assert (cookie.http_only, cookie.same_site, cookie.path) == (True, "Strict", "/admin")
    stolen = cookie.value
    assert desk.post("/admin/sign-out", desk.csrf()).status_code == 303
    assert not desk.is_in()
    desk.client.set_cookie("letterbox-admin", stolen, path="/admin")
    assert not desk.is_in()


def test_over_tls_the_cookie_goes_nowhere_else(sqlite, open_house):
    house = open_house(sqlite.settings(admin_key=KEY, trusted_proxies=1))
    desk = Desk(house, **{"X-Forwarded-Proto": "https"})

    desk.get("/admin")

    assert "Secure" in desk.get("/admin").headers.get("Set-Cookie", "Secure")
    assert all(cookie.secure for cookie in desk.client._cookies.values())


def test_no_other_page_sets_or_reads_a_cookie(run_house):
    room, _ = run_house.room()
    for path in ("/", f"/r/{room}", "/api", "/check", f"/api/v1/rooms/{room}"):
        assert "Set-Cookie" not in run_house.ask("GET", path).headers


def test_a_session_ends_by_itself_and_with_another_admin_key(run_house, open_house, later):
    desk = Desk(run_house).signs_in()
    cookie = desk.client.get_cookie("letterbox-admin", path="/admin").value
    changed = open_house(type(run_house.settings)(**vars(run_house.settings) | {"admin_key": KEY + "new"}))
    other = Desk(changed)
    other.client.set_cookie("letterbox-admin", cookie, path="/admin")
    assert not other.is_in()
    assert desk.is_in()

    later(12 * 3600 + 1)

    assert not desk.is_in()


def test_who_guesses_the_admin_key_is_locked_out(sqlite, open_house):
    house = open_house(sqlite.settings(admin_key=KEY, keys_per_address="3/hour"))
    desk = Desk(house)
    csrf = desk.csrf()
    statuses = [desk.post("/admin/sign-in", csrf, key=f"guess {n}").status_code for n in range(3)]

    assert statuses == [303, 303, 303]
    assert desk.post("/admin/sign-in", csrf, key=KEY).status_code == 429
    assert house.ask("GET", "/admin/state", token=KEY).status == 429


def test_a_form_of_another_sites_page_does_nothing(run_house):
    desk = Desk(run_house).signs_in()
    others = Desk(run_house).csrf()

    for csrf in (None, "x", others):
        assert desk.post("/admin/rooms", csrf, title="x").status_code == 403
        assert desk.post("/admin/sign-out", csrf).status_code == 403
        assert desk.post("/admin/sign-in", csrf, key=KEY).status_code == 403
    assert desk.is_in()
    assert desk.post("/admin/rooms", desk.csrf(), title="x").status_code == 201


def test_no_frame_shows_the_admin_page_and_no_cache_keeps_it(sqlite, open_house):
    house = open_house(sqlite.settings(admin_key=KEY, embed_origins=("*",)))

    reply = house.ask("GET", "/admin")

    assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
    assert reply.headers["Cache-Control"] == "no-store"


def test_no_key_but_the_admins_opens_the_admin_page(run_house):
    cast = Cast(run_house)

    for token in (None, "wrong", cast.host_key, cast.alice.token, RECORDER_KEY):
        for path in ("/admin/state", "/admin/audit.csv"):
            assert run_house.ask("GET", path, token=token).status in (401, 403), (path, token)
    assert run_house.ask("GET", "/admin/state", token=KEY).status == 200


# -- single sign-on --------------------------------------------------------------------------------------------------------------


def test_a_reverse_proxys_word_is_taken_and_a_strangers_is_not(sqlite, open_house):
    ours = {"trusted_proxies": 1, "admin_header": "X-Remote-User", "admins": ("Ana@example.org",)}
    settings = ours | {"proxy_addresses": ("127.0.0.0/8",)}
    behind = open_house(sqlite.settings(**settings))
    exposed = open_house(sqlite.settings(**settings | {"proxy_addresses": ("10.9.9.9/32",)}))

    assert Desk(behind, **{"X-Remote-User": "ana@example.org"}).is_in()
    assert not Desk(behind, **{"X-Remote-User": "eve@example.org"}).is_in()
    assert not Desk(behind).is_in()
    assert not Desk(exposed, **{"X-Remote-User": "ana@example.org"}).is_in()
    assert "eve@example.org" in Desk(behind, **{"X-Remote-User": "eve@example.org"}).get("/admin").text


@pytest.fixture
def provider():
    with issuer.running() as started:
        yield started


@pytest.fixture
def by_oidc(sqlite, open_house, provider) -> House:
    ours = {"oidc_client_id": issuer.CLIENT, "oidc_client_secret": issuer.SECRET, "admins": ("ana@example.org", "u7")}
    return open_house(sqlite.settings(oidc_issuer=provider.url, **ours))


def goes_to_the_provider_and_back(desk: Desk) -> str:
    """The way back, as the provider says it."""
    away = desk.get("/admin/oidc")
    assert away.status_code == 303, away.text
    back = requests.get(away.headers["Location"], allow_redirects=False, timeout=10).headers["Location"]
    return back.partition("localhost")[2]


def test_who_signs_in_by_openid_connect_is_in(by_oidc, provider):
    desk = Desk(by_oidc)

    welcome = desk.get(goes_to_the_provider_and_back(desk))

    assert welcome.status_code == 200, welcome.text
    assert 'content="0; url=/admin"' in welcome.text
    assert desk.is_in()
    assert desk.get("/admin/state").json["audit"][0]["actor"] == "ana@example.org"
    provider.says = {"sub": "u7"}
    other = Desk(by_oidc)
    other.get(goes_to_the_provider_and_back(other))
    assert other.is_in()


@pytest.mark.parametrize(
    "says",
    [{"sub": "u2"}, {"sub": "u2", "email": "ana@example.org"},
     {"sub": "u2", "email": "ana@example.org", "email_verified": "false"},
     {"sub": "u2", "email": "eve@example.org", "email_verified": True}],
)  # fmt: skip
def test_who_is_no_administrator_is_not_in_nor_whose_address_nobody_has_verified(by_oidc, provider, says):
    provider.says, desk = says, Desk(by_oidc)

    assert desk.get(goes_to_the_provider_and_back(desk)).status_code == 403
    assert not desk.is_in()


def test_an_answer_that_is_not_the_providers_is_not_believed(by_oidc, provider):
    lies = {
        "another signer": {"signs": issuer.RSAKey.generate_key(2048, {"kid": "1"})},
        "another issuer": {"says": {"sub": "u7", "iss": "https://evil.example"}},
        "for somebody else": {"says": {"sub": "u7", "aud": "another client"}},
        "another attempt's": {"says": {"sub": "u7", "nonce": "replayed"}},
        "over": {"says": {"sub": "u7", "exp": 1}},
    }
    honest = {"signs": provider.key, "says": provider.says}
    for what, lie in lies.items():
        vars(provider).update(honest | lie)
        desk = Desk(by_oidc)
        assert desk.get(goes_to_the_provider_and_back(desk)).status_code == 403, what
        assert not desk.is_in(), what


def test_an_answer_to_another_browsers_attempt_is_not_taken(by_oidc):
    victim, attacker = Desk(by_oidc), Desk(by_oidc)
    back = goes_to_the_provider_and_back(attacker)

    assert victim.get(back).status_code == 403
    victim.get("/admin/oidc")
    assert victim.get(back).status_code == 403
    assert not victim.is_in()


def test_a_provider_that_is_away_is_said_to_be(sqlite, open_house):
    ours = {"oidc_client_id": "a", "oidc_client_secret": "b", "admins": ("ana",), "admin_key": KEY}
    house = open_house(sqlite.settings(oidc_issuer="http://127.0.0.1:9", **ours))

    assert Desk(house).get("/admin/oidc").status_code == 503
    assert Desk(house).signs_in().is_in()


# -- what is seen ----------------------------------------------------------------------------------------------------------------


def test_the_page_shows_how_the_server_stands(databases, open_house):
    run_house = open_house(databases.settings(admin_key=KEY))
    cast = Cast(run_house)
    cast.record()
    cast.bob.hear()
    parked = cast.bob.waits(5)
    run_house.server.measure()
    logging.getLogger("signaling.somewhere").warning("the cat sleeps on the router")

    said = Desk(run_house).signs_in().get("/admin/state").json

    assert said["figures"]["people"] == 3
    assert said["figures"]["rooms_in_use"] == said["figures"]["rooms_open"] == 2
    assert said["figures"]["recording"] == 1
    assert said["figures"]["parked"] >= 1
    fullest = said["rooms"][0]
    assert (fullest["room"], fullest["people"], fullest["recording"]) == (cast.room, 2, "starting")
    assert [(one["name"], one["capacity"], one["busy"]) for one in said["recorders"]] == [("Rec", 20, 1)]
    assert said["disk"]["free"] <= said["disk"]["total"]
    assert said["troubles"][0]["what"] == "the cat sleeps on the router"
    cast.alice.say(cast.bob)
    parked.result(10)


def test_the_queue_shows_what_is_worked_on_and_what_failed(run_house):
    cast = Cast(run_house)
    rec, recording, _ = cast.recorded()
    attempt = rec.calls(f"recordings/{recording}/jobs/poster/claim", {"worker": "w1"})["attempt"]
    rec.calls(f"recordings/{recording}/jobs/poster", {"attempt": attempt, "progress": 40})

    said = run_house.ask("GET", "/admin/state", token=KEY).json

    first = said["queue"][0]
    assert (first["step"], first["state"], first["progress"], first["worker"]) == ("poster", "running", 40, "w1")
    assert said["figures"]["processing"] == 1


def test_an_administrator_makes_a_room_for_somebody(run_house):
    desk = Desk(run_house).signs_in()

    made = desk.post("/admin/rooms", desk.csrf(), title="Board\x07 meeting").json

    key = made["host_link"].partition("#host=")[2]
    assert run_house.get(f"rooms/{made['room']}/recordings", key).status == 200
    assert run_house.get(f"rooms/{made['room']}")["title"] == "Board meeting"


# -- the audit log ---------------------------------------------------------------------------------------------------------------


def test_who_recorded_watched_downloaded_shared_and_deleted_is_written_down(run_house):
    cast = Cast(run_house)
    _, recording, _ = cast.recorded()
    found = cast.door.get(f"rooms/{cast.room}/recordings", cast.alice.token)["recordings"][0]
    url = found["artifacts"][0]["url"]
    cast.door.ask("GET", url)
    cast.door.ask("GET", url, Range="bytes=5-")  # a player, a moment later
    cast.door.ask("GET", url + "&download=1")
    share = cast.door.post(f"recordings/{recording}/shares", {"name": "Cleo"}, cast.alice.token)
    opened = cast.door.post(f"shares/{share['id']}/open", {"secret": share["url"].partition("#")[2]})
    cast.door.ask("GET", opened["recording"]["archive"])
    cast.door.post(f"recordings/{recording}/delete", {}, cast.alice.token)

    by_alice = actions(run_house, actor="Alice")
    assert by_alice == ["recording-start", "recording-stop", "watched", "downloaded", "shared", "recording-deleted"]
    assert actions(run_house, actor=f"share {share['id']}") == ["share-opened", "downloaded"]
    rows = run_house.ask("GET", "/admin/state", token=KEY).json["audit"]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert next(row for row in rows if row["action"] == "downloaded")["subject"] == recording


def test_what_did_not_happen_is_not_written_down(run_house):
    cast = Cast(run_house)
    before = actions(run_house)

    cast.host("stop")
    cast.door.post(f"rooms/{cast.room}/close", {}, cast.bob.token)

    assert actions(run_house) == before


def test_signing_in_and_failing_to_is_written_down(run_house):
    desk = Desk(run_house)
    desk.post("/admin/sign-in", desk.csrf(), key="wrong")
    desk.signs_in()
    desk.post("/admin/sign-out", desk.csrf())

    assert actions(run_house)[-3:] == ["sign-in-refused", "signed-in", "signed-out"]


def test_the_audit_log_can_be_searched_and_taken_along(run_house):
    house = run_house
    house.room()
    cast = Cast(house)
    cast.door.post(f"rooms/{cast.room}/participants/{cast.bob.id}/remove", {}, cast.alice.token)
    evil = house.post(f"rooms/{cast.room}/participants", {"name": '=HYPERLINK("http://evil")', "host_key": cast.host_key})
    house.post(f"rooms/{cast.room}/close", {}, evil["token"])

    found = house.ask("GET", f"/admin/state?words={cast.room}", token=KEY).json["audit"]
    table = list(csv.reader(io.StringIO(house.ask("GET", "/admin/audit.csv", token=KEY).content.decode())))

    assert [row["action"] for row in found] == ["room-closed", "person-removed", "room-made"]
    assert table[0] == ["at", "action", "actor", "address", "room", "subject", "details"]
    # No spreadsheet takes what a person typed for a formula.
    assert next(row for row in table if row[1] == "room-closed")[2] == '\'=HYPERLINK("http://evil")'
    assert actions(house)[-1] == "audit-downloaded"


def test_the_audit_log_is_kept_as_long_as_is_said(sqlite, open_house, later):
    from signaling import audit

    house = open_house(sqlite.settings(admin_key=KEY, audit_days=30))
    house.room()
    later(29 * 86_400)
    audit.sweep(house.server)
    assert actions(house) == ["room-made"]

    later(2 * 86_400)
    audit.sweep(house.server)

    assert actions(house) == []


def test_every_action_that_is_written_has_words_on_the_page():
    import json
    from pathlib import Path

    root = Path(__file__).resolve().parent.parent.parent
    source = "\n".join(path.read_text() for path in (root / "signaling").rglob("*.py"))
    written = set(re.findall(r'(?:noted|audit\.write)\(\s*tx,\s*"([a-z-]+)"', source))
    written |= {"recording-start", "recording-held", "recording-released", "downloaded", "watched", "made-host", "made-guest"}

    for language in ("en", "de"):
        words = json.loads((root / "locales" / f"{language}.json").read_text())
        assert {f"admin.action.{action}" for action in written} <= words.keys()
