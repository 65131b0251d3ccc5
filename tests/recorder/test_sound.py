"""A voice is put at its time without being torn: small errors of a file's times are not heard, gaps stay gaps."""

from itertools import pairwise

import numpy as np
import pytest

from recorder.sound import AUDIO_HZ, JUMP_SAMPLES, LOUDEST, Limiter, placed, stretched

FRAME = AUDIO_HZ // 50


def tone(first: int, length: int = FRAME) -> np.ndarray:
    """300 Hz, as if it had been sounding since sample 0."""
    wave = 0.2 * np.sin(2 * np.pi * 300 * np.arange(first, first + length) / AUDIO_HZ)
    return np.stack([wave, wave]).astype(np.float32)


def heard(parts: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """One channel of what the parts make on the timeline."""
    mix = np.zeros(parts[-1][0] + parts[-1][1].shape[1], np.float32)
    for at, samples in parts:
        mix[at : at + samples.shape[1]] += samples[0]
    return mix


def roughness(sound: np.ndarray) -> float:
    """The sharpest bend in it: a click is far sharper than any tone."""
    return float(np.abs(np.diff(sound, 2)).max())


@pytest.mark.parametrize("drift", [1.0001, 0.9999, 1.001, 0.999])
def test_whole_milliseconds_and_a_drifting_clock_are_not_heard(drift: float) -> None:
    times_ms = [round(number * 20 * drift) for number in range(500)]
    parts = list(placed((ms * AUDIO_HZ // 1000, tone(number * FRAME)) for number, ms in enumerate(times_ms)))
    for (at, samples), (following, _) in pairwise(parts):
        assert at + samples.shape[1] == following
    # As smooth as the tone itself, but for the bend where a frame is stretched; a millisecond's hole is twenty times as sharp.
    assert roughness(heard(parts)) < 5 * roughness(tone(0, FRAME * 10)[0])
    # Within the 20 ms that lips are allowed, by far.
    assert abs(parts[-1][0] - times_ms[-1] * AUDIO_HZ // 1000) <= AUDIO_HZ * 4 // 1000


def test_a_gap_stays_a_gap_of_its_length() -> None:
    later = FRAME + AUDIO_HZ
    assert [at for at, _ in placed(iter([(0, tone(0)), (later, tone(later))]))] == [0, later]


def test_sound_that_comes_twice_is_heard_once() -> None:
    parts = list(placed(iter([(0, tone(0, 4 * FRAME)), (FRAME, tone(FRAME, 4 * FRAME))])))
    assert JUMP_SAMPLES < 3 * FRAME
    assert [(at, samples.shape[1]) for at, samples in parts] == [(0, 4 * FRAME), (4 * FRAME, FRAME)]


def test_a_stretched_frame_has_the_wished_length_and_the_same_tone() -> None:
    longer = stretched(tone(0), FRAME + 96)
    assert longer.shape == (2, FRAME + 96)
    assert np.abs(longer).max() == pytest.approx(0.2, abs=0.01)


def test_three_voices_at_once_are_turned_down_and_not_clipped() -> None:
    limiter = Limiter()
    blocks = [limiter(tone(number * 1024, 1024) * 7) for number in range(20)]
    settled = np.concatenate(blocks[1:], axis=1)[0]
    assert 0.9 * LOUDEST < np.abs(settled).max() <= LOUDEST
    # Still a tone: a clipped one has corners.
    assert roughness(settled) < 1.5 * LOUDEST / 0.2 * roughness(tone(0, 4096)[0])


def test_quiet_is_left_alone_and_comes_back_after_loud() -> None:
    limiter = Limiter()
    quiet = tone(0, 1024)
    assert (limiter(quiet.copy()) == quiet).all()
    limiter(quiet * 10)
    for _ in range(200):
        last = limiter(quiet.copy())
    assert np.abs(last - quiet).max() < 0.01
