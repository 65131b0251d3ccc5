"""To the middle of a file, for a film that begins there."""

from typing import Any

import av


def go_to(container: Any, us: int) -> None:
    """To the key frame before this time of the file; where there is no index, everything is read from the beginning."""
    try:
        container.seek(us, backward=True)
    except av.FFmpegError:
        container.seek(0)
