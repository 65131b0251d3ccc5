"""A track is read whole and its true facts are found; a bad one is a finding, never an error."""

from pathlib import Path

import pytest
import tracks

from recorder.verify import verify


def test_a_camera_s_frames_and_length(tmp_path: Path) -> None:
    found = verify(tracks.video(tmp_path / "camera.webm", tracks.RED, 2))
    assert found.usable
    assert (found.file, found.frames, found.errors, found.in_order) == ("camera.webm", 30, 0, True)
    assert found.duration_us == pytest.approx(2_000_000, abs=100_000)


def test_a_voice_s_length(tmp_path: Path) -> None:
    found = verify(tracks.sound(tmp_path / "voice.webm", 2, [1]))
    assert found.usable
    assert found.duration_us == pytest.approx(2_000_000, abs=100_000)


@pytest.mark.parametrize("content", [b"", b"this is no film", b"\x1aE\xdf\xa3" + b"\xff" * 200])
def test_what_is_no_film_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "camera.webm"
    path.write_bytes(content)
    found = verify(path)
    assert not found.usable


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in (verify(tmp_path / "gone.webm").problem or "")


def test_a_file_that_was_cut_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tracks.video(tmp_path / "camera.webm", tracks.RED, 4)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = verify(path)
    assert found.usable
    assert 5 < found.frames < 60
