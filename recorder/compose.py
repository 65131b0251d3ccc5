"""The manifest and its tracks → one film: everyone in a grid, all voices mixed, each at its time.

A thread per track decodes and scales (FFmpeg lets go of the interpreter meanwhile); the main thread pastes planes and encodes.
Memory does not grow with the length: each track is a few frames ahead at most.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from recorder.layout import HEIGHT, WIDTH, Cell, Scene, audio_tracks, scenes, video_tracks
from recorder.manifest import Manifest, Track, agreed
from recorder.picture import Canvas, Fit, Planes, name_label, placeholder
from recorder.sound import AUDIO_HZ, AudioReader, Limiter
from recorder.words import word

FPS = 30
# A picture is shown for so long after its frame's time when no other follows, microseconds; then the placeholder.
HOLD_US = 2_000_000
# A screen on which nothing moves sends hardly any frames.
SCREEN_HOLD_US = 15_000_000
AHEAD = 6
MIX_SAMPLES = 1024
# A picture on which nothing moved for a second (nobody has a camera on) is said only so often, in frames: less work, same film.
STILL_FRAMES = FPS

# percent done, seconds left if known
Progress = Callable[[float, float | None], None]


class NothingToCompose(Exception):
    """No track of the recording can be shown or heard."""


@dataclass
class Shown:
    """One decoded frame, and how it looks in the cell it was scaled for. at_us: on the timeline."""

    at_us: int
    frame: Any
    cell: Cell
    planes: Planes
    x: int
    y: int


class VideoReader:
    """One video track, decoded in a thread, scaled there to the cell it is shown in at the time.

    The thread begins with the first question, so that a recording of many tracks does not open all of them at once.
    """

    def __init__(self, path: Path, track: Track, plan: list[Scene]) -> None:
        self._path, self._track = path, track
        cells = [(scene.start_us, scene.end_us, _cell_of(scene, track)) for scene in plan]
        self._cells = [(start_us, end_us, cell) for start_us, end_us, cell in cells if cell is not None]
        self._hold_us = SCREEN_HOLD_US if track.source == "screen" else HOLD_US
        self._queue: queue.Queue[Shown | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._now: Shown | None = None
        self._next: Shown | None = None
        self._ended = False
        self._fit = Fit()
        self._thread = threading.Thread(target=self._run, name=f"decode {path.name}", daemon=True)

    def _run(self) -> None:
        fit = Fit()
        try:
            for at_us, frame in decoded_video(self._path, self._track.start_us):
                cell = self._cell_at(at_us)
                if self._stopped.is_set():
                    return
                if cell is not None:
                    self._put(Shown(at_us, frame, cell, *fit(frame, cell.width, cell.height)))
        finally:
            self._put(None)

    def _cell_at(self, at_us: int) -> Cell | None:
        """The cell of this moment, or the one that comes while the frame would still be held."""
        return next((cell for start, end, cell in self._cells if start - self._hold_us <= at_us < end), None)

    def _put(self, item: Shown | None) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.5)
                return
            except queue.Full:
                continue

    def at(self, us: int, cell: Cell) -> Shown | None:
        """The picture to show at this time in this cell; None when there is none. Times only go forward."""
        if self._thread.ident is None:
            self._thread.start()
        while not self._ended and (self._next is None or self._next.at_us <= us):
            if self._next is not None:
                self._now = self._next
            self._next = self._queue.get()
            self._ended = self._next is None
        if self._now is None or us - self._now.at_us > self._hold_us:
            return None
        if self._now.cell != cell:
            # The grid has moved since this frame was scaled.
            self._now = Shown(self._now.at_us, self._now.frame, cell, *self._fit(self._now.frame, cell.width, cell.height))
        return self._now

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)


def _cell_of(scene: Scene, track: Track) -> Cell | None:
    return next((cell for cell in scene.cells if (cell.participant, cell.source) == (track.participant, track.source)), None)


def decoded_video(path: Path, start_us: int) -> Iterator[tuple[int, Any]]:
    """(time on the timeline in microseconds, frame), in order; a file that is cut off or spoilt ends where it does."""
    container: Any
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        # Everybody's track is decoded at once: threads within each would only cost.
        stream.codec_context.thread_count = 1
        last_us = -1
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except av.FFmpegError:
                continue  # a spoilt packet; a demuxer that failed has ended, and says so at the next
            for frame in frames:
                if frame.pts is None:
                    continue
                at_us = start_us + round(float(frame.pts * frame.time_base) * 1e6)
                if at_us > last_us:
                    last_us = at_us
                    yield at_us, frame


class Picture:
    """Draws the film's frames, one after the other."""

    def __init__(self, manifest: Manifest, folder: Callable[[Track], Path], plan: list[Scene]) -> None:
        self._manifest, self._plan = manifest, plan
        self._readers = [(track, VideoReader(folder(track), track, plan)) for track in video_tracks(manifest)]
        self._agreed = {person.id: agreed(manifest, person.id) for person in manifest.participants}
        self._canvas = Canvas(WIDTH, HEIGHT)
        self._scene: Scene | None = None
        self._drawn: dict[Cell, object] = {}
        self._changed = False

    def move_to(self, us: int) -> bool:
        """Draw this moment. Returns whether it looks any different. Times only go forward."""
        self._changed = False
        scene = next((scene for scene in self._plan if scene.start_us <= us < scene.end_us), self._plan[-1])
        if scene is not self._scene:
            self._scene, self._drawn = scene, {}
            self._canvas.clear()
            self._changed = True
        for cell in scene.cells:
            self._draw(cell, us)
        return self._changed

    def frame(self) -> Any:
        """What is drawn, as a frame to encode."""
        return self._canvas.frame()

    def _draw(self, cell: Cell, us: int) -> None:
        shown = None
        note = self._note(cell.participant, us)
        for track, reader in self._readers if not note else ():
            if (track.participant, track.source) == (cell.participant, cell.source) and track.start_us <= us + HOLD_US:
                shown = reader.at(us, cell) or shown
        name = self._manifest.name_of(cell.participant)
        if shown is None:
            drawn = ("placeholder", note)
            if self._drawn.get(cell) == drawn:
                return
            self._canvas.paste(placeholder(name, cell.width, cell.height, note), cell.x, cell.y)
            self._drawn[cell] = drawn
        else:
            before = self._drawn.get(cell)
            if before is shown:
                return
            if not isinstance(before, Shown) or before.planes.y.shape != shown.planes.y.shape:
                # What was larger here (the placeholder, the same camera upright) must not look out beside it.
                self._canvas.fill(cell.x, cell.y, cell.width, cell.height)
            self._canvas.paste(shown.planes, cell.x + shown.x, cell.y + shown.y)
            self._drawn[cell] = shown
        self._changed = True
        label = name_label(name, cell.width)
        height, width = label.planes.y.shape
        if width <= cell.width and height <= cell.height:
            self._canvas.blend(
                label,
                cell.x + min(10, (cell.width - width) // 2 * 2),
                cell.y + cell.height - height - min(10, (cell.height - height) // 2 * 2),
            )

    def _note(self, participant: str, us: int) -> str:
        """Why this person is not to be seen, if it is their wish."""
        if any(start <= us <= end for start, end in self._agreed.get(participant, [])):
            return ""
        return word("film.not-recorded", self._manifest.language_of(participant))

    def close(self) -> None:
        for _, reader in self._readers:
            reader.stop()


def compose(
    manifest: Manifest, folder: Callable[[Track], Path], target: Path, progress: Progress = lambda _percent, _eta: None
) -> None:
    """Write the film of a recording. Whole or not at all. Raises NothingToCompose.

    folder: where a track's file is. MP4, H.264 and AAC, its index in front so that it plays while it loads.
    """
    plan = scenes(manifest)
    if not plan or not manifest.tracks:
        raise NothingToCompose("There is neither sound nor picture in this recording.")
    partial = target.with_name("partial-" + target.name)
    picture = Picture(manifest, folder, plan)
    voices = [AudioReader(folder(track), track) for track in audio_tracks(manifest)]
    try:
        with av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            _write(container, manifest.duration_us, picture, voices, progress)
    finally:
        picture.close()
    partial.replace(target)


def _write(container: Any, duration_us: int, picture: Picture, voices: list[AudioReader], progress: Progress) -> None:
    video = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "24", "g": str(2 * FPS)})
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    video.time_base = video.codec_context.time_base = Fraction(1, FPS)
    video.codec_context.thread_count = os.cpu_count() or 1
    # What cameras send, said aloud: from the size a player would guess BT.709, and show faces a little greener.
    video.codec_context.colorspace, video.codec_context.color_range = Colorspace.ITU601, ColorRange.MPEG
    audio = container.add_stream("aac", rate=AUDIO_HZ, layout="stereo")
    audio.bit_rate = 128_000
    frames = max(1, round(duration_us * FPS / 1e6))
    began = told = time.monotonic()
    sample = changed = 0
    limiter = Limiter()
    for number in range(frames):
        if picture.move_to(round((number + 0.5) * 1e6 / FPS)):
            changed = number
        if number - changed < FPS or number % STILL_FRAMES == 0 or number == frames - 1:
            frame = picture.frame()
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            for packet in video.encode(frame):
                container.mux(packet)
        while sample < (number + 1) * AUDIO_HZ // FPS:
            sample = _write_sound(container, audio, voices, limiter, sample)
        now = time.monotonic()
        if now - told >= 0.5:
            told = now
            done = (number + 1) / frames
            progress(done * 100, (now - began) / done * (1 - done))
    for stream in (video, audio):
        for packet in stream.encode(None):
            container.mux(packet)
    progress(100, 0)


def _write_sound(container: Any, audio: Any, voices: list[AudioReader], limiter: Limiter, sample: int) -> int:
    block = np.zeros((2, MIX_SAMPLES), np.float32)
    for voice in voices:
        voice.add_to(block, sample)
    frame = av.AudioFrame.from_ndarray(limiter(block), format="fltp", layout="stereo")
    frame.rate, frame.pts, frame.time_base = AUDIO_HZ, sample, Fraction(1, AUDIO_HZ)
    for packet in audio.encode(frame):
        container.mux(packet)
    return sample + MIX_SAMPLES
