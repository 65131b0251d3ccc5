"""Segments become one recording on one timeline; what is written can be read again."""

from pathlib import Path

import pytest
import tracks
from pydantic import ValidationError

from recorder import manifest as manifests
from recorder.manifest import Event, Manifest, Track


def part(segment: str, begun_after_s: float, seconds: float, people: list) -> Manifest:
    track = Track(
        file=f"{segment}.webm", segment=segment, participant="pana", source="camera", kind="video", codec="VP8",
        start_us=100_000, duration_us=1_000_000,
    )  # fmt: skip
    made = tracks.manifest(seconds, people, [track], segment=segment)
    made.started_at_ms += round(begun_after_s * 1000)
    made.events = [Event(at_us=500_000, kind="mark")]
    return made


def test_two_segments_lie_on_one_timeline_with_the_break_between_them() -> None:
    first = part("s1", 0, 10, [tracks.person("Ana", 0, 10)])
    second = part("s2", 15, 5, [tracks.person("Ana", 1, 5), tracks.person("Ben", 2, 5)])
    whole = manifests.stitch([second, first])
    assert whole.duration_us == 20_000_000
    assert [(segment.id, segment.start_us) for segment in whole.segments] == [("s1", 0), ("s2", 15_000_000)]
    assert [track.start_us for track in whole.tracks] == [100_000, 15_100_000]
    assert [event.at_us for event in whole.events] == [500_000, 15_500_000]
    assert [(person.name, person.joined_us, person.left_us) for person in whole.participants] == [
        ("Ana", 0, 20_000_000),
        ("Ben", 17_000_000, 20_000_000),
    ]


def test_stitching_leaves_the_parts_as_they_were() -> None:
    parts = [part("s1", 0, 10, [tracks.person("Ana", 0, 10)]), part("s2", 15, 5, [tracks.person("Ana", 0, 5)])]
    assert manifests.stitch(parts) == manifests.stitch(parts)


def test_one_segment_alone_is_the_recording() -> None:
    alone = part("s1", 0, 10, [tracks.person("Ana", 0, 10)])
    assert manifests.stitch([alone]) == alone


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = part("s1", 0, 10, [tracks.person("Ana", 0, 10)])
    manifests.save(made, tmp_path / "manifest.json")
    assert manifests.load(tmp_path / "manifest.json") == made
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_later_version_s_fields_do_no_harm_and_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"recording": "r1", "room": "x", "started_at_ms": 5, "mood": "good"}')
    assert manifests.load(path).started_at_ms == 5
    path.write_text('{"recording": "r1"}')
    with pytest.raises(ValidationError):
        manifests.load(path)


def answered(at_s: float, answer: str, who: str = "pana") -> Event:
    return Event(at_us=round(at_s * 1e6), kind="consent", participant=who, body={"answer": answer})


def test_who_may_be_recorded_when_is_told_by_the_answers() -> None:
    whole = tracks.manifest(20, [tracks.person("Ana", 0, 20), tracks.person("Ben", 0, 20)], [])
    whole.events = [answered(2, "given"), answered(5, "withdrawn"), answered(8, "given"), answered(1, "declined", "pben")]
    assert manifests.agreed(whole, "pana") == [(2_000_000, 5_000_000), (8_000_000, 20_000_000)]
    assert manifests.agreed(whole, "pben") == manifests.agreed(whole, "psilent") == []
    assert [manifests.is_recorded(whole, "pana", second * 1_000_000) for second in (1, 3, 6, 9)] == [False, True, False, True]


def test_consent_goes_on_into_the_segment_of_the_next_recorder() -> None:
    people = [tracks.person("Ana", 0, 10)]
    parts = [part("s1", 0, 10, people), part("s2", 15, 5, people)]
    parts[0].events, parts[1].events = [answered(0, "given")], [answered(0, "given"), answered(3, "withdrawn")]
    assert manifests.agreed(manifests.stitch(parts), "pana") == [(0, 18_000_000)]


def test_a_manifest_from_before_anybody_was_asked_shows_everybody() -> None:
    whole = tracks.manifest(20, [tracks.person("Ana", 0, 20)], [])
    assert manifests.is_recorded(whole, "pana", 10_000_000)


def test_what_was_recorded_before_a_withdrawal_is_kept_and_marked() -> None:
    whole = part("s1", 0, 20, [tracks.person("Ana", 0, 20)])
    later = whole.tracks[0].model_copy(update={"start_us": 9_000_000})
    whole.tracks.append(later)
    whole.events = [answered(0, "given"), answered(5, "withdrawn"), answered(8, "given"), answered(12, "declined", "pben")]
    manifests.mark_withdrawn(whole)
    assert [track.withdrawn for track in whole.tracks] == [True, False]
