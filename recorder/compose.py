"""The manifest and its tracks → one film: everyone in a grid, all voices mixed, each at its time.

A thread per track decodes and scales (FFmpeg lets go of the interpreter meanwhile); the main thread pastes planes and encodes.
Memory does not grow with the length: each track is a few frames ahead at most.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from recorder.chapters import Chapter, chapters
from recorder.layout import HEIGHT, WIDTH, Cell, Layout, Scene, Spans, audio_tracks, scenes, video_tracks
from recorder.manifest import Manifest, Track, agreed, switched_off
from recorder.picture import Canvas, name_label, placeholder
from recorder.sound import AUDIO_HZ, AudioReader, Limiter
from recorder.video import HOLD_US, Shown, VideoReader
from recorder.words import word

FPS = 30
TICK = Fraction(1, FPS)
MIX_SAMPLES = 1024
# Blocks of sound that are mixed and not yet encoded: a third of a second.
SOUNDS_AHEAD = 16
# Pictures that are drawn and not yet encoded.
FRAMES_AHEAD = 3
DARK, DARK_US = 24, 5_000_000
# A picture on which nothing moved for a second (nobody has a camera on) is said only so often, in frames: less work, same film.
STILL_FRAMES = FPS

# (participant, source) → (start, end) in milliseconds of the timeline
Stretches = dict[tuple[str, str], list[tuple[int, int]]]
# percent done, seconds left if known
Progress = Callable[[float, float | None], None]


class NothingToCompose(Exception):
    """No track of the recording can be shown or heard."""


@dataclass(frozen=True)
class Format:
    """One kind of file. pictures: the encoder and its options; None: sound only."""

    container: str
    options: dict[str, str]
    pictures: tuple[str, dict[str, str]] | None
    sound: tuple[str, int]


_KEYS = {"g": str(2 * FPS)}
FORMATS = {
    # Its index in front, so that it plays while it loads.
    "mp4": Format("mp4", {"movflags": "+faststart"}, ("libx264", {"preset": "veryfast", "crf": "24"} | _KEYS), ("aac", 128_000)),
    "webm": Format(
        "webm", {}, ("libvpx", {"deadline": "realtime", "cpu-used": "5", "b": "1500k", "crf": "12"} | _KEYS), ("libopus", 96_000)
    ),
    "m4a": Format("mp4", {"movflags": "+faststart"}, None, ("aac", 128_000)),
    "ogg": Format("ogg", {}, None, ("libopus", 96_000)),
}


@dataclass(frozen=True)
class Wish:
    """What a film should be like. speaking: who spoke when, for the layouts that follow it. gains: a track's file → by how much
    its sound is made louder, a factor."""

    format: str = "mp4"
    layout: Layout = "grid"
    speaking: Spans = field(default_factory=dict)
    gains: Mapping[str, float] = field(default_factory=dict)


DEFAULT = Wish()


@dataclass(frozen=True)
class Seen:
    """What was noticed while it was made. dark: (participant, source) → stretches of black picture, milliseconds of the timeline.
    spoilt: a track's file → pictures of it that would not decode."""

    dark: Mapping[tuple[str, str], Sequence[tuple[int, int]]] = field(default_factory=dict)
    spoilt: Mapping[str, int] = field(default_factory=dict)


class Dark:
    """Where a camera that sends shows nothing but black: a lid, a hand, a driver that gave up. Looked at once a second."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], tuple[int, int]] = {}
        self._next_us: dict[tuple[str, str], int] = {}
        self._found: Stretches = {}

    def look(self, cell: Cell, shown: Shown, us: int) -> None:
        who = cell.participant, cell.source
        if us < self._next_us.get(who, 0):
            return
        self._next_us[who] = us + 1_000_000
        # 16 is black (ITU-R BT.601); every eighth point is enough to know.
        if float(shown.planes.y[::8, ::8].max(initial=0)) < DARK:
            begin_us, _ = self._open.get(who, (us, us))
            self._open[who] = begin_us, us + 1_000_000
        else:
            self._close(who)

    def _close(self, who: tuple[str, str]) -> None:
        begin_us, end_us = self._open.pop(who, (0, 0))
        if end_us - begin_us >= DARK_US:
            self._found.setdefault(who, []).append((begin_us // 1000, end_us // 1000))

    def stretches(self) -> Stretches:
        """All that were long enough to be noticed."""
        for who in list(self._open):
            self._close(who)
        return self._found


class Side:
    """One of several canvases, and what is drawn on it."""

    def __init__(self) -> None:
        self.canvas = Canvas(WIDTH, HEIGHT)
        self.scene: Scene | None = None
        self.drawn: dict[Cell, object] = {}


class Picture:
    """Draws the film's frames, one after the other: on one canvas while others are encoded, so that no frame is copied."""

    def __init__(self, manifest: Manifest, folder: Callable[[Track], Path], plan: list[Scene]) -> None:
        self._manifest, self._plan = manifest, plan
        self._readers = [(track, VideoReader(folder(track), track, plan)) for track in video_tracks(manifest)]
        self._agreed = {person.id: agreed(manifest, person.id) for person in manifest.participants}
        self._off = {person.id: switched_off(manifest, person.id, "camera") for person in manifest.participants}
        self._sides = deque(Side() for _ in range(FRAMES_AHEAD + 1))
        self._scene: Scene | None = None
        # What each cell shows at this moment, whatever of it is on which canvas.
        self._seen: dict[Cell, object] = {}
        self._changed = False
        self.dark = Dark()

    def move_to(self, us: int) -> bool:
        """Draw this moment. Returns whether it looks any different. Times only go forward."""
        self._changed = False
        scene = next((scene for scene in self._plan if scene.start_us <= us < scene.end_us), self._plan[-1])
        if scene is not self._scene:
            self._scene, self._seen, self._changed = scene, {}, True
        side = self._sides[0]
        if scene is not side.scene:
            side.scene, side.drawn = scene, {}
            side.canvas.clear()
        for cell in scene.cells:
            self._draw(cell, us)
        return self._changed

    def frame(self) -> Any:
        """What is drawn, as a frame to encode. It stays as it is until so many as FRAMES_AHEAD have been drawn after it."""
        self._sides.rotate(-1)
        return self._sides[-1].canvas.frame()

    def _draw(self, cell: Cell, us: int) -> None:
        shown, side = None, self._sides[0]
        note = self._note(cell.participant, us)
        hidden = bool(note) or (cell.source == "camera" and self._is_off(cell.participant, us))
        for track, reader in self._readers if not hidden else ():
            if (track.participant, track.source) == (cell.participant, cell.source) and track.start_us <= us + HOLD_US:
                shown = reader.at(us, cell) or shown
        name = self._manifest.name_of(cell.participant)
        looks: object = ("placeholder", note) if shown is None else shown
        if self._seen.get(cell) != looks:
            self._seen[cell], self._changed = looks, True
        if shown is not None:
            self.dark.look(cell, shown, us)
        before, side.drawn[cell] = side.drawn.get(cell), looks
        if before == looks:
            return
        if shown is None:
            side.canvas.paste(placeholder(name, cell.width, cell.height, note), cell.x, cell.y)
        else:
            if not isinstance(before, Shown) or before.planes.y.shape != shown.planes.y.shape:
                # What was larger here (the placeholder, the same camera upright) must not look out beside it.
                side.canvas.fill(cell.x, cell.y, cell.width, cell.height)
            side.canvas.paste(shown.planes, cell.x + shown.x, cell.y + shown.y)
        label = name_label(name, cell.width)
        height, width = label.size
        if width <= cell.width and height <= cell.height:
            side.canvas.blend(
                label,
                cell.x + min(10, (cell.width - width) // 2 * 2),
                cell.y + cell.height - height - min(10, (cell.height - height) // 2 * 2),
            )

    def _is_off(self, participant: str, us: int) -> bool:
        """Whether they have switched their camera off: no last picture of theirs stands there then."""
        return any(start <= us < end for start, end in self._off.get(participant, []))

    def _note(self, participant: str, us: int) -> str:
        """Why this person is not to be seen, if it is their wish."""
        if any(start <= us <= end for start, end in self._agreed.get(participant, [])):
            return ""
        return word("film.not-recorded", self._manifest.language_of(participant))

    def seen(self) -> Seen:
        return Seen(self.dark.stretches(), {track.file: reader.spoilt for track, reader in self._readers if reader.spoilt})

    def close(self) -> None:
        for _, reader in self._readers:
            reader.stop()


def compose(
    manifest: Manifest,
    folder: Callable[[Track], Path],
    target: Path,
    progress: Progress = lambda _percent, _eta: None,
    wish: Wish = DEFAULT,
) -> Seen:
    """Write the film of a recording. Whole or not at all. Raises NothingToCompose.

    folder: where a track's file is.
    """
    plan = scenes(manifest, wish.layout, wish.speaking)
    if not plan or not manifest.tracks:
        raise NothingToCompose("There is neither sound nor picture in this recording.")
    made = FORMATS[wish.format]
    partial = target.with_name("partial-" + target.name)
    picture = Picture(manifest, folder, plan) if made.pictures else None
    voices = [AudioReader(folder(track), track, wish.gains.get(track.file, 1.0)) for track in audio_tracks(manifest)]
    try:
        with (
            av.open(str(partial), "w", format=made.container, options=made.options) as container,
            Output(container, made, chapters(manifest)) as output,
        ):
            _write(output, manifest.duration_us, picture, voices, progress)
    except BaseException:
        # A disk that is full needs the room.
        partial.unlink(missing_ok=True)
        raise
    finally:
        if picture is not None:
            picture.close()
    partial.replace(target)
    return picture.seen() if picture is not None else Seen()


class Ahead:
    """Encodes in a thread of its own, in order, while what follows is made. most: how many wait for it at once."""

    def __init__(self, name: str, most: int) -> None:
        self._thread, self._begun, self._most = ThreadPoolExecutor(1, name), deque[Future[None]](), most

    def put(self, encode: Callable[[Any, Any], None], stream: Any, frame: Any) -> None:
        """The frame must stay as it is until so many as `most` were put after it. Raises what encoding has raised."""
        if len(self._begun) == self._most:
            self._begun.popleft().result()
        self._begun.append(self._thread.submit(encode, stream, frame))

    def finish(self) -> None:
        for begun in self._begun:
            begun.result()

    def close(self) -> None:
        """Begin nothing any more, and wait for what has begun."""
        self._thread.shutdown(cancel_futures=True)


class Output:
    """The file that is written: its streams. Pictures and sound are encoded each in a thread of its own, while what follows is
    drawn and mixed."""

    def __init__(self, container: Any, made: Format, marked: list[Chapter]) -> None:
        self._container, self._limiter, self._sample = container, Limiter(), 0
        self._muxing = threading.Lock()
        self._pictures, self._sounds = Ahead("encode", FRAMES_AHEAD), Ahead("encode sound", SOUNDS_AHEAD)
        self._video = self._picture_stream(*made.pictures) if made.pictures else None
        self._audio = container.add_stream(made.sound[0], rate=AUDIO_HZ, layout="stereo")
        self._audio.bit_rate = made.sound[1]
        if made.container != "ogg":
            container.set_chapters([_told(number, chapter) for number, chapter in enumerate(marked, 1)])

    def _picture_stream(self, encoder: str, options: dict[str, str]) -> Any:
        video = self._container.add_stream(encoder, rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.time_base = video.codec_context.time_base = TICK
        video.codec_context.thread_count = os.cpu_count() or 1
        # What cameras send, said aloud: from the size a player would guess BT.709, and show faces a little greener.
        video.codec_context.colorspace, video.codec_context.color_range = Colorspace.ITU601, ColorRange.MPEG
        return video

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        # Whatever has happened, the container is closed next: nobody may write to it then.
        for ahead in (self._pictures, self._sounds):
            ahead.close()

    def show(self, frame: Any, number: int) -> None:
        """It must stay as it is until so many as FRAMES_AHEAD were shown after it: the encoder has taken it by then."""
        frame.pts, frame.time_base = number, TICK
        self._pictures.put(self._mux, self._video, frame)

    def sound_until(self, sample: int, voices: list[AudioReader]) -> None:
        """Mix and write, in whole blocks, until at least this sample."""
        while self._sample < sample:
            block = np.zeros((2, MIX_SAMPLES), np.float32)
            for voice in voices:
                voice.add_to(block, self._sample)
            frame = av.AudioFrame.from_ndarray(self._limiter(block), format="fltp", layout="stereo")
            frame.rate, frame.pts, frame.time_base = AUDIO_HZ, self._sample, Fraction(1, AUDIO_HZ)
            self._sounds.put(self._mux, self._audio, frame)
            self._sample += MIX_SAMPLES

    def end(self) -> None:
        for ahead in (self._pictures, self._sounds):
            ahead.finish()
        for stream in (self._video, self._audio):
            if stream is not None:
                self._mux(stream, None)

    def _mux(self, stream: Any, frame: Any) -> None:
        for packet in stream.encode(frame):
            if stream is self._video:
                # Else the last of a still film would be said to last as long as the one before.
                packet.duration = round(1 / FPS / packet.time_base)
            with self._muxing:
                self._container.mux(packet)


def _told(number: int, chapter: Chapter) -> dict[str, Any]:
    """As PyAV's set_chapters wants it."""
    return {
        "id": number, "start": chapter.start_us // 1000, "end": chapter.end_us // 1000, "time_base": Fraction(1, 1000),
        "metadata": {"title": chapter.title},
    }  # fmt: skip


def _write(output: Output, duration_us: int, picture: Picture | None, voices: list[AudioReader], progress: Progress) -> None:
    frames = max(1, round(duration_us * FPS / 1e6))
    began = told = time.monotonic()
    changed = 0
    for number in range(frames):
        if picture is not None:
            if picture.move_to(round((number + 0.5) * 1e6 / FPS)):
                changed = number
            if number - changed < FPS or number % STILL_FRAMES == 0 or number == frames - 1:
                output.show(picture.frame(), number)
        output.sound_until((number + 1) * AUDIO_HZ // FPS, voices)
        now = time.monotonic()
        if now - told >= 0.5:
            told = now
            done = (number + 1) / frames
            progress(done * 100, (now - began) / done * (1 - done))
    output.end()
    progress(100, 0)
