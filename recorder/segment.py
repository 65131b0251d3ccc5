"""One segment on disk: what is written while it runs, and how it becomes files people can use.

work_dir/<recording>/<segment>/live.json       who, which files, the clocks; written anew every few seconds
                              /live/…          tracks as they come
                              /….webm, segment.json    finalised: aligned, seekable, described

Finalising needs nothing but this folder: a segment whose recorder was killed is finalised by the next.
"""

import logging
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import av
from pydantic import BaseModel

from recorder import manifest
from recorder.manifest import Event, Gap, Manifest, Person, Said, Track, stretches
from recorder.publish import sha256_of
from recorder.timeline import Curve, Report, errors_us, offset_to_us, ticks_to_wall

log = logging.getLogger(__name__)

# A silence longer than this is a gap in the manifest, microseconds. Opus' own discontinuous transmission sends every 400 ms.
GAP_US = {"audio": 600_000, "video": 1_500_000}
# Playable while it loads; and the same bytes each time, so that handing in twice is handing in once.
OPTIONS = {"cues_to_front": "1", "fflags": "+bitexact"}
# An Opus packet begins with what was said so long before its timestamp (RFC 7845 section 4.2, 312 samples with libopus): players
# leave that out at the start of a file, and what they play is earlier by as much than the RTP clock says.
LOOKAHEAD_US = {"opus": 6_500}
MICROSECOND = Fraction(1, 1_000_000)


class LiveTrack(BaseModel):
    """What must survive the recorder to place a track in time. clock: (RTP ticks, NTP µs, arrival µs)."""

    file: str
    participant: str
    source: str
    kind: str
    codec: str
    clock_hz: int
    first_timestamp: int
    first_arrival_us: int
    clock: list[tuple[int, int, int]] = []
    lost_packets: int = 0


class LiveEvent(BaseModel):
    at_us: int
    kind: str
    participant: str = ""
    body: dict[str, Any] = {}


class LiveSaid(BaseModel):
    at_us: int
    participant: str
    text: str


class LivePerson(BaseModel):
    id: str
    name: str
    joined_us: int
    left_us: int | None = None


class LiveSegment(BaseModel):
    """live.json: times are wall time in Unix microseconds until the segment is finalised."""

    recording: str
    segment: str
    number: int = 1
    room: str
    title: str
    started_us: int
    seen_us: int
    tracks: list[LiveTrack] = []
    people: list[LivePerson] = []
    events: list[LiveEvent] = []
    chat: list[LiveSaid] = []


def folder_of(work_dir: Path, recording: str, segment: str) -> Path:
    return work_dir / recording / segment


def save_live(live: LiveSegment, folder: Path) -> None:
    """Whole or not at all."""
    partial = folder / "live.partial"
    partial.write_text(live.model_dump_json())
    partial.replace(folder / "live.json")


def left_over(work_dir: Path) -> list[Path]:
    """Segments on this disk that were never published."""
    return sorted(path.parent for path in work_dir.glob("*/*/live.json") if not (path.parent / "published").exists())


def finalise(folder: Path) -> Manifest:
    """Align, make seekable, describe: writes the final files and segment.json, and returns it. Repeatable."""
    live = LiveSegment.model_validate_json((folder / "live.json").read_bytes())
    clocks = clocks_of(live)
    started_us = int(min((clocks[track.file].wall(track.first_timestamp) for track in live.tracks), default=live.started_us))
    described = Manifest(recording=live.recording, room=live.room, title=live.title, started_at_ms=started_us // 1000)
    for number, track in enumerate(live.tracks, 1):
        found = _finalise_track(folder, live, track, clocks[track.file], started_us, number)
        if found is not None:
            described.tracks.append(found)
    ends = [track.end_us for track in described.tracks]
    described.duration_us = max(ends, default=0)
    end_us = described.duration_us
    described.segments = [manifest.Segment(id=live.segment, number=live.number, duration_us=end_us)]
    described.participants = [
        Person(
            id=person.id,
            name=person.name,
            joined_us=_within(person.joined_us - started_us, end_us),
            left_us=_within(person.left_us - started_us, end_us) if person.left_us else end_us,
        )
        for person in live.people
    ]
    described.events = [
        Event(at_us=_within(event.at_us - started_us, end_us), kind=event.kind, participant=event.participant, body=event.body)
        for event in live.events
    ]
    described.chat = [
        Said(at_us=_within(said.at_us - started_us, end_us), participant=said.participant, text=said.text) for said in live.chat
    ]
    manifest.save(described, folder / "segment.json")
    return described


def _within(us: int, end_us: int) -> int:
    return max(0, min(us, end_us))


class Clock(NamedTuple):
    """wall: RTP ticks → wall time in microseconds. error_us: timeline.errors_us, what the sender's reports say of it."""

    wall: Curve
    error_us: list[int] | None


def clocks_of(live: LiveSegment) -> dict[str, Clock]:
    """By track file. One offset a participant: all its tracks share one clock."""
    reports = {track.file: [Report(*report) for report in track.clock] for track in live.tracks}
    clocks = {}
    for track in live.tracks:
        of_person = [report for other in live.tracks if other.participant == track.participant for report in reports[other.file]]
        first, offset = (track.first_timestamp, track.first_arrival_us), offset_to_us(of_person)
        wall = ticks_to_wall(reports[track.file], offset, track.clock_hz, first)
        error_us = errors_us(reports[track.file], offset, wall)
        clocks[track.file] = Clock(wall.earlier(LOOKAHEAD_US.get(track.codec, 0)), error_us)
    return clocks


def _finalise_track(
    folder: Path, live: LiveSegment, track: LiveTrack, clock: Clock, started_us: int, number: int
) -> Track | None:
    wall = clock.wall
    source = folder / "live" / track.file
    target = folder / f"{live.segment}-{track.participant}-{track.source}-{number}{source.suffix}"
    begin_us = wall(track.first_timestamp)
    ticks = 0
    times: list[int] = []
    size: tuple[int, int] | None = None
    try:
        reading: Any
        with av.open(str(source)) as reading:
            stream = reading.streams[0]
            size = (stream.codec_context.width, stream.codec_context.height) if track.kind == "video" else None
            # Another process may be at the same, started by a recorder that was killed since: each writes its own.
            partial = target.with_name(f"partial-{os.getpid()}-{target.name}")
            container_format = "webm" if target.suffix == ".webm" else "matroska"
            with av.open(str(partial), "w", format=container_format, options=OPTIONS) as writing:
                out = writing.add_stream_from_template(stream)
                out.time_base = MICROSECOND
                for packet in _packets(reading):
                    ticks = round(packet.pts * packet.time_base * track.clock_hz)
                    at_us = round(wall(track.first_timestamp + ticks) - begin_us)
                    times.append(at_us)
                    packet.stream, packet.time_base = out, MICROSECOND
                    packet.pts = packet.dts = at_us
                    writing.mux(packet)
            partial.replace(target)
    except (av.FFmpegError, OSError) as error:
        log.warning("recording=%s track %s holds nothing that can be read: %s", live.recording, track.file, error)
        return None
    if not times:
        return None
    return Track(
        file=target.name, segment=live.segment, participant=track.participant, source=track.source, kind=track.kind,
        codec={"opus": "Opus", "vp8": "VP8", "vp9": "VP9", "h264": "H264"}[track.codec],
        start_us=max(0, round(wall(track.first_timestamp)) - started_us), duration_us=times[-1] + _usual_step(times),
        frames=len(times), width=size[0] if size else None, height=size[1] if size else None,
        lost_packets=track.lost_packets, drift_ppm=_drift_ppm(times[-1], ticks, wall, track.clock_hz),
        clock_error_us=clock.error_us,
        gaps=_with_reasons(gaps(times, GAP_US[track.kind]), live, track, round(wall(track.first_timestamp))),
        bytes=target.stat().st_size, sha256=sha256_of(target),
    )  # fmt: skip


def _drift_ppm(lasted_us: float, ticks: int, wall: Curve, clock_hz: int) -> float:
    """How much longer a second of this sender's clock is by ours, on the whole."""
    nominal_us = ticks * 1e6 / clock_hz
    scale = lasted_us / nominal_us if nominal_us > 10e6 else wall.slopes[0] * clock_hz / 1e6
    return round((scale - 1) * 1e6, 1)


def _packets(container: Any) -> Iterator[Any]:
    """Every packet of a file that may have been cut off in the middle of one."""
    try:
        for packet in container.demux():
            if packet.pts is not None and packet.size:
                yield packet
    except av.FFmpegError:
        return


def _usual_step(times: list[int]) -> int:
    """How long a frame lasts: the median distance, microseconds."""
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    return steps[len(steps) // 2] if steps else 20_000


def gaps(times: list[int], longer_than_us: int) -> list[Gap]:
    """Stretches without frames, from frame times in microseconds."""
    return [
        Gap(start_us=earlier, duration_us=later - earlier, reason="nothing came")
        for earlier, later in pairwise(times)
        if later - earlier > longer_than_us
    ]


def _with_reasons(found: list[Gap], live: LiveSegment, track: LiveTrack, begin_us: int) -> list[Gap]:
    """What was wanted is told from what was lost: `paused`, `muted`, else `nothing came`.

    begin_us: wall time of the track's start.
    """
    muted = stretches(live.events, f"{track.source}-off", f"{track.source}-on", track.participant, inf)
    silences = [("paused", stretches(live.events, "paused", "resumed", "", inf)), ("muted", muted)]
    for gap in found:
        middle = begin_us + gap.start_us + gap.duration_us // 2
        for reason, when in silences:
            if any(start <= middle <= end for start, end in when):
                gap.reason = reason
                break
    return found


if __name__ == "__main__":
    # `python -m recorder.segment FOLDER`: what the recorder runs beside itself, and what one can run by hand after a crash.
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Packets that arrive meanwhile go first.
    os.nice(5)
    finalise(Path(sys.argv[1]))
