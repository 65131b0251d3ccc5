"""One good picture of a recording: as in the film, from where most people are to be seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from recorder.layout import HEIGHT, WIDTH, scenes, video_tracks
from recorder.manifest import Manifest, Track, is_recorded
from recorder.picture import Canvas, Fit, name_label, placeholder
from recorder.words import word

# A camera may send a key frame a minute; people want to see a picture at once.
MOST_DECODED = 300


def poster(manifest: Manifest, folder: Callable[[Track], Path], target: Path) -> None:
    """Write a JPEG, whole or not at all."""
    at_us = best_moment_us(manifest)
    scene = next(scene for scene in scenes(manifest) if scene.start_us <= at_us < scene.end_us)
    canvas = Canvas(WIDTH, HEIGHT)
    for cell in scene.cells:
        name = manifest.name_of(cell.participant)
        language = manifest.language_of(cell.participant)
        note = "" if is_recorded(manifest, cell.participant, at_us) else word("film.not-recorded", language)
        canvas.paste(placeholder(name, cell.width, cell.height, note), cell.x, cell.y)
        for track in video_tracks(manifest):
            if (track.participant, track.source) == (cell.participant, cell.source) and track.start_us <= at_us < track.end_us:
                frame = frame_at(folder(track), at_us - track.start_us)
                if frame is not None:
                    planes, x, y = Fit()(frame, cell.width, cell.height)
                    canvas.paste(planes, cell.x + x, cell.y + y)
        label = name_label(name, cell.width)
        if label.size[1] <= cell.width:
            canvas.blend(label, cell.x + min(10, (cell.width - label.size[1]) // 2 * 2), cell.y + cell.height - 40)
    partial = target.with_name("partial-" + target.name)
    canvas.frame().to_image().save(partial, "JPEG", quality=85)
    partial.replace(target)


def best_moment_us(manifest: Manifest) -> int:
    """The middle of the scene with the most pictures; of equals the longest."""

    def worth(span: tuple[int, int]) -> tuple[int, int]:
        middle = sum(span) // 2
        return sum(track.start_us <= middle < track.end_us for track in video_tracks(manifest)), span[1] - span[0]

    spans = [(scene.start_us, scene.end_us) for scene in scenes(manifest)]
    best = max(spans, key=worth)
    return sum(best) // 2


def frame_at(path: Path, us: int) -> Any | None:
    """The frame shown at this time of the file, microseconds; decoded from the key frame before it, as far as is soon done."""
    found, decoded = None, 0
    container: Any
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            container.seek(us, backward=True)
            for frame in container.decode(stream):
                if frame.pts is not None and float(frame.pts * frame.time_base) * 1e6 > us and found is not None:
                    break
                found, decoded = frame, decoded + 1
                if decoded == MOST_DECODED:
                    break
    except av.FFmpegError:
        pass
    return found
