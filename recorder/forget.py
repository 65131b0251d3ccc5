"""What is on this disk of deleted recordings goes, too. A recorder is told of each; a worker, which nobody tells, asks."""

import logging
import re
import shutil
import threading
from pathlib import Path

import httpx

from recorder import segment
from recorder.config import Settings
from recorder.publish import Library, Refused

log = logging.getLogger(__name__)
# What is deleted is gone from every disk within about so long, seconds.
ASK_S = 60.0
# As signaling/ids.py makes them: nothing else in the folder is a recording's.
_RECORDING = re.compile(r"r[a-z2-9]{11}")


def forget(work_dir: Path, recording: str) -> None:
    """Remove all of a recording from this disk. A name that is none of ours is left alone."""
    if _RECORDING.fullmatch(recording):
        shutil.rmtree(work_dir / recording, ignore_errors=True)


def forget_deleted(library: Library, work_dir: Path) -> list[str]:
    """Ask the server of each recording on this disk, and forget those it does not have. Returns them.

    A segment that was never handed in is the recorder's to ask for. Raises Refused, httpx.HTTPError.
    """
    unpublished = {folder.parent.name for folder in segment.left_over(work_dir)}
    gone = []
    for path in sorted(work_dir.iterdir()) if work_dir.is_dir() else ():
        if path.name in unpublished or not path.is_dir() or not _RECORDING.fullmatch(path.name):
            continue
        try:
            library.describe(path.name)
        except Refused as refusal:
            if refusal.code != "no-such-recording":
                raise
            forget(work_dir, path.name)
            gone.append(path.name)
            log.info("recording=%s was deleted: its working copy is gone from this disk", path.name)
    return gone


def keep_asking(settings: Settings, stopped: threading.Event) -> None:
    """At once, and once a minute until stopped: in a thread of its own."""
    while not stopped.is_set():
        library = Library(settings, retries=0)
        try:
            forget_deleted(library, settings.work_dir)
        except (httpx.HTTPError, Refused, OSError) as error:
            log.warning("which recordings were deleted is asked later: %s", error)
        finally:
            library.close()
        stopped.wait(ASK_S)
