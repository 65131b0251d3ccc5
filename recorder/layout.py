"""Who is where on the picture, and when. Pure: from the manifest to rectangles.

A scene is a stretch in which nobody comes or goes; in each, everyone present has a cell, whether they send a picture or not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from recorder.manifest import Manifest, Track

Layout = Literal["grid", "speaker", "side-by-side"]
# participant → when they spoke: (start, end) in microseconds, in order
Spans = Mapping[str, Sequence[tuple[int, int]]]

WIDTH, HEIGHT = 1280, 720
# Faces beside a stage, pixels.
STRIP = 256
# Who says a word has not taken the word; and a film that changes more often makes dizzy, microseconds.
TURN_US = 1_500_000
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


def stage(keys: list[tuple[str, str]], people: list[str]) -> tuple[Cell, ...]:
    """Few in front, large, and everybody else's face in a strip beside them."""
    rest = [(person, "camera") for person in people if (person, "camera") not in keys]
    if not rest:
        return grid(keys, 0, 0, WIDTH, HEIGHT)
    return grid(keys, 0, 0, WIDTH - STRIP, HEIGHT) + grid(rest, WIDTH - STRIP, 0, STRIP, HEIGHT)


def arrange(
    people: list[str], screens: list[str], layout: Layout = "grid", speakers: list[str] | None = None
) -> tuple[Cell, ...]:
    """A shared screen takes the stage in every layout; otherwise all in a grid, or who speaks in front.

    speakers: who speaks or has spoken last, the newest first.
    """
    if screens:
        return stage([(person, "screen") for person in screens], people)
    in_front = {"grid": len(people), "speaker": 1, "side-by-side": 2}[layout]
    order = [person for person in speakers or [] if person in people]
    chosen = list(dict.fromkeys([*order, *people]))[:in_front]
    # Where they sit does not depend on who spoke last: nobody changes places.
    return stage([(person, "camera") for person in people if person in chosen], people)


def scenes(manifest: Manifest, layout: Layout = "grid", speaking: Spans | None = None) -> list[Scene]:
    """The whole recording, without holes, in order. Empty for a recording without length.

    speaking: participant → when they spoke, microseconds; for the layouts that show who speaks.
    """
    end_us = manifest.duration_us
    stays = [(person.id, person.joined_us, max(person.left_us, person.joined_us)) for person in manifest.participants]
    shown = [(track.participant, track.start_us, track.end_us) for track in manifest.tracks if track.source == "screen"]
    turns = [] if layout == "grid" else _turns(speaking or {})
    moments = {us for _, start, end in stays + shown for us in (start, end)} | {at_us for at_us, _ in turns}
    changes = sorted({0, end_us} | {us for us in moments if 0 < us < end_us})
    kept = [
        0,
        *(us for before, us in pairwise(changes) if us - before >= SHORTEST_US and us < end_us),
        end_us,
    ]
    found: list[Scene] = []
    for start, end in pairwise(kept):
        if end <= start:
            continue
        middle = (start + end) // 2
        people = [person for person, joined, left in stays if joined <= middle < left]
        screens = [person for person, begun, ended in shown if begun <= middle < ended]
        speakers = [person for at_us, person in reversed(turns) if at_us <= middle]
        cells = arrange(people, list(dict.fromkeys(screens)), layout, speakers)
        if found and found[-1].cells == cells:
            found[-1] = Scene(found[-1].start_us, end, cells)
        else:
            found.append(Scene(start, end, cells))
    return found


def _turns(speaking: Spans) -> list[tuple[int, str]]:
    """(from when, who) has the word: who has begun to speak, unless the one before has had it for too short a time."""
    begun = sorted((start, person) for person, spans in speaking.items() for start, end in spans if end - start >= TURN_US)
    turns: list[tuple[int, str]] = []
    for at_us, person in begun:
        if turns and (turns[-1][1] == person or at_us - turns[-1][0] < TURN_US):
            continue
        turns.append((at_us, person))
    return turns


def video_tracks(manifest: Manifest) -> list[Track]:
    return [track for track in manifest.tracks if track.kind == "video"]


def audio_tracks(manifest: Manifest) -> list[Track]:
    return [track for track in manifest.tracks if track.kind == "audio"]
