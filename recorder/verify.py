"""Whether a track is what it says: every frame decoded once, its times read."""

from collections.abc import Callable
from pathlib import Path

import av
from pydantic import BaseModel


class Verified(BaseModel):
    """frames: decoded. duration_us: from the first frame's time to the last's end. errors: packets that would not decode."""

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
    """Decode the whole file. progress: seconds of it done. A file that cannot be opened is a result, not an error."""
    found = Verified(file=path.name)
    try:
        with av.open(str(path)) as container:
            _decode_all(container, found, progress)
    except (av.FFmpegError, IndexError, OSError) as error:
        found.problem = f"cannot be read: {error}"
    return found


def _decode_all(container: "av.container.InputContainer", found: Verified, progress: Callable[[float], None]) -> None:
    stream = container.streams[0]
    stream.thread_type = "AUTO"  # type: ignore[attr-defined]
    last_us = step_us = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            found.errors += 1
            continue
        for frame in frames:
            at_us = round(float((frame.pts or 0) * frame.time_base) * 1e6) if frame.time_base else 0  # type: ignore[union-attr]
            found.in_order &= at_us >= last_us
            step_us = max(0, at_us - last_us)
            last_us = at_us
            found.frames += 1
            if found.frames % 100 == 0:
                progress(at_us / 1e6)
    found.duration_us = last_us + step_us
