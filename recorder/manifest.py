"""What a recording consists of: whose track is in which file, from when to when, with which gaps (PROTOCOL.md, "The manifest").

Times are microseconds on one timeline. A segment's own manifest (`segment.json`) counts from the segment's start; `stitch` puts
segments on the recording's timeline.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

# No recording is as long: what says so is wrong, and must not be worked through (a week), microseconds.
LONGEST_US = 7 * 86_400 * 1_000_000
# A place on a timeline, or a length. Below zero: what began before it, of a stretch that was cut out.
At = Annotated[int, Field(ge=-LONGEST_US, le=LONGEST_US)]
Length = Annotated[int, Field(ge=0, le=LONGEST_US)]
# Wall time, Unix milliseconds, up to the year 9999: what a date can say.
Wall = Annotated[int, Field(ge=0, le=253_370_764_800_000)]


class Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Person(Part):
    """One participant's stay. left_us: the end of the timeline for who stayed to the end."""

    id: str
    name: str
    joined_us: At = 0
    left_us: At = 0


class Segment(Part):
    """One unbroken run of one recorder. number: 1 for the first of a recording."""

    id: str
    number: int = Field(default=1, ge=1)
    start_us: At = 0
    duration_us: Length = 0


class Gap(Part):
    """A stretch of a track without frames; start_us from the track's own start."""

    start_us: At
    duration_us: Length
    reason: str


class Track(Part):
    """One file: one participant's microphone, camera or screen. start_us: of its first frame on the timeline.

    withdrawn: its participant withdrew consent afterwards; what is in it was recorded before.
    """

    file: str
    segment: str
    participant: str
    source: str
    kind: str
    codec: str
    start_us: At = 0
    duration_us: Length = 0
    frames: int = 0
    width: int | None = None
    height: int | None = None
    lost_packets: int = 0
    withdrawn: bool = False
    drift_ppm: float = 0.0
    # Beside its sender's reports at start, middle and end; unknown in a track of a few seconds.
    clock_error_us: list[int] | None = None
    gaps: list[Gap] = []
    bytes: int = 0
    sha256: str = ""

    @property
    def end_us(self) -> int:
        return self.start_us + self.duration_us


class Event(Part):
    """Something that happened: joined, left, muted, screen, consent, mark, paused, resumed."""

    at_us: At
    kind: str
    participant: str = ""
    body: dict[str, Any] = {}


class Consent(Part):
    """One row of the server's ledger: who answered what to which words (PROTOCOL.md, "Consent")."""

    participant: str
    name: str = ""
    answer: str
    how: str = "asked"
    text: str = ""
    language: str = "en"
    at_ms: int = 0


class Said(Part):
    """One line of chat. participant: who wrote it; it came to the recorder at at_us."""

    at_us: At
    participant: str
    text: str


class Manifest(Part):
    """A whole recording, or one segment of it. started_at_ms: wall time of the timeline's zero."""

    version: int = 1
    recording: str
    room: str
    title: str = ""
    started_at_ms: Wall
    duration_us: Length = 0
    participants: list[Person] = []
    segments: list[Segment] = []
    tracks: list[Track] = []
    events: list[Event] = []
    consent: list[Consent] = []
    chat: list[Said] = []

    def name_of(self, participant: str) -> str:
        """A person's name, for people."""
        return next((person.name for person in self.participants if person.id == participant), participant)

    def language_of(self, participant: str) -> str:
        """The language this person was asked in; of who was not asked, somebody's."""
        theirs = [row.language for row in self.consent if row.participant == participant]
        return (theirs or [row.language for row in self.consent] or ["en"])[-1]


def load(path: Path) -> Manifest:
    """Raises pydantic.ValidationError, OSError."""
    return Manifest.model_validate_json(path.read_bytes())


def save(manifest: Manifest, path: Path) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(manifest.model_dump_json(indent=1, exclude_none=True))
    partial.replace(path)


def stitch(parts: list[Manifest]) -> Manifest:
    """Segments, in any order, as one recording: what lay between them stays a gap of its true length."""
    ordered = sorted(parts, key=lambda part: part.started_at_ms)
    first = ordered[0]
    whole = Manifest(recording=first.recording, room=first.room, title=first.title, started_at_ms=first.started_at_ms)
    people: dict[str, Person] = {}
    for part in ordered:
        shift = (part.started_at_ms - first.started_at_ms) * 1000
        for person in part.participants:
            moved = person.model_copy(update={"joined_us": person.joined_us + shift, "left_us": person.left_us + shift})
            known = people.get(person.id)
            if known is None:
                people[person.id] = moved
            else:
                known.left_us = max(known.left_us, moved.left_us)
        whole.segments += [segment.model_copy(update={"start_us": segment.start_us + shift}) for segment in part.segments]
        whole.tracks += [track.model_copy(update={"start_us": track.start_us + shift}) for track in part.tracks]
        whole.events += [event.model_copy(update={"at_us": event.at_us + shift}) for event in part.events]
        whole.consent += part.consent
        whole.chat += [said.model_copy(update={"at_us": said.at_us + shift}) for said in part.chat]
        whole.duration_us = max(whole.duration_us, part.duration_us + shift)
    whole.participants = list(people.values())
    whole.events.sort(key=lambda event: event.at_us)
    return whole


def agreed(whole: Manifest, participant: str) -> list[tuple[int, int]]:
    """When this person could be recorded: stretches from `given` to the answer that ends it, microseconds.

    Without any answer in the whole manifest (it is from before one was asked for) everybody could, all the time.
    """
    answers = [event for event in whole.events if event.kind == "consent"]
    if not answers:
        return [(0, whole.duration_us)]
    stretches: list[tuple[int, int]] = []
    since: int | None = None
    for event in answers:
        if event.participant != participant:
            continue
        given = event.body.get("answer") == "given"
        if given and since is None:
            since = event.at_us
        elif not given and since is not None:
            stretches.append((since, event.at_us))
            since = None
    return stretches if since is None else [*stretches, (since, whole.duration_us)]


class Happened(Protocol):
    """An event of a manifest, or of a segment that is being written."""

    at_us: int
    kind: str
    participant: str


def stretches(events: Iterable[Happened], begin: str, end: str, participant: str, until_us: float) -> list[tuple[float, float]]:
    """From each `begin` event of this participant to the next `end`, microseconds; the last, if it is open, to until_us."""
    found: list[tuple[float, float]] = []
    since: float | None = None
    for event in events:
        if event.participant == participant and event.kind == begin and since is None:
            since = event.at_us
        elif event.participant == participant and event.kind == end and since is not None:
            found.append((since, event.at_us))
            since = None
    return found if since is None else [*found, (since, until_us)]


def switched_off(whole: Manifest, participant: str, source: str) -> list[tuple[float, float]]:
    """When this person had their camera (or another source) off, as they have said: microseconds."""
    return stretches(whole.events, f"{source}-off", f"{source}-on", participant, whole.duration_us)


def part_of(whole: Manifest, start_us: int, end_us: int, people: list[str] | None = None) -> Manifest:
    """A stretch of a recording, with all its people or some, as a recording of its own; its times count from start_us."""
    end_us = min(end_us, whole.duration_us)
    chosen = [person.id for person in whole.participants] if people is None else people

    def moved(us: int) -> int:
        return max(0, min(us, end_us) - start_us)

    return whole.model_copy(
        update={
            "started_at_ms": whole.started_at_ms + start_us // 1000,
            "duration_us": max(0, end_us - start_us),
            "participants": [
                person.model_copy(update={"joined_us": moved(person.joined_us), "left_us": moved(person.left_us)})
                for person in whole.participants
                if person.id in chosen and person.left_us > start_us and person.joined_us < end_us
            ],
            # A track that began before keeps its beginning, in time below zero: it is decoded from there, and not shown.
            "tracks": [
                track.model_copy(update={"start_us": track.start_us - start_us})
                for track in whole.tracks
                if track.participant in chosen and track.end_us > start_us and track.start_us < end_us
            ],
            "events": [
                event.model_copy(update={"at_us": moved(event.at_us)})
                for event in whole.events
                if event.at_us < end_us and (not event.participant or event.participant in chosen)
                and (event.at_us >= start_us or event.kind not in ("mark", "joined", "left"))
            ],
            "chat": [
                said.model_copy(update={"at_us": said.at_us - start_us})
                for said in whole.chat
                if start_us <= said.at_us < end_us and said.participant in chosen
            ],
        }
    )  # fmt: skip


def without(whole: Manifest, people: set[str]) -> Manifest:
    """The same recording as if these had not been there."""
    gone = people.__contains__
    return whole.model_copy(
        update={
            "participants": [person for person in whole.participants if not gone(person.id)],
            "tracks": [track for track in whole.tracks if not gone(track.participant)],
            "events": [event for event in whole.events if not gone(event.participant)],
            "consent": [row for row in whole.consent if not gone(row.participant)],
            "chat": [said for said in whole.chat if not gone(said.participant)],
        }
    )


def is_recorded(whole: Manifest, participant: str, us: int) -> bool:
    """Whether this person had agreed at this time."""
    return any(start <= us <= end for start, end in agreed(whole, participant))


def mark_withdrawn(whole: Manifest) -> None:
    """Mark what was recorded before its participant withdrew."""
    for track in whole.tracks:
        track.withdrawn = any(
            event.kind == "consent" and event.participant == track.participant
            and event.body.get("answer") != "given" and event.at_us > track.start_us
            for event in whole.events
        )  # fmt: skip
