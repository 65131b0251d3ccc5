"""How loud a voice is, ten times a second, and in all: for the waveform, for who spoke when, for bringing all to one loudness."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from recorder.manifest import Track
from recorder.sound import AUDIO_HZ, Samples, decoded_audio

PER_SECOND = 10
WINDOW = AUDIO_HZ // PER_SECOND
SILENCE_DB = -100.0
# Speech for people at computers and telephones; between EBU R128's -23 for television and -14 of the music services.
TARGET_LUFS = -16.0
# A whisper is made louder, but its room's noise not into a storm.
MOST_GAIN_DB = 15.0
# ebur128 reads samples in blocks of a tenth of a second; below this it has heard nothing (EBU R128, absolute gate).
GATE_LUFS = -70.0


@dataclass
class Levels:
    """One track, on the recording's timeline from its zero on. peaks: largest amplitude in each tenth of a second, 0 to 1;
    rms_db: mean level there, dB below full scale; lufs: integrated loudness (ITU-R BS.1770), None for silence."""

    participant: str
    source: str
    peaks: list[float] = field(default_factory=list)
    rms_db: list[float] = field(default_factory=list)
    lufs: float | None = None

    @property
    def gain(self) -> float:
        """The factor that brings it to TARGET_LUFS."""
        if self.lufs is None:
            return 1.0
        return float(10 ** (max(-MOST_GAIN_DB, min(MOST_GAIN_DB, TARGET_LUFS - self.lufs)) / 20))


def measure(path: Path, track: Track, progress: Callable[[float], None] = lambda _seconds: None) -> Levels:
    """Decode a track and look at each tenth of a second. progress: seconds of the timeline done."""
    found = Levels(track.participant, track.source)
    meter = _Meter()
    for number, window in _windows(decoded_audio(path, track.start_us)):
        if number < 0:
            continue
        missing = number - len(found.peaks)
        found.peaks += [0.0] * missing
        found.rms_db += [SILENCE_DB] * missing
        peak, power = float(np.abs(window).max()), float(np.vdot(window, window)) / window.size
        found.peaks.append(min(1.0, peak))
        found.rms_db.append(max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB)
        meter.take(window)
        if number % (10 * PER_SECOND) == 0:
            progress(number / PER_SECOND)
    found.lufs = meter.lufs
    return found


def _windows(parts: Iterator[tuple[int, Samples]]) -> Iterator[tuple[int, Samples]]:
    """(number of the window, its samples): parts cut at the borders of tenths of a second."""
    kept: list[Samples] = []
    current: int | None = None
    for at, samples in parts:
        while samples.shape[1]:
            number = at // WINDOW
            if current is not None and number > current and kept:
                yield current, np.concatenate(kept, axis=1)
                kept = []
            current = number if current is None or number > current else current
            room = max(1, (current + 1) * WINDOW - at)
            kept.append(samples[:, :room])
            at, samples = at + min(room, samples.shape[1]), samples[:, room:]
    if kept and current is not None:
        yield current, np.concatenate(kept, axis=1)


class _Meter:
    """FFmpeg's ebur128, told sample after sample."""

    def __init__(self) -> None:
        self._graph: Any = av.filter.Graph()
        source = self._graph.add_abuffer(sample_rate=AUDIO_HZ, format="fltp", layout="stereo", time_base=Fraction(1, AUDIO_HZ))
        meter, sink = self._graph.add("ebur128", "metadata=1"), self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        self._graph.configure()
        self._at, self._heard = 0, -math.inf

    def take(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.rate, frame.pts, frame.time_base = AUDIO_HZ, self._at, Fraction(1, AUDIO_HZ)
        self._at += samples.shape[1]
        self._graph.push(frame)
        while True:
            try:
                said = self._graph.pull().metadata
            except (av.BlockingIOError, av.EOFError):
                return
            self._heard = float(said.get("lavfi.r128.I", self._heard))

    @property
    def lufs(self) -> float | None:
        return self._heard if self._heard > GATE_LUFS else None
