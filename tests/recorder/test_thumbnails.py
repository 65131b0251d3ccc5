"""Small pictures of a film, each at its time."""

from pathlib import Path

import numpy as np
import pytest
import tracks
from PIL import Image
from tracks import BLUE, RED, is_colour

from recorder.thumbnails import HEIGHT, MOST, WIDTH, every_s, sheet


def test_each_part_of_the_sheet_shows_its_time(tmp_path: Path) -> None:
    frames = [(RED, (320, 180), number / 15) for number in range(60)] + [
        (BLUE, (322, 180), 4 + number / 15) for number in range(60)
    ]
    film = tracks.pictures(tmp_path / "film.webm", frames)

    cues = sheet(film, 8.0, tmp_path / "thumbnails.jpg")

    assert cues.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nthumbnails.jpg#xywh=0,0,160,90\n")
    assert cues.count("-->") == 4
    assert "00:00:06.000 --> 00:00:08.000\nthumbnails.jpg#xywh=480,0,160,90\n" in cues
    with Image.open(tmp_path / "thumbnails.jpg") as image:
        shown = np.asarray(image)
    assert shown.shape == (HEIGHT, 4 * WIDTH, 3)
    assert is_colour(shown[45, 80], RED, 40)
    assert is_colour(shown[45, 3 * WIDTH + 80], BLUE, 40)


@pytest.mark.parametrize("hours", [0.01, 1, 4])
def test_a_long_film_has_no_larger_sheet(hours: float) -> None:
    assert hours * 3600 / every_s(hours * 3600) <= MOST
