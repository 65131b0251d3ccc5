"""What is handed in keeps apart what is not the same, whatever people are called and whoever hands in at the same time."""

import tracks

from recorder import handin
from recorder.manifest import Manifest, Person, Track


def segment(number: int, *names: str) -> Manifest:
    people = [Person(id=f"p{at}", name=name) for at, name in enumerate(names)]
    files = [
        Track(file=f"{person.id}.webm", segment="s1", participant=person.id, source="camera", kind="video", codec="VP8")
        for person in people
    ]
    made = tracks.manifest(10, people, files)
    made.segments[0].number = number
    return made


def names(described: Manifest) -> list[str]:
    return [name for _, name in handin.named(described)]


def test_people_who_would_have_the_same_file_name_do_not_take_each_others_place() -> None:
    assert names(segment(1, "Ana", "Ana/", "Ben", "Ana")) == [
        "2026-11-23 Board meeting – Ana (camera).webm",
        "2026-11-23 Board meeting – Ana (camera 2).webm",
        "2026-11-23 Board meeting – Ben (camera).webm",
        "2026-11-23 Board meeting – Ana (camera 3).webm",
    ]


def test_segments_handed_in_at_the_same_time_do_not_take_each_others_place() -> None:
    parts = [segment(number, "Ana", "Ana") for number in (1, 2, 3)]
    assert len({name for part in parts for name in names(part)}) == 6
    assert names(parts[1])[0] == "2026-11-23 Board meeting, part 2 – Ana (camera).webm"
