"""Small tracks made for the tests: one colour a camera, beeps for a voice; and the manifest that goes with them."""

import hashlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from recorder.manifest import Manifest, Person, Segment, Track

Colour = tuple[int, int, int]
RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 170, 30), (30, 30, 200), (235, 235, 235)
HZ = 48_000
BEEP_S = 0.2
MS = Fraction(1, 1000)


def video(path: Path, colour: Colour, seconds: float, size: tuple[int, int] = (320, 180), fps: int = 15) -> Path:
    """A VP8 file of one colour."""
    return pictures(path, [(colour, size, number / fps) for number in range(round(seconds * fps))])


def pictures(path: Path, frames: Iterable[tuple[Colour, tuple[int, int], float]]) -> Path:
    """A VP8 file of (colour, size, second); a new size begins a new key frame, as when a sender adapts."""
    container: Any
    with av.open(str(path), "w", format="webm") as container:
        stream, encoder = None, None
        for colour, (width, height), second in frames:
            if encoder is None or (encoder.width, encoder.height) != (width, height):
                encoder = _vp8(width, height)
            if stream is None:
                stream = container.add_mux_stream("vp8", width=width, height=height)
                stream.time_base = MS
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), colour, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(second * 1000), MS
            for packet in encoder.encode(frame.reformat(format="yuv420p")):
                packet.stream = stream
                container.mux(packet)
    return path


def _vp8(width: int, height: int) -> Any:
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", MS
    encoder.bit_rate = 300_000
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    return encoder


def sound(path: Path, seconds: float, beeps_s: Iterable[float], amplitude: float = 0.5) -> Path:
    """An Opus file, silent but for a beep of 1 kHz, BEEP_S long, at each of these seconds."""
    samples = np.zeros((2, round(seconds * HZ)), np.float32)
    beep = amplitude * np.sin(2 * np.pi * 1000 * np.arange(round(BEEP_S * HZ)) / HZ)
    for second in beeps_s:
        samples[:, round(second * HZ) : round(second * HZ) + len(beep)] = beep
    container: Any
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=HZ, layout="stereo")
        for start in range(0, samples.shape[1] - 959, 960):
            frame = av.AudioFrame.from_ndarray(samples[:, start : start + 960].copy(), format="fltp", layout="stereo")
            frame.rate, frame.pts, frame.time_base = HZ, start, Fraction(1, HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def track(path: Path, person: str, source: str, start_s: float, seconds: float, segment: str = "s1", **more: Any) -> Track:
    """How the manifest describes this file."""
    kind = "audio" if source in ("microphone", "screen-sound") else "video"
    return Track(
        file=path.name, segment=segment, participant=person, source=source, kind=kind,
        codec="Opus" if kind == "audio" else "VP8", start_us=round(start_s * 1e6), duration_us=round(seconds * 1e6),
        bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), **more,
    )  # fmt: skip


def person(name: str, joined_s: float, left_s: float) -> Person:
    return Person(id=f"p{name.lower()}", name=name, joined_us=round(joined_s * 1e6), left_us=round(left_s * 1e6))


def manifest(seconds: float, people: list[Person], tracks: list[Track], recording: str = "r1", segment: str = "s1") -> Manifest:
    """One segment, so long."""
    length_us = round(seconds * 1e6)
    return Manifest(
        recording=recording, room="k3f9-xq2m-7pdw", title="Board meeting", started_at_ms=1_795_470_000_000,
        duration_us=length_us, participants=people, segments=[Segment(id=segment, duration_us=length_us)], tracks=tracks,
    )  # fmt: skip


class Film:
    """A finished file, decoded whole. frames: (second, picture as the decoder gave it), in order."""

    def __init__(self, path: Path) -> None:
        container: Any
        self.frames: list[tuple[float, Any]] = []
        parts: list[Any] = []
        with av.open(str(path)) as container:
            self.seconds = container.duration / 1e6
            # Chapters of an MP4 are a stream of text besides.
            seen_or_heard = [stream for stream in container.streams if stream.type in ("audio", "video")]
            self.codecs = {
                stream.type: stream.codec_context.name for stream in container.streams if stream.type in ("audio", "video")
            }
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=HZ)
            for frame in container.decode(*seen_or_heard):
                if isinstance(frame, av.VideoFrame):
                    self.frames.append((float(frame.pts * frame.time_base), frame))
                else:
                    parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        self.samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def picture(self, second: float) -> Any:
        """The frame shown at this time: rows of columns of RGB."""
        return next(rgb(frame) for at, frame in reversed(self.frames) if at <= second)

    def beeps(self) -> list[float]:
        """When a sound begins, in seconds."""
        block = HZ // 100
        whole = len(self.samples) // block * block
        loud = np.sqrt((self.samples[:whole].reshape(-1, block) ** 2).mean(axis=1)) > 0.05
        return [number / 100 for number in range(len(loud)) if loud[number] and not loud[max(0, number - 10) : number].any()]


def rgb(frame: Any) -> Any:
    """Rows of columns of red, green and blue."""
    return frame.to_ndarray(format="rgb24")


def is_colour(found: Any, colour: Colour, tolerance: int = 28) -> bool:
    """Nearly: it went through two codecs and a change of colour space."""
    return bool(np.abs(np.asarray(found, int) - np.asarray(colour, int)).max() <= tolerance)
