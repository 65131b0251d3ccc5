"""A link opens one recording: for a while, with a password, to watch or to take along; and it can be taken back."""

import pytest
from people import Cast, House


@pytest.fixture
def house(databases, open_house) -> House:
    return open_house(databases.settings(passwords_per_share="3/minute"), housekeeping=False)


@pytest.fixture
def recording(cast: Cast) -> str:
    """With a film and a track."""
    rec, recording, _ = cast.recorded({"ana.webm": b"her picture"})
    rec.uploads(recording, "film.mp4", b"the film", kind="composed", media_type="video/mp4")
    return recording


def share(cast: Cast, recording: str, **wish):
    return cast.door.post(f"recordings/{recording}/shares", wish, cast.alice.token)


def opens(cast: Cast, made, password: str | None = None):
    _, _, secret = made["url"].partition("#")
    return cast.door.post(f"shares/{made['id']}/open", {"secret": secret, "password": password})


def names(opened) -> list[str]:
    return sorted(artifact["name"] for artifact in opened["recording"]["artifacts"])


def test_who_has_the_link_sees_the_recording_and_takes_it_along(cast: Cast, recording: str) -> None:
    made = share(cast, recording, name="Cleo")
    assert (made.status, made["password"], made["downloads"], made["expires_at_ms"]) == (201, False, True, None)

    opened = opens(cast, made)

    assert names(opened) == ["ana.webm", "film.mp4"]
    assert {cast.door.get(artifact["url"]).content for artifact in opened["recording"]["artifacts"]} == {
        b"her picture",
        b"the film",
    }
    assert cast.door.get(opened["recording"]["archive"]).status == 200
    listed = cast.door.get(f"recordings/{recording}/shares", cast.alice.token)["shares"]
    assert [(one["name"], one["opened"]) for one in listed] == [("Cleo", 1)]
    assert "url" not in listed[0], "nobody can read the secret again"


def test_to_watch_is_not_to_take_along(cast: Cast, recording: str) -> None:
    opened = opens(cast, share(cast, recording, downloads=False))

    assert names(opened) == ["film.mp4"]
    assert "archive" not in opened["recording"]
    assert opened["downloads"] is False


def test_link_ends_with_its_time_and_takes_its_addresses_with_it(cast: Cast, recording: str, later) -> None:
    made = share(cast, recording, expires_in_s=3600)
    address = opens(cast, made)["recording"]["artifacts"][0]["url"]
    assert cast.door.get(address).status == 200

    later(3601)

    assert (opens(cast, made).status, opens(cast, made)["type"]) == (404, "/problems/no-such-share")
    assert cast.door.get(address).status == 403


def test_link_that_was_taken_back_opens_nothing_any_more(cast: Cast, recording: str) -> None:
    made = share(cast, recording)
    opened = opens(cast, made)

    assert cast.door.post(f"recordings/{recording}/shares/{made['id']}/revoke", {}, cast.alice.token).status == 200

    assert opens(cast, made).status == 404
    assert cast.door.get(opened["recording"]["artifacts"][0]["url"]).status == 403
    assert cast.door.get(opened["recording"]["archive"]).status == 403
    assert cast.door.post(f"recordings/{recording}/shares/{made['id']}/revoke", {}, cast.alice.token).status == 200


def test_password_is_asked_for_and_guessing_is_stopped(cast: Cast, recording: str, later) -> None:
    made = share(cast, recording, password="sesame")
    assert (opens(cast, made).status, opens(cast, made)["type"]) == (403, "/problems/password-needed")
    assert opens(cast, made, "sesame").status == 200
    assert opens(cast, made, "Sesame")["type"] == "/problems/wrong-password"
    assert opens(cast, made, "open")["type"] == "/problems/wrong-password"
    assert opens(cast, made, "sesame").status == 429


@pytest.mark.parametrize("secret", ["", "sh_wrong", "pt_x"])
def test_without_its_secret_a_link_is_none(cast: Cast, recording: str, secret: str) -> None:
    made = share(cast, recording)
    assert cast.door.post(f"shares/{made['id']}/open", {"secret": secret}).status == 404
    assert cast.door.post("shares/hnobody/open", {"secret": secret}).status == 404


def test_only_the_host_shares_and_sees_the_links(cast: Cast, recording: str) -> None:
    made = share(cast, recording)
    for token in (cast.bob.token, cast.charlie.token, cast.other_key):
        assert cast.door.post(f"recordings/{recording}/shares", {}, token).status == 403
        assert cast.door.get(f"recordings/{recording}/shares", token).status == 403
        assert cast.door.post(f"recordings/{recording}/shares/{made['id']}/revoke", {}, token).status == 403
    assert opens(cast, made).status == 200


def test_deleting_a_recording_ends_its_links(cast: Cast, recording: str) -> None:
    made = share(cast, recording)
    assert cast.door.post(f"recordings/{recording}/delete", {}, cast.alice.token).status == 200
    assert opens(cast, made).status == 404


@pytest.mark.parametrize("wish", [{"expires_in_s": 1}, {"password": ""}, {"downloads": "maybe"}, {"name": "a\nb"}, {"more": 1}])
def test_nonsense_is_422_and_makes_no_link(cast: Cast, recording: str, wish: dict) -> None:
    assert share(cast, recording, **wish).status == 422
    assert cast.door.get(f"recordings/{recording}/shares", cast.alice.token)["shares"] == []
