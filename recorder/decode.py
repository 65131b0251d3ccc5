"""Every frame of a file that can be decoded, whatever lies between them."""

from collections.abc import Callable, Iterator
from typing import Any

import av


def frames_of(container: Any, stream: Any, spoilt: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """In order, each with its time; a file that is cut off or spoilt ends where it does.

    spoilt: called for each packet that will not decode.
    """
    packets = container.demux(stream)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except av.FFmpegError:
            spoilt()
            continue  # a spoilt packet; a demuxer that failed has ended, and says so at the next
        yield from (frame for frame in frames if frame.pts is not None)
