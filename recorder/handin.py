"""From a folder of finished capture to artifacts on the server, whatever happens on the way.

Finalising works through every packet in Python: done in this process it would take the interpreter from the packets that other
recordings receive at the same time, so it runs in one of its own.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

import httpx

from recorder import manifest, naming
from recorder.api import Refused, Server, backoff_s
from recorder.config import Settings
from recorder.manifest import Manifest
from recorder.publish import Library
from recorder.publish import Refused as UploadRefused

log = logging.getLogger(__name__)

# How long to wait before a late segment is told of again, seconds.
LATE_S = 5.0


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
        date = naming.date_of(described.started_at_ms)
        used = _parts_elsewhere(library, described.recording, folder.name)
        for track in described.tracks:
            person = described.name_of(track.participant)
            part = used[person, track.source] = used.get((person, track.source), 0) + 1
            name = naming.track_name(date, described.title, person, track.source, Path(track.file).suffix, part)
            meta = track.model_dump(exclude_none=True) | {"person": person}
            library.upload(described.recording, folder / track.file, name, "track", meta)
        library.upload(
            described.recording, folder / "segment.json", f"segment-{folder.name}.json", "segment", {"segment": folder.name}
        )
    finally:
        library.close()
    (folder / "published").touch()
    return described


def _parts_elsewhere(library: Library, recording: str, segment_id: str) -> dict[tuple[str, str], int]:
    """(person, source) → how many files of it other segments have handed in: ours must not take their names."""
    used: dict[tuple[str, str], int] = {}
    for artifact in library.describe(recording)["artifacts"]:
        meta = artifact["meta"]
        if artifact["kind"] == "track" and meta.get("segment") != segment_id:
            key = (str(meta.get("person")), str(meta.get("source")))
            used[key] = used.get(key, 0) + 1
    return used


async def end(server: Server, described: Manifest, segment_id: str, reason: str) -> None:
    """Tell the server that this segment's recorder is done, and begin the pipeline.

    A segment that comes late, while the pipeline works on what came before, is told of again when that is done.
    """
    news = {"segment": segment_id, "reason": reason, "duration_ms": described.duration_us // 1000}
    while True:
        try:
            answer = await server.insist("POST", f"/recordings/{described.recording}/end", news)
            break
        except Refused as refusal:
            if refusal.code != "still-processing":
                log.info(
                    "recording=%s segment %s is handed in; the recording goes on elsewhere (%s)",
                    described.recording, segment_id, refusal.code,
                )  # fmt: skip
                return
        await asyncio.sleep(LATE_S)
    for step in answer["next"]:
        from recorder import jobs

        await asyncio.to_thread(jobs.enqueue, described.recording, step)
    log.info("recording=%s handed in: %d tracks, %.1f s", described.recording, len(described.tracks), described.duration_us / 1e6)
