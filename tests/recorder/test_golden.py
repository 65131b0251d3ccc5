"""Meetings of which every picture and every sound is known, through all steps: what comes out is decoded and measured."""

import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import tracks
from tracks import BLUE, GREEN, HZ, RED, WHITE, Film, is_colour, rgb
from workshop import Workshop

from recorder.levels import TARGET_LUFS, measure
from recorder.manifest import Event, Track

SIZE = (320, 180)


@pytest.fixture
def workshop(sqlite, serve, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(serve(sqlite.settings()), tmp_path)
    made.begin()
    yield made
    made.close()


def onset_s(samples: np.ndarray, after_s: float = 0) -> float:
    """When it first is louder than a tenth of its loudest, seconds."""
    start = round(after_s * HZ)
    return (start + int(np.argmax(np.abs(samples[start:]) > np.abs(samples).max() / 10))) / HZ


def test_pictures_voices_loudness_and_chapters_are_where_they_belong(workshop: Workshop) -> None:
    """Ana, quiet, flashes white when she begins to speak; Ben, loud, switches his camera off; Cleo comes late."""
    flash = [(WHITE if 1.0 <= n / 30 < 1.3 else RED, SIZE, n / 30) for n in range(270)]
    made = [
        tracks.track(tracks.pictures(workshop.file("ana"), flash), "pana", "camera", 0, 9, workshop.segment),
        tracks.track(
            tracks.sound(workshop.file("ana-voice"), 9, [1 + n / 5 for n in range(13)], 0.05), "pana", "microphone", 0, 9,
            workshop.segment,
        ),
        tracks.track(tracks.video(workshop.file("ben"), GREEN, 9), "pben", "camera", 0, 9, workshop.segment),
        tracks.track(
            tracks.sound(workshop.file("ben-voice"), 9, [4.5 + n / 5 for n in range(13)], 0.8), "pben", "microphone", 0, 9,
            workshop.segment,
        ),
        tracks.track(tracks.video(workshop.file("cleo"), BLUE, 2), "pcleo", "camera", 7, 2, workshop.segment),
    ]  # fmt: skip
    stays = [tracks.person("Ana", 0, 9), tracks.person("Ben", 0, 9), tracks.person("Cleo", 7, 9)]
    whole = tracks.manifest(9, stays, made, workshop.recording, workshop.segment)
    whole.events = [
        Event(at_us=2_000_000, kind="camera-off", participant="pben"),
        Event(at_us=3_500_000, kind="camera-on", participant="pben"),
        Event(at_us=4_000_000, kind="mark", body={"label": "The vote"}),
    ]
    workshop.hand_in(whole)

    found = workshop.process()

    path = workshop.download(found["composed"])
    film = Film(path)
    ana, ben = (360, 320), (360, 960)
    flashed = [at for at, frame in film.frames if is_colour(rgb(frame)[ana], WHITE)]
    assert flashed[0] == pytest.approx(1.0, abs=1 / 30)
    assert flashed[-1] == pytest.approx(1.3, abs=2 / 30)
    assert onset_s(film.samples) == pytest.approx(1.0, abs=0.02)
    assert onset_s(film.samples, 4.0) == pytest.approx(4.5, abs=0.02)
    assert is_colour(film.picture(1.9)[ben], GREEN)
    assert not is_colour(film.picture(2.1)[ben], GREEN), "off is off at once"
    assert is_colour(film.picture(3.6)[ben], GREEN)
    # Three: two above, one below.
    assert is_colour(film.picture(8)[180, 320], RED)
    assert is_colour(film.picture(8)[180, 960], GREEN)
    assert is_colour(film.picture(8)[540, 640], BLUE)
    for start in (1.2, 4.7):
        spoken = film.samples[round(start * HZ) : round((start + 2.2) * HZ)]
        assert loudness(workshop.root / "part.wav", spoken) == pytest.approx(TARGET_LUFS, abs=1.5)
    with av.open(str(path)) as container:
        told = [(chapter["start"] * chapter["time_base"], chapter["metadata"]["title"]) for chapter in container.chapters()]
    assert [(float(at), title) for at, title in told] == [(0, "Beginning"), (4, "The vote"), (7, "Cleo joined")]
    report = json.loads(workshop.download(found["quality"]).read_bytes())
    assert (report["verdict"], report["findings"]) == ("good", [])
    waveform = json.loads(workshop.download(found["waveform"]).read_bytes())
    said = {one["name"]: [[round(at / 1000, 1) for at in span] for span in one["spans"]] for one in waveform["speaking"]}
    assert said["Ben"] == [[pytest.approx(4.5, abs=0.15), pytest.approx(7.1, abs=0.15)]]


def loudness(path: Path, samples: np.ndarray) -> float:
    """Of the same sound left and right (ITU-R BS.1770), LUFS. path: to write it to."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=HZ, layout="stereo")
        frame = av.AudioFrame.from_ndarray((samples.repeat(2) * 32767).astype(np.int16)[None], format="s16", layout="stereo")
        frame.rate = HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = measure(path, Track(file="x", segment="s", participant="p", source="microphone", kind="audio", codec="pcm")).lufs
    assert found is not None
    return found


def test_a_shared_screen_takes_the_stage_and_faces_the_strip(workshop: Workshop) -> None:
    screen = tracks.video(workshop.file("screen"), WHITE, 2, (640, 360))
    made = [
        tracks.track(tracks.video(workshop.file("ana"), RED, 4), "pana", "camera", 0, 4, workshop.segment),
        tracks.track(tracks.video(workshop.file("ben"), GREEN, 4), "pben", "camera", 0, 4, workshop.segment),
        tracks.track(screen, "pana", "screen", 1, 2, workshop.segment),
    ]
    stays = [tracks.person("Ana", 0, 4), tracks.person("Ben", 0, 4)]
    workshop.hand_in(tracks.manifest(4, stays, made, workshop.recording, workshop.segment))

    film = Film(workshop.download(workshop.process()["composed"]))

    assert is_colour(film.picture(2)[360, 500], WHITE)
    assert is_colour(film.picture(2)[290, 1150], RED)
    assert is_colour(film.picture(2)[430, 1150], GREEN)
    assert is_colour(film.picture(0.5)[360, 320], RED)
    assert is_colour(film.picture(3.5)[360, 960], GREEN)
