"""`make bench-memory`: what a composing worker holds of a long recording, at each tenth of the way.

Four people with microphones all the time; of their 720p cameras a picture now and then, so that hours pass in minutes.

--hours N   length of the recording (4)
"""

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from bench.compose import recording
from recorder.compose import compose

# Seconds from one picture of a camera to its next.
RARELY_S = 60
HOUR_S = 3600


def camera(path: Path, number: int, seconds: int) -> None:
    """VP8, 720p: a still of noise in each minute."""
    rng = np.random.default_rng(number)
    container: Any
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=30, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1280, 720, "yuv420p", 500_000
        for at in range(0, seconds, RARELY_S):
            picture = rng.integers(40, 200, (45, 80, 3), np.uint8).repeat(16, 0).repeat(16, 1)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at * 1000, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def held_mb() -> float:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description="Memory of composing, over hours.")
    parser.add_argument("--hours", type=float, default=4, help="length of the recording")
    hours = parser.parse_args().hours
    held: list[tuple[float, float]] = []

    def told(percent: float, _left_s: float) -> None:
        if not held or percent - held[-1][0] >= 10:
            held.append((percent, held_mb()))
            print(f"{percent:5.0f} %  {held[-1][1]:6.0f} MB", flush=True)

    with tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name:
        folder = Path(name)
        whole = recording(folder, round(hours * HOUR_S), camera)
        print(f"{hours:g} hours of four people; before composing {held_mb():.0f} MB", flush=True)
        compose(whole, lambda track: folder / track.file, folder / "film.mp4", told)


if __name__ == "__main__":
    main()
