"""One video track, decoded ahead in a thread of its own, scaled to the cell it is shown in at the time."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from recorder.decode import frames_of
from recorder.layout import Cell, Scene
from recorder.manifest import Track
from recorder.picture import Fit, Planes
from recorder.seek import go_to

# A picture is shown for so long after its frame's time when no other follows, microseconds; then the placeholder.
HOLD_US = 2_000_000
# A screen on which nothing moves sends hardly any frames.
SCREEN_HOLD_US = 15_000_000
AHEAD = 6


@dataclass(eq=False)
class Shown:
    """One decoded frame, the same only as itself, and how it looks in the cell it was scaled for. at_us: on the timeline."""

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
        self._until_us = self._cells[-1][1] if self._cells else 0
        self._hold_us = SCREEN_HOLD_US if track.source == "screen" else HOLD_US
        self._queue: queue.Queue[Shown | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._now: Shown | None = None
        self._next: Shown | None = None
        self._ended = False
        # Packets that would not decode.
        self.spoilt = 0
        self._fit = Fit()
        self._thread = threading.Thread(target=self._run, name=f"decode {path.name}", daemon=True)

    def _run(self) -> None:
        fit = Fit()
        try:
            for at_us, frame in decoded_video(self._path, self._track.start_us, self._count_spoilt):
                cell = self._cell_at(at_us)
                if self._stopped.is_set() or at_us >= self._until_us:
                    return
                if cell is not None:
                    self._put(Shown(at_us, frame, cell, *fit(frame, cell.width, cell.height)))
        finally:
            self._put(None)

    def _count_spoilt(self) -> None:
        self.spoilt += 1

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


def decoded_video(path: Path, start_us: int, spoilt: Callable[[], None] = lambda: None) -> Iterator[tuple[int, Any]]:
    """(time on the timeline in microseconds, frame), in order; a file that is cut off ends where it does.

    spoilt: called for each packet that will not decode.
    """
    container: Any
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        # Everybody's track is decoded at once: threads within each would only cost.
        stream.codec_context.thread_count = 1
        if start_us < 0:
            go_to(container, -start_us)
        last_us = -1
        for frame in frames_of(container, stream, spoilt):
            at_us = start_us + round(float(frame.pts * frame.time_base) * 1e6)
            if at_us > last_us:
                last_us = at_us
                yield at_us, frame
