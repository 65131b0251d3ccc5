"""Small pictures of the film to see while seeking: one sheet, and a WebVTT file that says which part of it is for which time."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
from PIL import Image

from recorder.chapters import clock_time

WIDTH, HEIGHT = 160, 90
COLUMNS = 10
# A sheet of a few hundred KiB, however long the film.
MOST = 200
LEAST_EVERY_S = 2.0


def every_s(length_s: float) -> float:
    """From picture to picture, seconds."""
    return max(LEAST_EVERY_S, length_s / MOST)


def sheet(film: Path, length_s: float, target: Path, progress: Callable[[float], None] = lambda _seconds: None) -> str:
    """Write the sheet (JPEG), whole or not at all. Returns the WebVTT. Only key frames are decoded: our films have one each two
    seconds, and where there are fewer, the last one stands for what follows. progress: seconds of the film done."""
    step_s = every_s(length_s)
    count = max(1, math.ceil(length_s / step_s))
    pictures = _pictures(film, count, step_s, progress)
    rows = math.ceil(count / COLUMNS)
    canvas = Image.new("RGB", (WIDTH * min(COLUMNS, count), HEIGHT * rows))
    cues = ["WEBVTT\n"]
    last = pictures.get(min(pictures)) if pictures else None
    for number in range(count):
        last = pictures.get(number, last)
        x, y = number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT
        if last is not None:
            canvas.paste(last, (x + (WIDTH - last.width) // 2, y + (HEIGHT - last.height) // 2))
        begin, end = number * step_s, min(length_s, (number + 1) * step_s)
        span = f"{clock_time(round(begin * 1e6))} --> {clock_time(round(end * 1e6))}"
        cues.append(f"{span}\nthumbnails.jpg#xywh={x},{y},{WIDTH},{HEIGHT}\n")
    partial = target.with_name("partial-" + target.name)
    canvas.save(partial, "JPEG", quality=70, optimize=True)
    partial.replace(target)
    return "\n".join(cues)


def _pictures(film: Path, count: int, step_s: float, progress: Callable[[float], None]) -> dict[int, Image.Image]:
    found: dict[int, Image.Image] = {}
    container: Any
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            number = min(count - 1, int(float(frame.time or 0) / step_s))
            if number not in found:
                progress(float(frame.time or 0))
                scale = min(WIDTH / frame.width, HEIGHT / frame.height)
                size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
                found[number] = frame.reformat(*size, format="rgb24").to_image()
    return found
