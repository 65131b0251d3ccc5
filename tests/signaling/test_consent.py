"""Who may be recorded: asked, answered, written down word for word, told to everybody, and changed at any time."""

from typing import Any

import pytest
from people import RECORDER_KEY, Cast, House, Person

TEXT = "May you be recorded?"


def ledger(cast: Cast, recording: str) -> list[dict[str, Any]]:
    return cast.door.get(f"recordings/{recording}", RECORDER_KEY)["consent"]


def told(person: Person) -> list[Any]:
    return [body for kind, body in person.is_told() if kind == "consent"]


def test_answer_is_a_row_with_the_words_that_were_shown(cast: Cast) -> None:
    _, recording, _ = cast.record()
    given = cast.bob.answers("given", recording, text="Alice nimmt auf. Darf man dich aufnehmen?", language="de-CH")
    assert (given.status, given.json) == (200, {"recording": recording, "participant": cast.bob.id, "answer": "given"})
    (row,) = ledger(cast, recording)
    assert row.pop("at_ms") > 1_700_000_000_000
    assert row == {
        "participant": cast.bob.id, "name": "Bob", "answer": "given", "how": "asked",
        "text": "Alice nimmt auf. Darf man dich aufnehmen?", "language": "de-CH",
    }  # fmt: skip
    shown_to_the_host = cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]["consent"]
    assert [(one["name"], one["answer"]) for one in shown_to_the_host] == [("Bob", "given")]


def test_everybody_is_told_and_so_is_the_recorder_in_the_room(cast: Cast) -> None:
    _, recording, _ = cast.record()
    wish = {"name": "Recorder", "kind": "recorder", "recording": recording}
    recorder = Person(cast.door, cast.door.post(f"rooms/{cast.room}/participants", wish, RECORDER_KEY))
    cast.bob.answers("declined", recording)
    news = {"recording": recording, "participant": cast.bob.id, "answer": "declined"}
    assert told(cast.alice) == told(cast.bob) == told(recorder) == [news]
    assert told(cast.charlie) == []


def test_who_comes_later_learns_what_everybody_has_answered(cast: Cast) -> None:
    _, recording, _ = cast.record()
    cast.bob.answers("declined", recording)
    cast.alice.answers("given", recording, how="started")
    late = cast.door.join(cast.room, "Dora")
    wish = {"name": "Recorder", "kind": "recorder", "recording": recording}
    recorder = cast.door.post(f"rooms/{cast.room}/participants", wish, RECORDER_KEY)
    expected = {cast.alice.id: "given", cast.bob.id: "declined"}
    assert {one["id"]: one["consent"] for one in late.joined["participants"]} == expected
    assert {one["id"]: one["consent"] for one in recorder["participants"]} == expected | {late.id: None}


def test_the_newest_answer_holds_and_every_one_is_kept(cast: Cast) -> None:
    _, recording, _ = cast.record()
    for answer in ("given", "withdrawn", "given"):
        assert cast.bob.answers(answer, recording).status == 200
    assert [row["answer"] for row in ledger(cast, recording)] == ["given", "withdrawn", "given"]
    assert [body["answer"] for body in told(cast.alice)] == ["given", "withdrawn", "given"]
    assert cast.door.join(cast.room, "Dora").joined["participants"][1]["consent"] == "given"


def test_the_same_answer_again_changes_nothing_and_tells_nobody(cast: Cast) -> None:
    """A proxy may send a request twice."""
    _, recording, _ = cast.record()
    first = cast.bob.answers("given", recording)
    again = cast.bob.answers("given", recording)
    assert (again.status, again.json) == (200, first.json)
    assert len(ledger(cast, recording)) == 1
    assert len(told(cast.alice)) == 1


def test_without_naming_it_the_recording_that_runs_is_meant(cast: Cast) -> None:
    _, recording, _ = cast.record()
    assert cast.bob.answers("given")["recording"] == recording


def test_nothing_is_answered_where_nothing_is_recorded(cast: Cast) -> None:
    nothing = cast.bob.answers("given")
    assert (nothing.status, nothing["type"]) == (409, "/problems/not-recording")
    _, recording, _ = cast.recorded()
    over = cast.bob.answers("withdrawn", recording)
    assert (over.status, over["type"]) == (409, "/problems/not-recording")
    assert ledger(cast, recording) == []


def test_unknown_recording_and_another_rooms_are_404(cast: Cast) -> None:
    _, recording, _ = cast.record()
    assert cast.bob.answers("given", "rnowhere").status == 404
    assert cast.charlie.answers("given", recording)["type"] == "/problems/no-such-recording"
    assert ledger(cast, recording) == []


@pytest.mark.parametrize("who", ["nobody", "another room", "the recorder", "a host key", "the recorder key"])
def test_only_a_participant_answers_and_only_for_itself(cast: Cast, who: str) -> None:
    rec, recording, _ = cast.record()
    token = {
        "nobody": None, "another room": cast.charlie.token, "the recorder": rec.token, "a host key": cast.host_key,
        "the recorder key": RECORDER_KEY,
    }[who]  # fmt: skip
    wish = {"recording": recording, "answer": "given", "text": TEXT, "language": "en"}
    refused = cast.door.post(f"rooms/{cast.room}/consent", wish, token)
    assert refused.status == (403 if who in ("another room", "the recorder") else 401)
    assert ledger(cast, recording) == []
    assert told(cast.bob) == []


def test_who_has_left_answers_no_more(cast: Cast) -> None:
    _, recording, _ = cast.record()
    cast.bob.leave()
    assert cast.bob.answers("given", recording).status == 410
    assert ledger(cast, recording) == []


def test_there_is_nothing_to_withdraw_before_it_was_given(cast: Cast) -> None:
    _, recording, _ = cast.record()
    cast.bob.answers("declined", recording)
    refused = cast.bob.answers("withdrawn", recording)
    assert (refused.status, refused["type"]) == (409, "/problems/nothing-to-withdraw")


def test_each_recording_asks_anew(cast: Cast) -> None:
    _, first, _ = cast.recorded()
    _, second, _ = cast.record()
    cast.bob.answers("given", second)
    assert ledger(cast, first) == []
    assert [row["name"] for row in ledger(cast, second)] == ["Bob"]


def test_a_notice_is_no_consent_on_a_server_that_asks(cast: Cast) -> None:
    _, recording, _ = cast.record()
    assert cast.bob.answers("given", recording, how="notice").status == 403
    assert cast.bob.answers("given", recording, how="started").status == 403
    assert ledger(cast, recording) == []


def test_where_a_notice_is_enough_the_ledger_says_that_it_was_one(databases, open_house) -> None:
    cast = Cast(open_house(databases.settings(consent="notice")))
    _, recording, _ = cast.record()
    assert cast.door.get(f"rooms/{cast.room}")["consent"] == cast.bob.joined["consent"] == "notice"
    assert cast.bob.answers("given", recording, how="notice").status == 200
    assert cast.bob.answers("withdrawn", recording).status == 200
    assert [(row["answer"], row["how"]) for row in ledger(cast, recording)] == [("given", "notice"), ("withdrawn", "asked")]


@pytest.mark.parametrize(
    "broken",
    [
        {"answer": "maybe"},
        {"text": ""},
        {"text": " "},
        {"text": "x" * 2001},
        {"text": "\0"},
        {"language": "English!"},
        {"how": "guessed"},
    ],
)
def test_an_answer_that_says_nothing_is_422(cast: Cast, broken: dict[str, str]) -> None:
    _, recording, _ = cast.record()
    wish = {"recording": recording, "answer": "given", "text": TEXT, "language": "en"} | broken
    refused = cast.door.post(f"rooms/{cast.room}/consent", wish, cast.bob.token)
    assert refused.status == 422
    assert refused["errors"][0]["field"] == next(iter(broken))


def test_the_ledger_outlives_the_recording(house: House, engine) -> None:
    from sqlalchemy import select

    from signaling.models import Consent

    cast = Cast(house)
    rec, recording, segment = cast.record()
    cast.bob.answers("given", recording)
    cast.host("stop")
    rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "stopped", "duration_ms": 0})
    assert cast.door.post(f"recordings/{recording}/delete", {}, cast.host_key).status == 200
    with engine.connect() as connection:
        assert connection.execute(select(Consent.name, Consent.text)).all() == [("Bob", TEXT)]
    engine.dispose()
