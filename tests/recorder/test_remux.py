"""One person alone: their packets are the film."""

from pathlib import Path

import pytest
import tracks
from tracks import RED, Film, is_colour

from recorder.manifest import Event, Gap, Manifest, part_of
from recorder.remux import remux, suffix


@pytest.fixture
def alone(tmp_path: Path) -> Manifest:
    camera, voice = tracks.video(tmp_path / "c.webm", RED, 4), tracks.sound(tmp_path / "v.webm", 3.5, [1.0])
    made = [tracks.track(camera, "pana", "camera", 0.0, 4), tracks.track(voice, "pana", "microphone", 0.5, 3.5)]
    return tracks.manifest(4, [tracks.person("Ana", 0, 4)], made)


def test_the_film_is_their_own_packets_each_at_its_time(alone: Manifest, tmp_path: Path) -> None:
    assert suffix(alone) == ".webm"
    done: list[float] = []

    remux(alone, lambda track: tmp_path / track.file, tmp_path / "film.webm", lambda percent, _eta: done.append(percent))

    film = Film(tmp_path / "film.webm")
    assert film.codecs == {"video": "vp8", "audio": "opus"}
    assert film.seconds == pytest.approx(4, abs=0.1)
    # Of the first sample of sound, which is half a second into the film.
    assert film.beeps() == pytest.approx([1.0], abs=0.03)
    assert is_colour(film.picture(2)[90, 160], RED)
    assert len(film.frames) == 60
    assert done[-1] == 100


def test_two_people_a_screen_a_camera_that_was_off_or_a_hole_must_be_drawn(alone: Manifest) -> None:
    def changed(**values: object) -> str | None:
        return suffix(alone.model_copy(update=values))

    camera, voice = alone.tracks
    assert changed(participants=[*alone.participants, tracks.person("Ben", 0, 4)]) is None
    assert changed(tracks=[camera, voice, camera.model_copy(update={"source": "screen"})]) is None
    assert changed(events=[Event(at_us=1_000_000, kind="camera-off", participant="pana")]) is None
    assert changed(events=[Event(at_us=0, kind="consent", participant="pana", body={"answer": "declined"})]) is None
    hole = Gap(start_us=0, duration_us=3_000_000, reason="nothing came")
    assert changed(tracks=[camera.model_copy(update={"gaps": [hole]}), voice]) is None
    assert changed(duration_us=8_000_000) is None
    assert changed(tracks=[camera.model_copy(update={"codec": "H264"}), voice]) == ".mp4"


def test_a_copied_voice_is_made_louder_by_what_its_header_says(alone: Manifest, tmp_path: Path) -> None:
    remux(alone, lambda track: tmp_path / track.file, tmp_path / "film.webm", gains={"v.webm": 1.5})

    assert abs(Film(tmp_path / "film.webm").samples).max() == pytest.approx(0.75, abs=0.05)


def test_one_voice_and_nobody_seen_is_copied_into_ogg_at_its_time(alone: Manifest, tmp_path: Path) -> None:
    voice = alone.tracks[1]
    heard = alone.model_copy(update={"tracks": [voice], "participants": [*alone.participants, tracks.person("Ben", 0, 4)]})
    assert suffix(heard) == ".ogg"

    remux(heard, lambda track: tmp_path / track.file, tmp_path / "voice.ogg", gains={"v.webm": 1.5})

    film = Film(tmp_path / "voice.ogg")
    assert film.codecs == {"audio": "opus"}
    assert film.beeps() == pytest.approx([1.0], abs=0.03)
    # From zero to the voice's end: Ogg has no other beginning.
    assert film.seconds == pytest.approx(4, abs=0.1)
    assert abs(film.samples).max() == pytest.approx(0.75, abs=0.05)
    hole = Gap(start_us=1_000_000, duration_us=700_000, reason="paused")
    assert suffix(heard.model_copy(update={"tracks": [voice.model_copy(update={"gaps": [hole]})]})) is None
    assert suffix(heard.model_copy(update={"tracks": [voice, voice]})) is None


def test_a_stretch_is_not_copied_for_it_begins_between_key_frames(alone: Manifest) -> None:
    assert suffix(part_of(alone, 0, 4_000_000)) == ".webm"
    assert suffix(part_of(alone, 1_000_000, 4_000_000)) is None
    assert suffix(part_of(alone, 0, 3_000_000)) is None
