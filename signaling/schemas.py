"""The shape of every request body: what validates it, and what the OpenAPI document shows."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Number = Annotated[int, Field(ge=0, le=2**53)]


class Body(BaseModel):
    """A request's body. Unknown members are refused: a misspelt one must not be ignored."""

    model_config = ConfigDict(extra="forbid")


class MakeRoom(Body):
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""


class Enter(Body):
    name: Name
    kind: Literal["person", "recorder"] = "person"
    host_key: str | None = Field(None, max_length=200)
    recording: str | None = Field(None, max_length=12)


class Leave(Body):
    token: str | None = Field(None, max_length=200)


class OneMessage(Body):
    n: Annotated[int, Field(ge=1, le=2**53)]
    to: Annotated[str, Field(min_length=1, max_length=12)]
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    body: dict[str, Any]


class Messages(Body):
    messages: Annotated[list[OneMessage], Field(min_length=1, max_length=100)]


class RecordingAction(Body):
    action: Literal["start", "stop", "pause", "resume", "mark"]
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""


class Register(Body):
    name: Name
    capacity: Annotated[int, Field(ge=1, le=1000)] = 10


class Claim(Body):
    recorder: Annotated[str, Field(max_length=12)]


class LiveTrack(BaseModel):
    """How one track does right now; further figures are kept and shown as they come."""

    model_config = ConfigDict(extra="allow")
    participant: str = Field(max_length=12)
    source: str = Field(max_length=20)


class Report(Body):
    segment: Annotated[str, Field(max_length=12)]
    state: Literal["starting", "recording", "paused"]
    tracks: Annotated[list[LiveTrack], Field(max_length=200)] = []


class End(Body):
    segment: Annotated[str, Field(max_length=12)]
    reason: Annotated[str, Field(max_length=500)] = "stopped"
    duration_ms: Number = 0


class File(Body):
    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")]
    kind: Literal["track", "segment", "manifest", "poster", "composed"]
    media_type: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9.+-]+$", max_length=80)]
    bytes: Number
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    meta: dict[str, Any] = {}


class ClaimJob(Body):
    worker: Annotated[str, Field(min_length=1, max_length=80)]


class JobNews(Body):
    attempt: Annotated[int, Field(ge=1, le=100)]
    progress: Annotated[int, Field(ge=0, le=100)] = 0
    eta_s: Annotated[int, Field(ge=0, le=10**7)] | None = None
    state: Literal["running", "done", "failed"] = "running"
    reason: Annotated[str, Field(max_length=2000)] | None = None


class Nothing(Body):
    """An empty object, or no body at all."""
