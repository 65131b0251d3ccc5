"""The film shows and says what was recorded: decoded again, looked at where people should be, listened to when they spoke."""

import threading
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import tracks
from tracks import BLUE, GREEN, RED, WHITE, Film, is_colour, rgb

from recorder.compose import FORMATS, NothingToCompose, Wish, compose
from recorder.layout import Cell, scenes
from recorder.manifest import Consent, Event, Gap, Manifest, part_of
from recorder.picture import CELL, CIRCLE
from recorder.poster import best_moment_us, poster

LENGTH_S = 4.0


class Meeting:
    """A recording being put together in a folder."""

    def __init__(self, folder: Path, seconds: float = LENGTH_S) -> None:
        self.folder, self.manifest = folder, tracks.manifest(seconds, [], [])
        self.seconds = seconds

    def joins(self, name: str, joined_s: float = 0, left_s: float | None = None) -> None:
        self.manifest.participants.append(tracks.person(name, joined_s, self.seconds if left_s is None else left_s))

    def shows(self, name: str, frames: list, start_s: float, source: str = "camera", **more: object) -> None:
        path = tracks.pictures(self._next(name), frames)
        seconds = frames[-1][2] + 1 / 15
        self.manifest.tracks.append(tracks.track(path, f"p{name.lower()}", source, start_s, seconds, **more))

    def films(self, name: str, colour: tuple, start_s: float, seconds: float, size: tuple = (320, 180), **more: object) -> None:
        self.shows(name, [(colour, size, number / 15) for number in range(round(seconds * 15))], start_s, **more)

    def says(self, name: str, start_s: float, seconds: float, beeps_s: list[float]) -> None:
        path = tracks.sound(self._next(name), seconds, beeps_s)
        self.manifest.tracks.append(tracks.track(path, f"p{name.lower()}", "microphone", start_s, seconds))

    def _next(self, name: str) -> Path:
        return self.folder / f"{name}-{len(self.manifest.tracks)}.webm"

    def film(self, **wish: object) -> Film:
        made = Wish(**wish)  # type: ignore[arg-type]
        target = self.folder / f"film.{made.format}"
        self.noticed = compose(self.manifest, lambda track: self.folder / track.file, target, wish=made)
        return Film(target)

    def cell(self, name: str, second: float, source: str = "camera") -> Cell:
        return next(
            cell
            for scene in scenes(self.manifest)
            if scene.start_us <= second * 1e6 < scene.end_us
            for cell in scene.cells
            if (cell.participant, cell.source) == (f"p{name.lower()}", source)
        )

    def seen(self, film: Film, name: str, second: float, source: str = "camera") -> np.ndarray:
        """The mean colour a fifth below the top of this person's cell: beside initials and name."""
        cell = self.cell(name, second, source)
        x, y = cell.x + cell.width // 2, cell.y + cell.height // 6
        return film.picture(second)[y - 4 : y + 4, x - 4 : x + 4].mean(axis=(0, 1))


@pytest.fixture
def meeting(tmp_path: Path) -> Meeting:
    return Meeting(tmp_path)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder's preset changes how large a film is, not what is seen in it; test_golden.py has the real one."""
    encoder, options = FORMATS["mp4"].pictures or ("", {})
    monkeypatch.setitem(FORMATS, "mp4", replace(FORMATS["mp4"], pictures=(encoder, options | {"preset": "ultrafast"})))


def test_everyone_is_in_their_cell_from_joining_to_leaving(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.joins("Ben", 1.5)
    meeting.joins("Cleo", 0, 3)
    meeting.films("Ana", RED, 0.0, 4.0)
    meeting.films("Ben", GREEN, 1.5, 2.5)
    meeting.films("Cleo", BLUE, 0.0, 3.0)
    film = meeting.film()
    assert film.codecs == {"video": "h264", "audio": "aac"}
    assert film.seconds == pytest.approx(LENGTH_S, abs=0.1)
    for second, there in ((0.2, "Ana Cleo"), (1.3, "Ana Cleo"), (1.8, "Ana Ben Cleo"), (2.8, "Ana Ben Cleo"), (3.3, "Ana Ben")):
        for name, colour in (("Ana", RED), ("Ben", GREEN), ("Cleo", BLUE)):
            if name in there:
                assert is_colour(meeting.seen(film, name, second), colour), (name, second)
    assert len(film.frames) == 120


def test_no_placeholder_flashes_up_when_the_grid_moves(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.joins("Ben", 2)
    meeting.films("Ana", RED, 0.0, 4.0)
    meeting.films("Ben", GREEN, 2.0, 2.0)
    film = meeting.film()
    for at, _ in film.frames[2:-3]:
        assert is_colour(meeting.seen(film, "Ana", at + 0.001), RED), at


def test_who_sends_no_picture_has_a_placeholder_with_initials_and_a_name(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.joins("Ben")
    meeting.films("Ana", RED, 0.0, 4.0)
    meeting.says("Ben", 0.0, 4.0, [1.0])
    film = meeting.film()
    cell, picture = meeting.cell("Ben", 2), film.picture(2)
    assert is_colour(meeting.seen(film, "Ben", 2), CELL)
    middle = picture[cell.y + cell.height // 2, cell.x + cell.width // 2 - cell.height // 5]
    assert is_colour(middle, CIRCLE)
    for name in ("Ana", "Ben"):
        at = meeting.cell(name, 2)
        label = picture[at.y + at.height - 44 : at.y + at.height - 4, at.x + 8 : at.x + 60]
        assert (label.min(axis=2) > 190).any(), f"no white letters in {name}'s corner"


def test_a_camera_that_goes_off_gives_way_to_the_placeholder_and_comes_back(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, 7)
    meeting.joins("Ana")
    before = [(RED, (320, 180), number / 15) for number in range(15)]
    after = [(GREEN, (320, 180), 5 + number / 15) for number in range(30)]
    gap = Gap(start_us=1_000_000, duration_us=4_000_000, reason="muted")
    meeting.shows("Ana", before + after, 0.0, gaps=[gap])
    film = meeting.film()
    assert is_colour(meeting.seen(film, "Ana", 0.5), RED)
    assert is_colour(meeting.seen(film, "Ana", 4.5), CELL)
    assert is_colour(meeting.seen(film, "Ana", 5.5), GREEN)


def test_sizes_that_change_or_are_odd_keep_their_shape(meeting: Meeting) -> None:
    meeting.joins("Ana")
    sizes = [((320, 180), 0.0), ((161, 121), 1.0), ((180, 320), 2.0), ((640, 360), 3.0)]
    frames = [(RED, size, begin + number / 15) for size, begin in sizes for number in range(15)]
    meeting.shows("Ana", frames, 0.0)
    film = meeting.film()
    for second, width in ((0.5, 1280), (1.5, 958), (2.5, 405), (3.5, 1280)):
        line = film.picture(second)[360]
        shown = sum(is_colour(point, RED) for point in line)
        assert abs(shown - width) <= 12, (second, shown)


def test_a_second_track_of_the_same_camera_follows_the_first(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.films("Ana", RED, 0.0, 1.5)
    meeting.films("Ana", BLUE, 2.0, 2.0)
    film = meeting.film()
    assert is_colour(meeting.seen(film, "Ana", 1.0), RED)
    assert is_colour(meeting.seen(film, "Ana", 3.0), BLUE)


def test_a_shared_screen_is_shown_large_even_if_nothing_moves_on_it(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.joins("Ben", 2)
    meeting.films("Ana", RED, 0.0, 4.0)
    still = [(WHITE, (320, 180), 0.0), (WHITE, (320, 180), 0.1)]
    meeting.shows("Ana", still, 0.5, source="screen")
    meeting.manifest.tracks[-1].duration_us = 3_500_000
    meeting.films("Ben", GREEN, 2.0, 2.0)
    film = meeting.film()
    for second in (1.0, 3.8):
        assert is_colour(meeting.seen(film, "Ana", second, "screen"), WHITE), second
        assert meeting.cell("Ana", second, "screen").width > 2 * meeting.cell("Ana", second).width
    assert is_colour(meeting.seen(film, "Ben", 3.0), GREEN)


def test_each_voice_is_heard_at_its_time(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.joins("Ben", 1)
    meeting.says("Ana", 0.25, 3.5, [0.5, 2.5])
    meeting.says("Ben", 1.0, 2.5, [0.6])
    film = meeting.film()
    assert film.beeps() == pytest.approx([0.75, 1.6, 2.75], abs=0.04)
    assert len(film.samples) / tracks.HZ == pytest.approx(LENGTH_S, abs=0.1)


def test_voices_at_once_are_not_clipped(meeting: Meeting) -> None:
    for name in ("Ana", "Ben", "Cleo"):
        meeting.joins(name)
        meeting.says(name, 0.0, 4.0, [1.0])
    film = meeting.film()
    assert film.beeps() == pytest.approx([1.0], abs=0.04)
    assert 0.8 < np.abs(film.samples).max() < 1.1


def test_a_spoilt_track_does_not_spoil_the_film(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.joins("Ben")
    meeting.films("Ana", RED, 0.0, 4.0)
    meeting.films("Ben", GREEN, 0.0, 4.0)
    spoilt = meeting.folder / meeting.manifest.tracks[1].file
    data = bytearray(spoilt.read_bytes()[: spoilt.stat().st_size * 2 // 3])
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
    spoilt.write_bytes(data)
    film = meeting.film()
    assert film.seconds == pytest.approx(LENGTH_S, abs=0.1)
    assert is_colour(meeting.seen(film, "Ana", 3.5), RED)


def test_progress_rises_to_the_end_and_may_stop_it_all(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.films("Ana", RED, 0.0, 4.0)
    told: list[float] = []

    def note(percent: float, eta_s: float | None) -> None:
        told.append(percent)
        assert eta_s is None or eta_s >= 0

    compose(meeting.manifest, lambda track: meeting.folder / track.file, meeting.folder / "film.mp4", note)
    assert told == sorted(told)
    assert told[-1] == 100

    def refuse(percent: float, eta_s: float | None) -> None:
        raise InterruptedError

    before = (meeting.folder / "film.mp4").read_bytes()
    with pytest.raises(InterruptedError):
        compose(meeting.manifest, lambda track: meeting.folder / track.file, meeting.folder / "film.mp4", refuse)
    assert (meeting.folder / "film.mp4").read_bytes() == before, "a film is written whole or not at all"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_nothing_recorded_is_said(meeting: Meeting) -> None:
    empty = Manifest(recording="r1", room="x", started_at_ms=0)
    with pytest.raises(NothingToCompose):
        compose(empty, lambda track: meeting.folder / track.file, meeting.folder / "film.mp4")


def test_the_index_is_in_front(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.films("Ana", RED, 0.0, 1.0)
    meeting.film()
    data = (meeting.folder / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_poster_is_from_when_most_are_to_be_seen(meeting: Meeting) -> None:
    from PIL import Image

    meeting.joins("Ana")
    meeting.joins("Ben", 2)
    meeting.films("Ana", RED, 0.0, 4.0)
    meeting.films("Ben", GREEN, 2.0, 2.0)
    poster(meeting.manifest, lambda track: meeting.folder / track.file, meeting.folder / "poster.jpg")
    at_s = best_moment_us(meeting.manifest) / 1e6
    assert 2 <= at_s < 4
    with Image.open(meeting.folder / "poster.jpg") as image:
        picture = np.asarray(image.convert("RGB"))
    assert picture.shape == (720, 1280, 3)
    for name, colour in (("Ana", RED), ("Ben", GREEN)):
        cell = meeting.cell(name, at_s)
        assert is_colour(picture[cell.y + cell.height // 6, cell.x + cell.width // 2], colour)


def test_a_call_without_cameras_is_as_long_as_it_was_and_needs_few_pictures(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, 8)
    for name in ("Ana", "Ben"):
        meeting.joins(name)
        meeting.says(name, 0.0, 8.0, [1.0, 6.0])
    film = meeting.film()
    assert film.seconds == pytest.approx(8, abs=0.1)
    assert film.beeps() == pytest.approx([1.0, 6.0], abs=0.04)
    # A second at full rate, then one a second; the last one says how long it is.
    assert len(film.frames) <= 30 + 8 + 1
    assert film.frames[-1][0] == pytest.approx(8 - 1 / 30, abs=0.001)


def test_who_declines_has_a_place_that_says_so_and_shows_nothing(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path)
    for name in ("Ana", "Ben"):
        meeting.joins(name)
    meeting.films("Ana", RED, 0, LENGTH_S)
    meeting.manifest.events = [answered(0, "Ana", "given"), answered(0, "Ben", "declined")]
    film = meeting.film()
    assert is_colour(meeting.seen(film, "Ana", 2), RED)
    assert is_colour(meeting.seen(film, "Ben", 2), CELL)
    assert ink_below_the_initials(meeting, film, "Ben", 2) > 50
    assert ink_below_the_initials(meeting, film, "Ana", 2) == 0


def test_who_withdraws_is_gone_from_the_picture_at_that_moment_and_back_when_given_again(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, 6)
    meeting.joins("Ben")
    meeting.films("Ben", GREEN, 0, 2)
    meeting.films("Ben", BLUE, 4, 2)
    meeting.manifest.events = [answered(0, "Ben", "given"), answered(2, "Ben", "withdrawn"), answered(4, "Ben", "given")]
    film = meeting.film()
    assert is_colour(meeting.seen(film, "Ben", 1.5), GREEN)
    # A camera that merely stops is held for two seconds; one that may not be shown is not.
    assert is_colour(meeting.seen(film, "Ben", 2.3), CELL)
    assert ink_below_the_initials(meeting, film, "Ben", 3) > 50
    assert is_colour(meeting.seen(film, "Ben", 5), BLUE)


def test_the_place_of_who_declined_speaks_the_language_they_were_asked_in(tmp_path: Path) -> None:
    def note(language: str) -> np.ndarray:
        meeting = Meeting(tmp_path, 1)
        meeting.joins("Ben")
        meeting.says("Ben", 0, 1, [])
        meeting.manifest.events = [answered(0, "Ben", "declined")]
        meeting.manifest.consent = [Consent(participant="pben", answer="declined", language=language)]
        return meeting.film().picture(0.5)

    english, german, unknown = note("en-GB"), note("de"), note("tlh")
    assert np.abs(english.astype(int) - german).max() > 60
    assert np.abs(english.astype(int) - unknown).max() < 10


def answered(at_s: float, name: str, answer: str) -> Event:
    return Event(at_us=round(at_s * 1e6), kind="consent", participant=f"p{name.lower()}", body={"answer": answer})


def ink_below_the_initials(meeting: Meeting, film: Film, name: str, second: float) -> int:
    """Bright pixels between the circle and the name."""
    cell = meeting.cell(name, second)
    radius = min(cell.width, cell.height) * 0.24
    top = round(cell.y + cell.height / 2 + radius) + 4
    part = film.picture(second)[top : top + 44, cell.x + cell.width // 4 : cell.x + cell.width * 3 // 4]
    return int((part.min(axis=2) > 120).sum())


def test_a_camera_that_was_switched_off_gives_way_at_once(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.films("Ana", RED, 0.0, 1.0)
    meeting.manifest.events = [Event(at_us=1_000_000, kind="camera-off", participant="pana")]
    film = meeting.film()
    assert is_colour(meeting.seen(film, "Ana", 0.9), RED)
    assert is_colour(meeting.seen(film, "Ana", 1.1), CELL)


def test_who_speaks_is_shown_large(meeting: Meeting) -> None:
    for name, colour in (("Ana", RED), ("Ben", GREEN)):
        meeting.joins(name)
        meeting.films(name, colour, 0.0, 4.0)
    film = meeting.film(layout="speaker", speaking={"pben": [(2_000_000, 4_000_000)]})
    assert is_colour(film.picture(1.5)[200, 300], RED)
    assert is_colour(film.picture(2.5)[200, 300], GREEN)


def test_marks_are_chapters_of_the_film(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.films("Ana", RED, 0.0, 4.0)
    meeting.manifest.events = [Event(at_us=2_000_000, kind="mark", body={"label": "Die Abstimmung"})]
    meeting.film()
    with av.open(str(meeting.folder / "film.mp4")) as container:
        found = [(chapter["metadata"]["title"], chapter["start"] * chapter["time_base"]) for chapter in container.chapters()]
    assert found == [("Beginning", 0), ("Die Abstimmung", 2)]


def test_a_quiet_voice_is_made_as_loud_as_the_others(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.says("Ana", 0.0, 4.0, [1.0])
    plain = np.abs(meeting.film().samples).max()
    assert np.abs(meeting.film(gains={meeting.manifest.tracks[0].file: 0.25}).samples).max() == pytest.approx(plain / 4, rel=0.1)


@pytest.mark.parametrize(
    ("wished", "codecs"),
    [
        ("webm", {"video": "vp8", "audio": "opus"}),
        ("m4a", {"audio": "aac"}),
        ("ogg", {"audio": "opus"}),
    ],
)
def test_other_kinds_of_files(tmp_path: Path, wished: str, codecs: dict) -> None:
    meeting = Meeting(tmp_path, 2)
    meeting.joins("Ana")
    meeting.films("Ana", RED, 0.0, 2.0)
    meeting.says("Ana", 0.0, 2.0, [1.0])
    film = meeting.film(format=wished)
    assert film.codecs == codecs
    assert film.seconds == pytest.approx(2, abs=0.15)
    assert film.beeps() == pytest.approx([1.0], abs=0.05)


def test_a_stretch_of_some_people_is_a_film_of_its_own(meeting: Meeting) -> None:
    for name, colour in (("Ana", RED), ("Ben", GREEN)):
        meeting.joins(name)
        meeting.films(name, colour, 0.0, 4.0)
    meeting.says("Ana", 0.0, 4.0, [0.5, 2.5])
    meeting.manifest = part_of(meeting.manifest, 2_000_000, 4_000_000, ["pana"])
    film = meeting.film()
    assert film.seconds == pytest.approx(2, abs=0.1)
    assert film.beeps() == pytest.approx([0.5], abs=0.04)
    assert is_colour(film.picture(1)[100, 640], RED)


def test_black_pictures_are_noticed(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, 8)
    meeting.joins("Ana")
    meeting.films("Ana", (0, 0, 0), 0.0, 7.0)
    meeting.film()
    ((who, stretches),) = meeting.noticed.dark.items()
    assert who == ("pana", "camera")
    assert stretches[0][1] - stretches[0][0] >= 5000


def test_a_late_stretch_begins_with_its_own_pictures_and_sounds(meeting: Meeting) -> None:
    meeting.joins("Ana")
    meeting.joins("Ben")
    path = tracks.pictures(meeting.folder / "changing.webm", [(RED if n < 30 else BLUE, (320, 180), n / 15) for n in range(60)])
    meeting.manifest.tracks.append(tracks.track(path, "pana", "camera", 0, 4))
    meeting.says("Ana", 0.0, 4.0, [1.0, 2.5])
    meeting.manifest = part_of(meeting.manifest, 2_200_000, 4_000_000)
    film = meeting.film()
    assert all(is_colour(rgb(frame)[360, 320], BLUE) for _, frame in film.frames)
    assert film.beeps() == pytest.approx([0.3], abs=0.03)
