"""Whether a track is what it says: every packet read, and of pictures those decoded that stand alone.

A picture between them that will not decode is found while the film is made: decoding each of them twice would cost as much as
a third of composing.
"""

from collections.abc import Callable
from pathlib import Path

import av
from pydantic import BaseModel


class Verified(BaseModel):
    """frames: there are. duration_us: from the first frame's time to the last's end. errors: packets that would not decode."""

    file: str
    frames: int = 0
    duration_us: int = 0
    errors: int = 0
    in_order: bool = True
    problem: str | None = None

    @property
    def usable(self) -> bool:
        return self.frames > 0 and self.problem is None


def verify(path: Path, progress: Callable[[float], None] = lambda _done: None) -> Verified:
    """Read the whole file. progress: seconds of it done. A file that cannot be opened is a result, not an error."""
    found = Verified(file=path.name)
    try:
        with av.open(str(path)) as container:
            _read_all(container, found, progress)
    except (av.FFmpegError, IndexError, OSError) as error:
        found.problem = f"cannot be read: {error}"
    return found


def _read_all(container: "av.container.InputContainer", found: Verified, progress: Callable[[float], None]) -> None:
    stream = container.streams[0]
    if isinstance(stream, av.VideoStream):
        stream.codec_context.skip_frame = "NONKEY"
        stream.thread_type = "AUTO"
    decoded = last_us = step_us = 0
    for packet in container.demux(stream):
        try:
            decoded += len(packet.decode())
        except av.FFmpegError:
            found.errors += 1
            continue
        if packet.pts is None or packet.time_base is None:
            continue
        at_us = round(float(packet.pts * packet.time_base) * 1e6)
        found.in_order &= at_us >= last_us
        step_us = max(0, at_us - last_us)
        last_us = at_us
        found.frames += 1
        if found.frames % 100 == 0:
            progress(at_us / 1e6)
    found.duration_us = last_us + step_us
    if not decoded:
        found.problem = "nothing in it can be decoded"
