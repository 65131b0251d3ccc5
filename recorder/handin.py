"""From a folder of finished capture to artifacts on the server, whatever happens on the way.

Finalising works through every packet in Python: done in this process it would take the interpreter from the packets that other
recordings receive at the same time, so it runs in one of its own.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import httpx

from recorder import manifest, naming
from recorder.api import Refused, Server, backoff_s
from recorder.config import Settings
from recorder.manifest import Manifest, Track
from recorder.publish import Library
from recorder.publish import Refused as UploadRefused

log = logging.getLogger(__name__)


class Unreadable(Exception):
    """The folder could not be finalised; what is in it stays there."""


async def hand_in(settings: Settings, folder: Path) -> Manifest:
    """Finalise a segment's folder and upload all of it, as soon as the server is there. Repeatable.

    Raises Unreadable; publish.Refused when the server does not want it (a deleted recording).
    """
    if not (folder / "segment.json").exists():
        await _finalise(folder)
    attempt = 0
    while True:
        try:
            return await asyncio.to_thread(publish, settings, folder)
        except (httpx.TransportError, json.JSONDecodeError) as error:
            reason = str(error) or type(error).__name__
        except UploadRefused as refusal:
            if refusal.status < 500 and refusal.status != 429:
                raise
            reason = str(refusal)
        attempt += 1
        log.warning("segment %s cannot be handed in yet: %s", folder.name, reason)
        await asyncio.sleep(backoff_s(attempt))


async def _finalise(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "recorder.segment", str(folder),
        stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    _, said = await process.communicate()
    for line in said.decode(errors="replace").splitlines():
        log.info("%s", line)
    if process.returncode:
        raise Unreadable(f"segment {folder.name}: finalising ended with {process.returncode}")


def publish(settings: Settings, folder: Path) -> Manifest:
    """Upload a finalised folder: what is there already is replaced by the same. Raises publish.Refused, httpx.TransportError."""
    described = manifest.load(folder / "segment.json")
    library = Library(settings)
    try:
        for track, name in named(described):
            meta = track.model_dump(exclude_none=True) | {"person": described.name_of(track.participant)}
            library.upload(described.recording, folder / track.file, name, "track", meta)
        library.upload(
            described.recording, folder / "segment.json", f"segment-{folder.name}.json", "segment", {"segment": folder.name}
        )
    finally:
        library.close()
    return described


def named(described: Manifest) -> list[tuple[Track, str]]:
    """Each track of one segment and its name: no two alike, nor as any of another segment, which may be handed in just now."""
    (this,) = described.segments
    date, used, found = naming.date_of(described.started_at_ms), Counter[str](), []
    for track in described.tracks:
        name = partial(
            naming.track_name, date, described.title, described.name_of(track.participant), track.source,
            Path(track.file).suffix, this.number,
        )  # fmt: skip
        # People of different names may have the same one on a disk.
        used[name()] += 1
        found.append((track, name(used[name()])))
    return found


def settle(folder: Path) -> None:
    """Everything of it is where it belongs: no later run of ours looks at it again."""
    with contextlib.suppress(FileNotFoundError):  # the recording was deleted meanwhile
        (folder / "published").touch()


async def end(server: Server, described: Manifest, segment_id: str, reason: str) -> None:
    """Tell the server that this segment's recorder is done, and begin the pipeline."""
    news = {"segment": segment_id, "reason": reason, "duration_ms": described.duration_us // 1000}
    try:
        answer = await server.insist("POST", f"/recordings/{described.recording}/end", news)
    except Refused as refusal:
        log.info(
            "recording=%s segment %s is handed in; the recording goes on elsewhere (%s)",
            described.recording, segment_id, refusal.code,
        )  # fmt: skip
        return
    for step in answer["next"]:
        from recorder import jobs

        await asyncio.to_thread(jobs.enqueue, described.recording, step)
    log.info("recording=%s handed in: %d tracks, %.1f s", described.recording, len(described.tracks), described.duration_us / 1e6)
