"""Who is where on the picture, and when. Pure: from the manifest to rectangles.

A scene is a stretch in which nobody comes or goes; in each, everyone present has a cell, whether they send a picture or not.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from recorder.manifest import Manifest, Track

WIDTH, HEIGHT = 1280, 720
# A stay shorter than this (a reload of the page) does not make the grid jump, microseconds.
SHORTEST_US = 200_000


@dataclass(frozen=True)
class Cell:
    """One rectangle, in pixels; all four are even, as the halved chroma planes of yuv420p need. source: camera or screen."""

    participant: str
    source: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Scene:
    """From start_us to end_us of the timeline nothing moves."""

    start_us: int
    end_us: int
    cells: tuple[Cell, ...]


def even(value: float) -> int:
    return int(value) // 2 * 2


def grid(keys: list[tuple[str, str]], x: int, y: int, width: int, height: int) -> tuple[Cell, ...]:
    """Cells of one size, as large as fits, the last row centred."""
    if not keys:
        return ()
    # Of equals the one with more columns: people sit side by side.
    columns = max(range(1, len(keys) + 1), key=lambda count: (_cell_area(len(keys), count, width, height), count))
    rows = math.ceil(len(keys) / columns)
    cell_width = even(min(width / columns, height / rows * 16 / 9))
    cell_height = even(min(height / rows, cell_width * 9 / 16))
    top = y + even((height - rows * cell_height) / 2)
    cells = []
    for row in range(rows):
        in_row = keys[row * columns : (row + 1) * columns]
        left = x + even((width - len(in_row) * cell_width) / 2)
        for column, (participant, source) in enumerate(in_row):
            cells.append(Cell(participant, source, left + column * cell_width, top + row * cell_height, cell_width, cell_height))
    return tuple(cells)


def _cell_area(count: int, columns: int, width: int, height: int) -> float:
    rows = math.ceil(count / columns)
    cell_width = min(width / columns, height / rows * 16 / 9)
    return cell_width * cell_width


def arrange(people: list[str], screens: list[str]) -> tuple[Cell, ...]:
    """A shared screen takes the stage, faces stand in a strip beside it; otherwise all in a grid."""
    if not screens:
        return grid([(person, "camera") for person in people], 0, 0, WIDTH, HEIGHT)
    strip = 256
    faces = grid([(person, "camera") for person in people], WIDTH - strip, 0, strip, HEIGHT)
    return grid([(person, "screen") for person in screens], 0, 0, WIDTH - strip, HEIGHT) + faces


def scenes(manifest: Manifest) -> list[Scene]:
    """The whole recording, without holes, in order. Empty for a recording without length."""
    end_us = manifest.duration_us
    stays = [(person.id, person.joined_us, max(person.left_us, person.joined_us)) for person in manifest.participants]
    shown = [(track.participant, track.start_us, track.end_us) for track in manifest.tracks if track.source == "screen"]
    changes = sorted({0, end_us} | {us for _, start, end in stays + shown for us in (start, end) if 0 < us < end_us})
    kept = [
        0,
        *(us for before, us in pairwise(changes) if us - before >= SHORTEST_US and us < end_us),
        end_us,
    ]
    found = []
    for start, end in pairwise(kept):
        if end <= start:
            continue
        middle = (start + end) // 2
        people = [person for person, joined, left in stays if joined <= middle < left]
        screens = [person for person, begun, ended in shown if begun <= middle < ended]
        found.append(Scene(start, end, arrange(people, list(dict.fromkeys(screens)))))
    return found


def video_tracks(manifest: Manifest) -> list[Track]:
    return [track for track in manifest.tracks if track.kind == "video"]


def audio_tracks(manifest: Manifest) -> list[Track]:
    return [track for track in manifest.tracks if track.kind == "audio"]
