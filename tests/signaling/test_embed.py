"""Pages of other origins: who may show a room in a frame, who may load its modules, whose scripts may call the API."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from signaling.config import BadSetting, Settings
from tests.people import Gunicorn, House, Person, eventually

HERE = "https://intranet.example"
ELSEWHERE = "https://evil.example"


@pytest.fixture
def embeddable(sqlite, open_house) -> House:
    return open_house(sqlite.settings(embed_origins=(HERE, "http://127.0.0.1:8080")))


@pytest.fixture
def closed(sqlite, open_house) -> House:
    return open_house(sqlite.settings())


def ancestors(reply) -> str:
    found = re.search(r"frame-ancestors ([^;]*)", reply.headers["Content-Security-Policy"])
    assert found is not None
    return found[1]


def allowed(reply) -> str | None:
    return reply.headers.get("Access-Control-Allow-Origin")


# -- the setting -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://Intranet.Example", ("https://intranet.example",)),
        ("https://a.example:443, http://b.example:80,http://b.example:81", ("https://a.example", "http://b.example", "http://b.example:81")),
        ("http://[::1]:8000,http://[::1]", ("http://[::1]:8000", "http://[::1]")),
        ("*", ("*",)),
    ],
)  # fmt: skip
def test_origins_are_read_as_browsers_write_them(tmp_path, text, origins):
    environ = {"LETTERBOX_DATA_DIR": str(tmp_path), "LETTERBOX_EMBED_ORIGINS": text}

    assert Settings.from_environ(environ).embed_origins == origins


@pytest.mark.parametrize(
    "text",
    ["intranet.example", "https://intranet.example/", "https://a.example/page", "https://*.example", "'self'", "ftp://a.example",
     "https://a.example; script-src *", "https://a.example https://b.example", "https://user@a.example", "null"],
)  # fmt: skip
def test_what_is_no_origin_stops_the_start_and_says_how_to_write_one(tmp_path, text):
    with pytest.raises(BadSetting, match=r"LETTERBOX_EMBED_ORIGINS=.* is no origin; write https://intranet\.example"):
        Settings.from_environ({"LETTERBOX_DATA_DIR": str(tmp_path), "LETTERBOX_EMBED_ORIGINS": text})


# -- frames ----------------------------------------------------------------------------------------------------------------------


def test_only_the_room_may_be_framed_and_only_by_who_is_named(embeddable):
    room, _ = embeddable.room()

    assert ancestors(embeddable.ask("GET", f"/r/{room}?embed=1")) == f"'self' {HERE} http://127.0.0.1:8080"
    assert (
        ancestors(embeddable.ask("GET", "/r/none")) == f"'self' {HERE} http://127.0.0.1:8080"
    )  # says that there is no such room
    for page in ("/", "/check", "/api", f"/r/{room}/recordings", "/s/none"):
        assert ancestors(embeddable.ask("GET", page)) == "'self'", page


def test_by_default_nobody_else_may_frame_anything(closed):
    room, _ = closed.room()

    assert ancestors(closed.ask("GET", f"/r/{room}?embed=1")) == "'self'"


def test_a_star_allows_all(sqlite, open_house):
    house = open_house(sqlite.settings(embed_origins=("*",)))

    assert ancestors(house.ask("GET", f"/r/{house.room()[0]}")) == "*"
    assert allowed(house.get(f"rooms/{house.room()[0]}", Origin=ELSEWHERE)) == "*"


def test_a_frame_may_use_what_the_page_around_it_hands_on(embeddable):
    policy = embeddable.ask("GET", f"/r/{embeddable.room()[0]}").headers["Permissions-Policy"]

    # `self` is the frame's own origin: nothing of what `allow=` hands on is given up again.
    for feature in ("camera", "microphone", "display-capture"):
        assert f"{feature}=(self)" in policy
    assert not re.search(r"(autoplay|fullscreen|picture-in-picture)=", policy)
    assert "X-Frame-Options" not in embeddable.ask("GET", f"/r/{embeddable.room()[0]}").headers


def test_the_address_says_how_an_embedded_room_is_drawn(embeddable):
    room, _ = embeddable.room("Board")

    page = embeddable.ask(
        "GET", f"/r/{room}?embed=1&chat=off&recording=off&theme=dark&lang=de&join=now&name=A%22B"
    ).content.decode()

    assert '<body class="room embedded no-chat no-recording"' in page
    assert f'data-embed-origins="{HERE} http://127.0.0.1:8080"' in page
    assert '<html lang="de">' in page
    assert '<link rel="stylesheet" href="/static/dark.css">' in page
    # Who left and comes again is asked again.
    again = f'href="/r/{room}?embed=1&amp;chat=off&amp;recording=off&amp;theme=dark&amp;lang=de&amp;name=A%22B"'
    assert again in page


def test_options_without_embed_change_nothing(embeddable):
    room, _ = embeddable.room()

    page = embeddable.ask("GET", f"/r/{room}?chat=off&theme=nonsense&lang=xx").content.decode()

    assert "no-chat" not in page
    assert "embed.css" not in page
    assert 'href="/static/dark.css" media="(prefers-color-scheme: dark)"' in page


# -- modules ---------------------------------------------------------------------------------------------------------------------


def test_pages_anywhere_may_load_the_modules_and_nothing_else(closed):
    for path in ("/static/embed.js", "/static/call/room.js", "/static/call/media.js"):
        reply = closed.ask("GET", path)
        assert (reply.status, allowed(reply)) == (200, "*"), path
    for path in ("/static/base.css", "/static/api/main.js", "/", "/static/call/../../app.py"):
        assert allowed(closed.ask("GET", path)) is None, path


# -- the API ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["direct", "flask"])
def live(request, sqlite, serve) -> Gunicorn:
    """A real server, both ways of the hot path."""
    return serve(sqlite.settings(), LETTERBOX_EMBED_ORIGINS=HERE, LETTERBOX_HOT_PATH=request.param)


def from_page(person: Person, origin: str, wait_s: int = 0):
    return person.door.get(f"mailbox?after={person.after}&wait_s={wait_s}&nonce=n", person.token, Origin=origin)


def test_every_answer_says_to_an_allowed_page_that_it_may_read_it(live):
    room, _ = live.room()
    ana, ben = live.join(room, "Ana"), live.join(room, "Ben")

    replies = {
        "a call": live.get(f"rooms/{room}", Origin=HERE),
        "a refusal": live.get("rooms/none", Origin=HERE),
        "a message": live.post("messages", {"messages": [ana.draft(ben)]}, ana.token, Origin=HERE),
        "a refused message": live.post("messages", {"messages": [{"n": 1}]}, ana.token, Origin=HERE),
        "a poll": from_page(ben, HERE),
        "a poll with a bad token": live.get("mailbox?after=0&wait_s=0&nonce=n", "pt_wrong", Origin=HERE),
        "polls together": live.post("mailboxes", {"polls": [{"token": ben.token}], "wait_s": 0}, Origin=HERE),
    }

    for what, reply in replies.items():
        assert (what, allowed(reply)) == (what, HERE)
        assert (what, reply.headers.get_list("Access-Control-Allow-Origin")) == (what, [HERE])
        assert "Origin" in reply.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in reply.headers
        assert reply.headers["Cache-Control"] == "no-store"


def test_a_poll_that_was_parked_says_so_too(live):
    room, _ = live.room()
    ana, ben = live.join(room, "Ana"), live.join(room, "Ben")
    ana.hear()

    with ThreadPoolExecutor(1) as pool:
        parked = pool.submit(from_page, ana, HERE, 20)
        metric = "letterbox_parked_polls"
        eventually(lambda: re.search(rf"^{metric}\S* [1-9]", live.ask("GET", "/metrics").content.decode(), re.MULTILINE), 10)
        ben.say(ana, {"text": "wake up"})
        reply = parked.result(20)

    assert reply["messages"][-1]["body"] == {"text": "wake up"}
    assert allowed(reply) == HERE


def test_a_page_that_is_not_allowed_may_read_nothing(live):
    room, _ = live.room()
    ana = live.join(room, "Ana")

    for reply in (
        live.get(f"rooms/{room}", Origin=ELSEWHERE),
        from_page(ana, ELSEWHERE),
        live.ask("OPTIONS", "messages", Origin=ELSEWHERE),
    ):
        assert allowed(reply) is None


@pytest.mark.parametrize("path", ["rooms", "messages", "mailbox?after=0", "mailboxes", "rooms/x/participants", "leave"])
def test_a_browser_that_asks_first_is_told_what_may_be_sent(embeddable, path):
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization,content-type"}
    reply = embeddable.ask("OPTIONS", path, Origin=HERE, **asked)

    assert reply.status == 200
    assert allowed(reply) == HERE
    assert reply.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert {"Authorization", "Content-Type"} <= set(reply.headers["Access-Control-Allow-Headers"].split(", "))


def test_by_default_nothing_is_said_to_other_origins(closed):
    room, _ = closed.room()

    reply = closed.get(f"rooms/{room}", Origin=HERE)

    assert allowed(reply) is None
    assert "Access-Control-Allow-Methods" not in closed.ask("OPTIONS", "rooms", Origin=HERE).headers
