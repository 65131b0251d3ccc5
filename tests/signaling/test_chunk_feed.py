"""Several web processes: what is posted at one is handed out at another, by way of a real Redis."""

import itertools
from collections.abc import Iterator
from typing import Any

import brokers
import pytest
from people import Cast, House, Person, eventually
from post import CAMERA, KEY, MICROPHONE, Post, record

from doctor import machine
from signaling.config import BadSetting, Settings


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with brokers.redis() as url:
        yield url


@pytest.fixture
def houses(sqlite, open_house, redis_url: str) -> tuple[House, House]:
    settings = sqlite.settings(chunks_url=redis_url, web_workers=2)
    return open_house(settings), open_house(settings)


@pytest.fixture
def apart(houses: tuple[House, House]) -> tuple[Post, Post]:
    """Alice asks the one process, Bob the other; both have said that they are there, and Alice's has heard of Bob."""
    cast = Cast(houses[0])
    alice, bob = Post(cast.alice), Post(Person(houses[1], cast.bob.joined))
    alice.calls(want="")

    def is_wanted() -> bool:
        # What is said before the other process has begun to read of this room is said again, as clients do.
        bob.calls(want=f"{alice.id}.0.0,{alice.id}.1.0")
        return bool(told(alice).get("wanted"))

    eventually(is_wanted)
    return alice, bob


def told(post: Post) -> dict[str, Any]:
    """What a sender hears of its camera."""
    post.calls(want="")
    found: dict[str, Any] = post.control["streams"].get("1", {})
    return found


def test_who_asks_another_process_is_heard_and_hears(apart: tuple[Post, Post], houses: tuple[House, House]) -> None:
    alice, bob = apart
    eventually(lambda: told(alice) == {"wanted": True, "key": True})
    waiting = bob.waits(f"{alice.id}.0.0,{alice.id}.1.0")
    eventually(lambda: houses[1].server.chunks.parked == 1)

    packets = [record(MICROPHONE, n, b"packet") for n in range(1, 11)]
    pictures = [record(CAMERA, n, b"picture", KEY if n == 1 else 0) for n in range(1, 11)]
    alice.calls(b"".join(packets + pictures))

    waiting.result(timeout=30)
    assert sorted((chunk.stream, chunk.n) for chunk in bob.got) == [(stream, n) for stream in (0, 1) for n in range(1, 11)]


def test_a_reader_elsewhere_that_lost_the_picture_gets_a_key_frame_asked_for(
    apart: tuple[Post, Post], houses: tuple[House, House]
) -> None:
    alice, bob = apart
    waiting = bob.waits(f"{alice.id}.1.0")
    eventually(lambda: houses[1].server.chunks.parked == 1)
    alice.calls(record(CAMERA, 1, b"picture", KEY))
    waiting.result(timeout=30)
    numbers = itertools.count(2)

    def is_content() -> bool:
        # A wish for a key frame may have been under way when the first one came.
        alice.calls(record(CAMERA, next(numbers), b"picture", KEY))
        return told(alice).get("key") is False

    eventually(is_content)

    bob.calls(want=f"{alice.id}.1.{next(numbers)}k")

    eventually(lambda: told(alice).get("key"))


def test_several_processes_that_share_nothing_refuse_media_and_say_why(sqlite, open_house) -> None:
    cast = Cast(open_house(sqlite.settings(web_workers=2)))

    refused = Post(cast.alice).ask(want="")

    assert (refused.status, refused["type"]) == (403, "/problems/no-http-media")
    assert "LETTERBOX_CHUNKS_URL" in refused["detail"]
    assert cast.alice.joined["http_media"] is False


def test_while_redis_is_away_people_at_the_same_process_hear_each_other(sqlite, open_house) -> None:
    cast = Cast(open_house(sqlite.settings(chunks_url="redis://127.0.0.1:1/0")))
    alice, bob = Post(cast.alice), Post(cast.bob)
    bob.calls(want=f"{alice.id}.0.0")

    alice.sends(MICROPHONE, 1)

    assert [chunk.n for chunk in bob.calls(want=f"{alice.id}.0.0")] == [1]


def test_the_doctor_says_whether_processes_share_media(tmp_path, redis_url: str) -> None:
    def told(**values: object) -> tuple[str, str]:
        finding = machine.media_over_http(Settings(data_dir=tmp_path, **values))
        return finding.state, finding.mend

    assert told()[0] == "ok"
    assert told(web_workers=2, chunks_url=redis_url)[0] == "ok"
    assert told(http_media=False)[0] == "skipped"
    assert told(database_url="postgresql://db/letterbox")[0] == "warning"
    for broken in ({"web_workers": 2}, {"chunks_url": "redis://127.0.0.1:1/0"}):
        state, mend = told(**broken)
        assert state == "failed"
        assert "LETTERBOX_CHUNKS_URL" in mend


def test_an_address_that_is_none_stops_the_start(tmp_path) -> None:
    with pytest.raises(BadSetting, match="LETTERBOX_CHUNKS_URL"):
        Settings.from_environ({"LETTERBOX_DATA_DIR": str(tmp_path), "LETTERBOX_CHUNKS_URL": "localhost:6379"})
