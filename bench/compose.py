"""`make bench-compose`: composing four 720p cameras into one 720p film, beside Debian's ffmpeg doing the same in the same run.

Then once all steps from the stopped recording to the published film (without the network between worker and server), for all
four, for one alone, and for sound only.

--seconds N   length of the recording (20)
--repeats N   rounds; the two take turns, and the median counts (3)
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from recorder import manifest as manifests
from recorder.compose import compose
from recorder.config import Settings
from recorder.manifest import Manifest, Person, Segment, Track
from recorder.pipeline import Pipeline
from recorder.publish import Library, sha256_of
from signaling.library.jobs import STEPS

PEOPLE = ("Ana", "Ben", "Cleo", "Dan")
HZ = 48_000


def camera(path: Path, number: int, seconds: int) -> None:
    """VP8, 720p, 30 fps: a still room with noise of its own, and something that moves through it."""
    rng = np.random.default_rng(number)
    room = rng.integers(40, 200, (45, 80, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    container: Any
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=30, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1280, 720, "yuv420p", 2_500_000
        for index in range(seconds * 30):
            picture = room.copy()
            left = (index * (5 + number)) % 1000
            picture[200:520, left : left + 260] = rng.integers(0, 255, (40, 1, 3), np.uint8).repeat(8, 0)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def voice(path: Path, number: int, seconds: int) -> None:
    """Opus: a tone of whole hertz that is there each other second."""
    at = np.arange(2 * HZ) / HZ
    samples = np.tile((0.2 * np.sin(2 * np.pi * (200 + 90 * number) * at) * (at < 1)).astype(np.float32), (2, 1))
    container: Any
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=HZ, layout="stereo")
        for start in range(0, seconds * HZ, 960):
            first = start % samples.shape[1]
            frame = av.AudioFrame.from_ndarray(samples[:, first : first + 960].copy(), format="fltp", layout="stereo")
            frame.rate, frame.pts, frame.time_base = HZ, start, Fraction(1, HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def recording(folder: Path, seconds: int, camera: Callable[[Path, int, int], None] = camera) -> Manifest:
    """Four people with camera and microphone, all there from the beginning to the end."""
    length_us = seconds * 1_000_000
    made = Manifest(recording="r", room="r", title="Bench", started_at_ms=0, duration_us=length_us)
    made.segments = [Segment(id="s", duration_us=length_us)]
    for number, name in enumerate(PEOPLE):
        made.participants.append(Person(id=name, name=name, left_us=length_us))
        for source, kind, codec, make in (("camera", "video", "VP8", camera), ("microphone", "audio", "Opus", voice)):
            path = folder / f"{name}-{source}.webm"
            make(path, number, seconds)
            made.tracks.append(
                Track(file=path.name, segment="s", participant=name, source=source, kind=kind, codec=codec, duration_us=length_us)
            )
    return made


def by_ffmpeg(folder: Path, seconds: int, target: Path) -> None:
    """The same film by the command line: same grid, size, rate, preset and quality; without the names, which only ours draws."""
    inputs = [argument for name in PEOPLE for argument in ("-i", str(folder / f"{name}-camera.webm"))]
    inputs += [argument for name in PEOPLE for argument in ("-i", str(folder / f"{name}-microphone.webm"))]
    scaled = ";".join(f"[{n}:v]scale=640:360:flags=bilinear,fps=30[v{n}]" for n in range(4))
    stacked = "[v0][v1][v2][v3]xstack=inputs=4:layout=0_0|640_0|0_360|640_360[v]"
    mixed = "[4:a][5:a][6:a][7:a]amix=inputs=4:normalize=0[a]"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-y",
        *inputs,
        "-filter_complex",
        f"{scaled};{stacked};{mixed}",
        "-map",
        "[v]",
        "-map",
        "[a]",
    ]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-g", "60", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", "-t", str(seconds), str(target)]
    subprocess.run(command, check=True)


class Shelf(Library):
    """In place of the server: a folder."""

    def __init__(self, folder: Path, whole: Manifest) -> None:
        self.folder, self.artifacts = folder, []
        manifests.save(whole, folder / "segment-s.json")
        self.upload("", folder / "segment-s.json", "segment-s.json", "segment")
        for track in whole.tracks:
            self.upload("", folder / track.file, track.file, "track", track.model_dump())

    def describe(self, recording: str) -> dict[str, Any]:
        return {"id": recording, "artifacts": list(self.artifacts), "consent": [], "versions": [], "removed": []}

    def upload(self, _recording: str, path: Path, name: str, kind: str, meta: dict[str, Any] | None = None) -> dict[str, Any]:
        if path.parent != self.folder:
            shutil.copyfile(path, self.folder / name)
        made = {
            "id": f"{kind}-{name}", "kind": kind, "name": name, "bytes": path.stat().st_size, "sha256": sha256_of(path),
            "meta": meta or {}, "media_type": "video/mp4" if name.endswith((".mp4", ".webm")) else "audio/mp4",
        }  # fmt: skip
        self.artifacts.append(made)
        return made

    def fetch(self, artifact: dict[str, Any], target: Path) -> None:
        shutil.copyfile(self.folder / artifact["name"], target)


def ready(folder: Path, whole: Manifest) -> dict[str, float]:
    """Seconds of each step."""
    with tempfile.TemporaryDirectory(prefix="letterbox-bench-", dir=folder) as work:
        environ = {"LETTERBOX_RECORDER_KEY": "none", "LETTERBOX_WORK_DIR": work}
        shelf = Shelf(folder, whole)

        def run(step: str) -> None:
            Pipeline(Settings.from_environ(environ), shelf, "r", lambda _percent, _eta: None).run(step)

        return {step: timed(lambda step=step: run(step)) for step in STEPS}  # type: ignore[misc]


def only(whole: Manifest, people: int, kinds: tuple[str, ...]) -> Manifest:
    """The same meeting of fewer people, or less of them."""
    tracks = [track for track in whole.tracks if track.participant in PEOPLE[:people] and track.kind in kinds]
    return whole.model_copy(update={"participants": whole.participants[:people], "tracks": tracks})


def timed(work: Callable[[], None]) -> float:
    """Seconds on the wall."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.compose", description="Composing beside ffmpeg.")
    parser.add_argument("--seconds", type=int, default=20, help="length of the recording")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, taking turns")
    return parser.parse_args()


def measure(folder: Path, manifest: Manifest, seconds: int, repeats: int) -> dict[str, list[float]]:
    """Wall seconds of each, one after the other in each round."""
    systems: dict[str, Callable[[], None]] = {
        "letterbox": lambda: compose(manifest, lambda track: folder / track.file, folder / "letterbox.mp4")
    }
    if shutil.which("ffmpeg"):
        systems["ffmpeg"] = lambda: by_ffmpeg(folder, seconds, folder / "ffmpeg.mp4")
    else:
        print("ffmpeg is not installed (Debian: apt-get install ffmpeg): its row is left out.")
    taken: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(repeats):
        for name, work in systems.items():
            taken[name].append(timed(work))
    return taken


def main() -> None:
    wish = arguments()
    with tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name:
        folder = Path(name)
        whole = recording(folder, wish.seconds)
        taken = measure(folder, whole, wish.seconds, wish.repeats)
        meetings = {
            "four": whole, "one": only(whole, 1, ("audio", "video")), "sound of four": only(whole, 4, ("audio",)),
        }  # fmt: skip
        steps = {name: ready(folder, meeting) for name, meeting in meetings.items()}
        sizes = {name: (folder / f"{name}.mp4").stat().st_size for name in taken}
    print(f"4 × 720p30 VP8 + Opus → 720p30 H.264 veryfast + AAC, {wish.seconds} s, median of {wish.repeats} (least to most)")
    print(f"{'':12}{'seconds':>24}{'× real time':>14}{'MB':>8}")
    middle = {name: statistics.median(times) for name, times in taken.items()}
    for name, times in taken.items():
        span = f"{middle[name]:.2f} ({min(times):.2f} to {max(times):.2f})"
        print(f"{name:12}{span:>24}{wish.seconds / middle[name]:>14.2f}{sizes[name] / 1e6:>8.2f}")
    ratio = round(middle["ffmpeg"] / middle["letterbox"], 3) if "ffmpeg" in middle else None
    print("\nseconds of each step, once")
    for name, each in steps.items():
        print(f"{name:14}" + "  ".join(f"{step} {seconds:.2f}" for step, seconds in each.items()))
    # How long people wait for the film, as a part of how long they met.
    over = {name: round(sum(each.values()) / wish.seconds, 4) for name, each in steps.items()}
    print(
        json.dumps(
            {
                "speed_vs_ffmpeg": ratio, "ready_over_length": over["four"], "alone_over_length": over["one"],
                "sound_over_length": over["sound of four"], "poster_s": round(steps["four"]["poster"], 2),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
