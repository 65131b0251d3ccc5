"""How loud a voice is, and from that: who spoke when, what the page draws, by how much it is made louder."""

from pathlib import Path

import pytest
import tracks
from hypothesis import given
from hypothesis import strategies as st

from recorder.levels import SILENCE_DB, Levels, measure
from recorder.speaking import spans
from recorder.waveform import draw

SECOND_US = 1_000_000


@pytest.fixture
def voice(tmp_path: Path):
    path = tracks.sound(tmp_path / "voice.webm", 4, [1.0, 3.0])
    return path, tracks.track(path, "pana", "microphone", 2.0, 4)


def test_a_voice_is_loud_where_it_speaks_on_the_recording_s_timeline(voice) -> None:
    found = measure(*voice)

    loud = [index for index, peak in enumerate(found.peaks) if peak > 0.3]
    assert loud[0] == pytest.approx(30, abs=1), "at 1 s of a track that begins at 2 s"
    assert loud[-1] == pytest.approx(51, abs=1)
    assert found.peaks[:20] == [0.0] * 20
    assert found.rms_db[5] == SILENCE_DB
    assert len(found.peaks) == pytest.approx(60, abs=1)


def test_loudness_is_measured_and_brought_to_one(voice) -> None:
    found = measure(*voice)
    # A sine of 0.5 in both channels is -6 LUFS; a beep of 0.2 s fills the blocks of 0.4 s that are measured half at best.
    assert found.lufs == pytest.approx(-9.5, abs=1.5)
    assert found.gain == pytest.approx(10 ** ((-16 - found.lufs) / 20))


def test_silence_has_no_loudness_and_is_not_made_louder(tmp_path: Path) -> None:
    path = tracks.sound(tmp_path / "voice.webm", 2, [])
    found = measure(path, tracks.track(path, "pana", "microphone", 0, 2))

    assert (found.lufs, found.gain) == (None, 1.0)


def test_a_breath_does_not_end_a_sentence_and_a_click_is_none() -> None:
    quiet, loud = -70.0, -20.0
    levels = [quiet] * 10 + [loud] * 10 + [quiet] * 5 + [loud] * 10 + [quiet] * 20 + [loud] + [quiet] * 10

    assert spans(levels) == [(1 * SECOND_US, int(3.5 * SECOND_US))]


def test_a_noisy_room_is_no_speech() -> None:
    fan, speech = -45.0, -25.0

    assert spans([fan] * 50 + [speech] * 20 + [fan] * 50) == [(5 * SECOND_US, 7 * SECOND_US)]


def test_who_never_pauses_speaks_all_the_time() -> None:
    assert spans([-25.0] * 100) == [(0, 10 * SECOND_US)]


@given(st.lists(st.floats(-100, 0)))
def test_speech_lies_within_the_track_in_order_and_apart(levels: list[float]) -> None:
    found = spans(levels)
    edges = [edge for span in found for edge in span]
    assert edges == sorted(set(edges))
    assert all(0 <= edge <= len(levels) * SECOND_US // 10 for edge in edges)


def test_the_waveform_has_everybody_s_loudest_and_the_length_of_the_recording() -> None:
    whole = tracks.manifest(1, [tracks.person("Ana", 0, 1), tracks.person("Ben", 0, 1)], [])
    ana = Levels("pana", "microphone", [0.5, 0.1], [-10.0, -20.0], -16.0)
    ben = Levels("pben", "microphone", [0.1, 1.0, 0.2], [-30.0] * 3, None)

    found = draw(whole, [("a.webm", ana), ("b.webm", ben)])

    assert found.peaks == [128, 255, 51] + [0] * 7
    assert [one.name for one in found.speaking] == ["Ana", "Ben"]
    assert found.gains == {"a.webm": 1.0, "b.webm": 1.0}
