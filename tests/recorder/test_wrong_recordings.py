"""What should not be, and will: a usable result or a reasoned failure, the tracks untouched."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tracks
from tracks import BLUE, GREEN, RED, Film, is_colour
from workshop import Workshop

from recorder.compose import NothingToCompose
from recorder.pipeline import Failed, reason_of


@pytest.fixture
def workshop(sqlite, serve, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(serve(sqlite.settings()), tmp_path)
    made.begin()
    yield made
    made.close()


def camera(workshop: Workshop, name: str, colour: tracks.Colour, start_s: float, seconds: float, **more: object) -> tracks.Track:
    path = tracks.video(workshop.file(name), colour, seconds, **more)
    return tracks.track(path, f"p{name}", "camera", start_s, seconds, workshop.segment)


def hand_in(workshop: Workshop, seconds: float, people: list[tracks.Person], made: list[tracks.Track]) -> None:
    workshop.hand_in(tracks.manifest(seconds, people, made, workshop.recording, workshop.segment))


def test_no_length_at_all_is_a_reasoned_failure(workshop: Workshop) -> None:
    hand_in(workshop, 0, [tracks.person("Ana", 0, 0), tracks.person("Ben", 0, 0)], [camera(workshop, "ana", RED, 0, 0.1)])

    with pytest.raises(NothingToCompose, match="neither sound nor picture"):
        workshop.process()


def test_one_picture_is_a_film(workshop: Workshop) -> None:
    stays = [tracks.person("Ana", 0, 0.04), tracks.person("Ben", 0, 0.04)]
    hand_in(workshop, 0.04, stays, [camera(workshop, "ana", RED, 0, 1 / 15)])

    found = workshop.process()

    film = Film(workshop.download(found["composed"]))
    assert len(film.frames) == 1
    assert is_colour(film.picture(0)[360, 320], RED)
    assert {"poster", "thumbnails", "quality", "waveform"} <= found.keys()


def test_only_sound_of_several_people_is_a_sound_film(workshop: Workshop) -> None:
    voices = [
        tracks.track(tracks.sound(workshop.file(name), 3, [at]), f"p{name}", "microphone", 0, 3, workshop.segment)
        for name, at in (("ana", 0.5), ("ben", 2.0))
    ]
    hand_in(workshop, 3, [tracks.person("Ana", 0, 3), tracks.person("Ben", 0, 3)], voices)

    found = workshop.process()

    assert found["composed"]["name"].endswith(".m4a")
    assert Film(workshop.download(found["composed"])).beeps() == pytest.approx([0.5, 2.0], abs=0.04)
    assert "thumbnails" not in found


def test_a_track_that_is_no_film_is_left_out_and_told(workshop: Workshop) -> None:
    good, bad = camera(workshop, "ana", RED, 0, 3), camera(workshop, "ben", GREEN, 0, 3)
    (workshop.root / bad.file).write_bytes(b"\x1aE\xdf\xa3" + b"\xff" * 5000)
    bad = tracks.track(workshop.root / bad.file, "pben", "camera", 0, 3, workshop.segment)
    hand_in(workshop, 3, [tracks.person("Ana", 0, 3), tracks.person("Ben", 0, 3)], [good, bad])

    found = workshop.process()

    assert is_colour(Film(workshop.download(found["composed"])).picture(1)[360, 320], RED)
    assert found["quality"]["meta"] == {"verdict": "poor"}
    assert b'"unusable"' in workshop.download(found["quality"]).read_bytes()


def test_a_segment_spoilt_in_the_middle_is_used_as_far_as_it_goes(workshop: Workshop) -> None:
    made = camera(workshop, "ana", RED, 0, 4)
    path = workshop.root / made.file
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = b"\xa5" * 200
    path.write_bytes(data)
    spoilt = tracks.track(path, "pana", "camera", 0, 4, workshop.segment)
    stays = [tracks.person("Ana", 0, 4), tracks.person("Ben", 0, 4)]
    hand_in(workshop, 4, stays, [spoilt, camera(workshop, "ben", GREEN, 0, 4)])

    film = Film(workshop.download(workshop.process()["composed"]))

    assert film.seconds == pytest.approx(4, abs=0.1)
    assert is_colour(film.picture(0.5)[360, 320], RED)
    assert is_colour(film.picture(3.5)[360, 960], GREEN)


def test_a_person_without_a_track_has_a_place_with_their_name(workshop: Workshop) -> None:
    hand_in(workshop, 2, [tracks.person("Ana", 0, 2), tracks.person("Ben", 0, 2)], [camera(workshop, "ana", RED, 0, 2)])

    film = Film(workshop.download(workshop.process()["composed"]))

    assert is_colour(film.picture(1)[360, 320], RED)
    ben = film.picture(1)[180:540, 640:]
    assert not is_colour(ben[180, 320], RED)
    assert ben.std() > 5, "initials and a name"


def test_twelve_people_of_odd_sizes_have_a_cell_each(workshop: Workshop) -> None:
    sizes = [(322, 182), (180, 320), (160, 120), (640, 90), (90, 640), (176, 144)] * 2
    names = [f"guest{number}" for number in range(12)]
    colours = [RED, GREEN, BLUE] * 4
    made = [camera(workshop, *facts, 0, 1.5, size=size) for *facts, size in zip(names, colours, sizes, strict=True)]
    hand_in(workshop, 1.5, [tracks.person(name, 0, 1.5) for name in names], made)

    film = Film(workshop.download(workshop.process()["composed"]))

    cells = [(90 + 180 * row, 160 + 320 * column) for row in range(3) for column in range(4)]
    # Four columns of 320 × 180, three rows, in the middle.
    for (y, x), colour in zip(cells, colours, strict=True):
        assert is_colour(film.picture(1)[90 + y, x], colour), (y, x)


def test_names_of_any_letters_and_path_characters_are_names(workshop: Workshop) -> None:
    names = ["../../etc/passwd", "مريم 👩‍🚀", "<b>Zoë</b>\u202e", "CON"]
    made, people = [], []
    for number, name in enumerate(names):
        made.append(camera(workshop, str(number), RED, 0, 1))
        people.append(tracks.Person(id=f"p{number}", name=name, left_us=1_000_000))
    whole = tracks.manifest(1, people, made, workshop.recording, workshop.segment)
    whole.title = "../Q1 / Q2: „Ünïcode“ 🎬\\"
    workshop.hand_in(whole)

    found = workshop.process()

    assert found["composed"]["name"] == "2026-11-23 Q1 Q2 „Ünïcode“ 🎬.mp4"
    assert Film(workshop.download(found["composed"])).seconds == pytest.approx(1, abs=0.1)


def test_a_disk_that_is_full_in_the_middle_is_said_and_the_next_try_works(workshop: Workshop) -> None:
    work = workshop.root / "work"
    work.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", work], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        made = [camera(workshop, name, colour, 0, 6, size=(640, 360)) for name, colour in (("ana", RED), ("ben", GREEN))]
        (work / "else").write_bytes(bytes(300_000))
        hand_in(workshop, 6, [tracks.person("Ana", 0, 6), tracks.person("Ben", 0, 6)], made)

        with pytest.raises(OSError, match="space") as full:
            workshop.process()

        assert "full" in reason_of("compose", full.value)
        (work / "else").unlink()
        subprocess.run(["mount", "-o", "remount,size=20m", work], check=True)
        found = workshop.process()
        assert is_colour(Film(workshop.download(found["composed"])).picture(5)[360, 320], RED)
        assert len([one for one in workshop.described()["artifacts"] if one["kind"] == "track"]) == 2
    finally:
        subprocess.run(["umount", work], check=True)


def test_nothing_that_can_be_played_is_a_reasoned_failure(workshop: Workshop) -> None:
    made = camera(workshop, "ana", RED, 0, 1)
    (workshop.root / made.file).write_bytes(b"")
    hand_in(workshop, 1, [tracks.person("Ana", 0, 1)], [tracks.track(workshop.root / made.file, "pana", "camera", 0, 1)])

    with pytest.raises(Failed, match="None of the tracks can be played"):
        workshop.process()
