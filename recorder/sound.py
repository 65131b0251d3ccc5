"""A voice at its time on the recording's timeline, without holes, doublings or clicks. 48 kHz, two channels, 32 bit float."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from recorder.decode import frames_of
from recorder.manifest import Track
from recorder.seek import go_to

AUDIO_HZ = 48_000
# Further from its place than this, a sound is put there by a cut: there was a gap, or nothing came for a while …
JUMP_SAMPLES = AUDIO_HZ * 30 // 1000
# … less far, by making frames a little longer or shorter, by a fortieth at most, which nobody hears: a file says times in whole
# milliseconds, and the sender's clock runs a little off ours.
STRETCH_SAMPLES = AUDIO_HZ * 2 // 1000
MOST_STRETCH = 1 / 40
# Several voices at once may add up to more than there is room for. Below 1, because AAC overshoots a little.
LOUDEST = 0.9
# How a turned-down mix comes back: this share of what is missing, each block.
RECOVERY = 0.03
# How long turning down takes, samples: long enough not to click.
ATTACK_SAMPLES = 96

# A decoder that begins in the middle needs a while until it sounds right: Opus at least 80 ms (RFC 7845 section 4.6).
PREROLL_US = 1_000_000

Samples: TypeAlias = NDArray[np.float32]


def decoded_audio(path: Path, start_us: int) -> Iterator[tuple[int, Samples]]:
    """(first sample's number on the timeline as the file has it, samples as two rows), in order."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=AUDIO_HZ)
    container: Any
    with av.open(str(path)) as container:
        if start_us < -PREROLL_US:
            go_to(container, -start_us - PREROLL_US)
        stream = container.streams.audio[0]
        # Once: a fraction for each of an hour's frames takes as long as decoding it.
        samples_a_tick = float(stream.time_base * AUDIO_HZ)
        for frame in frames_of(container, stream):
            at = round(start_us * AUDIO_HZ / 1e6 + frame.pts * samples_a_tick)
            for part in resampler.resample(frame):
                yield at, np.asarray(part.to_ndarray(), np.float32)
                at += part.samples


def placed(parts: Iterator[tuple[int, Samples]]) -> Iterator[tuple[int, Samples]]:
    """The same sound, each part beginning where the one before ended, or, after a gap, later."""
    expected: int | None = None
    for wanted, samples in parts:
        off = JUMP_SAMPLES + 1 if expected is None else wanted - expected
        if expected is None or off > JUMP_SAMPLES:
            expected = wanted
        elif off < -JUMP_SAMPLES:
            samples = samples[:, -off:]
        elif abs(off) > STRETCH_SAMPLES:
            most = int(samples.shape[1] * MOST_STRETCH)
            samples = stretched(samples, samples.shape[1] + max(-most, min(off, most)))
        if samples.shape[1]:
            yield expected, samples
            expected += samples.shape[1]


def stretched(samples: Samples, length: int) -> Samples:
    """The same sound in another number of samples."""
    known = np.arange(samples.shape[1])
    # Up to where the next part's first sample would be, so that it goes on at the same pace.
    at = np.arange(length) * (samples.shape[1] / length)
    return np.stack([np.interp(at, known, channel) for channel in samples]).astype(np.float32)


class AudioReader:
    """One audio track, read as blocks of the timeline; silence where it has nothing. gain: a factor."""

    def __init__(self, path: Path, track: Track, gain: float = 1.0) -> None:
        self._gain = np.float32(gain)
        self._parts = placed(decoded_audio(path, track.start_us))
        self._waiting: tuple[int, Samples] | None = None
        self._ended = False

    def add_to(self, block: Samples, start: int) -> None:
        """Add this track's samples from `start` on to the block. Blocks only go forward."""
        end = start + block.shape[1]
        while not self._ended:
            if self._waiting is None:
                self._waiting = next(self._parts, None)
                self._ended = self._waiting is None
                continue
            at, samples = self._waiting
            if at >= end:
                return
            begin, stop = max(at, start), min(at + samples.shape[1], end)
            if stop > begin:
                block[:, begin - start : stop - start] += samples[:, begin - at : stop - at] * self._gain
            if at + samples.shape[1] > end:
                return
            self._waiting = None


class Limiter:
    """Turns a mix that is too loud down as a whole, at once, and slowly up again: nothing is clipped, voices keep their tone."""

    def __init__(self) -> None:
        self._gain = 1.0

    def __call__(self, block: Samples) -> Samples:
        """Blocks follow one another."""
        before = self._gain
        room = LOUDEST / max(float(np.abs(block).max(initial=0.0)), LOUDEST)
        self._gain = min(room, before + (1 - before) * RECOVERY)
        if before == self._gain == 1.0:
            return block
        gains = np.full(block.shape[1], self._gain, np.float32)
        ramp = min(ATTACK_SAMPLES if self._gain < before else block.shape[1], block.shape[1])
        gains[:ramp] = np.linspace(before, self._gain, ramp, dtype=np.float32)
        limited: Samples = np.clip(block * gains, -LOUDEST, LOUDEST)
        return limited
