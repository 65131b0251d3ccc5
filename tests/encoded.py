"""Real encoded frames, as a sender's encoder gives them: VP8, VP9, H.264, Opus."""

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from recorder.rtp.frames import Frame

FIRST_TICKS, AT_MS = (1 << 32) + 4_000_000_000, 1_795_470_000_000
HZ = {"vp8": 90_000, "vp9": 90_000, "h264": 90_000, "opus": 48_000}
_VIDEO = {"vp8": "libvpx", "vp9": "libvpx-vp9", "h264": "libx264"}
_OPTIONS = {
    "vp8": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "h264": {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"},
}


def frames(codec: str, seconds: float, size: tuple[int, int] = (320, 180), fps: int = 25, key_every: int = 25) -> list[Frame]:
    """As an assembler hands them on."""
    made = _voice(seconds) if codec == "opus" else _video(codec, seconds, size, fps, key_every)
    return [replace(frame) for frame in made]


@cache
def _video(codec: str, seconds: float, size: tuple[int, int], fps: int, key_every: int) -> list[Frame]:
    encoder: Any = av.CodecContext.create(_VIDEO[codec], "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, "yuv420p", Fraction(1, fps)
    encoder.gop_size, encoder.bit_rate, encoder.options = key_every, 300_000, _OPTIONS[codec]
    found: list[Any] = []
    for number in range(round(seconds * fps)):
        picture = np.full((size[1], size[0], 3), 40, np.uint8)
        picture[:, number * 8 % size[0] :][:, :16] = 220
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, fps)
        found += encoder.encode(frame)
    found += encoder.encode(None)
    return [
        Frame(codec, FIRST_TICKS + number * 90_000 // fps, bytes(packet), packet.is_keyframe, AT_MS + number * 1000 // fps,
              0, size if packet.is_keyframe and codec != "h264" else None)
        for number, packet in enumerate(found)
    ]  # fmt: skip


@cache
def _voice(seconds: float) -> list[Frame]:
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.time_base = 48_000, "stereo", "s16", Fraction(1, 48_000)
    found: list[Any] = []
    for number in range(round(seconds * 50)):
        tone = 8000 * np.sin(2 * np.pi * 440 * (number * 960 + np.arange(960)) / 48_000)
        samples = np.repeat(tone.astype(np.int16), 2)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.rate, frame.pts, frame.time_base = 48_000, number * 960, Fraction(1, 48_000)
        found += encoder.encode(frame)
    return [
        Frame("opus", FIRST_TICKS + number * 960, bytes(packet), True, AT_MS + number * 20) for number, packet in enumerate(found)
    ]
