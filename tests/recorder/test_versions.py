"""Other films of the same recording, and a person taken out of it: from the host's call to the decoded file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tracks
from people import eventually
from tracks import GREEN, RED, Film
from workshop import LIMIT_S, Workshop

from recorder import manifest as manifests
from recorder.waveform import Waveform


@pytest.fixture
def ready(sqlite, serve, tmp_path: Path) -> Iterator[Workshop]:
    """Three seconds of Ana (red, a beep at 0.5) and, from the first second on, Ben (green)."""
    made = Workshop(serve(sqlite.settings()), tmp_path)
    made.work()
    made.enqueue(*made.record())
    assert made.comes_to("ready", "failed")["state"] == "ready"
    yield made
    made.close()


def test_versions_of_some_people_of_a_stretch_in_another_format_are_kept_beside_the_first(ready: Workshop) -> None:
    asked = ready.ask("versions", title="Only Ben", people=["pben"], start_ms=1000, end_ms=2500, format="webm")
    again = ready.ask("versions", title="Only Ben", layout="speaker", format="webm")

    assert (asked.status, again.status) == (202, 202)
    assert [(one["n"], one["title"]) for one in again["versions"]] == [(2, "Only Ben"), (3, "Only Ben")]
    assert ready.described()["state"] == "ready", "the first film stays to be watched"
    ready.enqueue("version-2")
    eventually(lambda: ready.version(3)["state"] in ("done", "failed"), LIMIT_S)
    second, third = ready.film(2), ready.film(3)
    assert second["name"] == "2026-11-23 Board meeting – Only Ben.webm"
    assert third["name"] == "2026-11-23 Board meeting – Only Ben 3.webm"
    meta = second["meta"]
    assert (meta["start_us"], meta["duration_us"], meta["people"]) == (1_000_000, 1_500_000, ["pben"])
    film = Film(ready.download(second))
    assert film.seconds == pytest.approx(1.5, abs=0.15)
    assert tracks.is_colour(film.picture(0.5)[100, 640], GREEN)
    assert film.beeps() == []
    assert Film(ready.download(third)).beeps() == pytest.approx([0.5], abs=0.05)
    assert ready.film(1)["name"] == "2026-11-23 Board meeting.mp4"

    assert ready.ask("versions/2/delete").status == 200

    assert [one["n"] for one in ready.described()["versions"]] == [3]
    assert [one["meta"]["version"] for one in ready.described()["artifacts"] if one["kind"] == "composed"] == [1, 3]
    assert ready.ask("versions/2/delete").status == 404


def test_a_person_is_taken_out_everywhere_and_the_act_is_on_record(ready: Workshop) -> None:
    ready.ask("versions", title="Both", people=["pana", "pben"])
    ready.enqueue("version-2")
    eventually(lambda: ready.version(2)["state"] == "done", LIMIT_S)
    before = {one["id"]: one["url"] for one in ready.described()["artifacts"]}

    gone = ready.ask("people/remove", people=["pben"])

    assert gone.status == 202
    assert gone["deleted"]["files"] > 1
    left = ready.described()
    assert {one["kind"] for one in left["artifacts"]} == {"track", "segment"}, "nothing that shows him can be seen from now on"
    ready.enqueue("poster")
    assert ready.comes_to("ready", "failed")["state"] == "ready"
    eventually(lambda: ready.version(2)["state"] == "done", LIMIT_S)
    found = ready.described()
    assert [one["participant"] for one in found["removed"]] == ["pben"]
    assert {one["meta"]["participant"] for one in found["artifacts"] if one["kind"] == "track"} == {"pana"}
    kinds = {one["kind"]: one for one in found["artifacts"]}
    whole = manifests.load(ready.download(kinds["manifest"]))
    assert ([one.id for one in whole.participants], {one.participant for one in whole.tracks}) == (["pana"], {"pana"})
    assert b"Ben" not in ready.download(kinds["segment"]).read_bytes()
    waveform = Waveform.model_validate_json(ready.download(kinds["waveform"]).read_bytes())
    assert [one.name for one in waveform.speaking] == ["Ana"]
    for number in (1, 2):
        film = Film(ready.download(ready.film(number)))
        assert tracks.is_colour(film.picture(2.5)[90, 160] if number == 1 else film.picture(2.5)[360, 960], RED)
    assert ready.version(2)["people"] == ["pana"]
    gone_ids = before.keys() - {one["id"] for one in found["artifacts"]}
    assert all(ready.cast.door.get(before[one].removeprefix("/api/v1/")).status == 404 for one in gone_ids)
    assert ready.ask("people/remove", people=["pana"])["type"] == "/problems/nobody-left"
    assert ready.ask("people/remove", people=["pzoe"]).status == 404


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"people": ["pzoe"]}, "people"), ({"people": []}, "people"), ({"start_ms": 3000}, "start_ms"),
        ({"start_ms": 2000, "end_ms": 2000}, "start_ms"), ({"layout": "circle"}, "layout"), ({"format": "avi"}, "format"),
        ({"title": "a\nb"}, "title"), ({"start_ms": -1}, "start_ms"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_is_refused_with_its_field(cast, wish: dict[str, object], field: str) -> None:
    rec, recording, _ = cast.recorded({"ana.webm": b"picture"})
    finish(rec, recording)

    refused = cast.door.post(f"recordings/{recording}/versions", wish, cast.host_key)

    assert (refused.status, refused["errors"][0]["field"].split(".")[0]) == (422, field)


def finish(rec, recording: str) -> None:
    from signaling.library.jobs import STEPS

    for name in STEPS:
        attempt = rec.calls(f"recordings/{recording}/jobs/{name}/claim", {"worker": "w"})["attempt"]
        rec.calls(f"recordings/{recording}/jobs/{name}", {"attempt": attempt, "state": "done"})


def test_only_a_host_has_films_made_and_only_of_what_is_ready(cast) -> None:
    rec, recording, _ = cast.recorded()
    early = cast.door.post(f"recordings/{recording}/versions", {}, cast.host_key)
    finish(rec, recording)

    guest = cast.door.post(f"recordings/{recording}/versions", {}, cast.bob.token)

    assert (early.status, early["type"]) == (409, "/problems/not-ready")
    assert guest.status == 403
    assert cast.door.post(f"recordings/{recording}/people/remove", {"people": ["pana"]}, cast.bob.token).status == 403


def test_a_version_that_fails_keeps_nothing_else_from_being_made_and_can_be_tried_again(cast) -> None:
    rec, recording, _ = cast.recorded()
    finish(rec, recording)
    for _ in range(2):
        assert cast.door.post(f"recordings/{recording}/versions", {}, cast.host_key).status == 202
    for _ in range(3):
        attempt = rec.calls(f"recordings/{recording}/jobs/version-2/claim", {"worker": "w"})["attempt"]
        told = rec.calls(
            f"recordings/{recording}/jobs/version-2", {"attempt": attempt, "state": "failed", "reason": "The disk is full."}
        )

    assert told["next"] == ["version-3"]
    assert cast.state(recording) == "ready"
    assert rec.calls(f"recordings/{recording}/jobs/version-3/claim", {"worker": "w"}).status == 200
    rec.calls(f"recordings/{recording}/jobs/version-3", {"attempt": 1, "state": "done"})
    assert cast.door.post(f"recordings/{recording}/retry", {}, cast.host_key).status == 200
    assert rec.calls(f"recordings/{recording}/jobs/version-2/claim", {"worker": "w"}).status == 200
