"""The shape of every request body: what validates it, and what the OpenAPI document shows."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

# PostgreSQL stores no NUL in a text; people's names have no control characters at all.
NO_NUL = r"^[^\x00]*$"
PLAIN = r"^[^\x00-\x1f\x7f]*$"


def as_text(value: dict[str, Any]) -> str:
    """A message's body as it is stored and passed on. Raises ValueError for what JSON cannot say: NaN and infinity, which
    Python reads and writes all the same, would make the mailbox unreadable for its owner."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _sayable(value: "Meta") -> "Meta":
    as_text({**value})
    return value


Id = Annotated[str, Field(min_length=1, max_length=12, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=PLAIN)]
Number = Annotated[int, Field(ge=0, le=2**53)]


class Body(BaseModel):
    """A request's body. Unknown members are refused: a misspelt one must not be ignored."""

    model_config = ConfigDict(extra="forbid")


class MakeRoom(Body):
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=PLAIN)] = ""


class RoomSettings(Body):
    """What is not there stays as it is."""

    who_may_record: Literal["host", "everyone"] = "host"
    keep_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    lobby: bool = False
    locked: bool = False
    code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=32, pattern=PLAIN)] | None = None


class HostKey(Body):
    """expires_in_s: null for never."""

    expires_in_s: Annotated[int, Field(ge=60, le=10 * 366 * 86400)] | None = None


class LobbyAnswer(Body):
    participant: Id
    answer: Literal["admit", "deny"]


class Ask(Body):
    what: Literal["mute", "unmute", "camera-off"]


class Role(Body):
    role: Literal["host", "guest"]


class Enter(Body):
    name: Name
    kind: Literal["person", "recorder"] = "person"
    host_key: str | None = Field(None, max_length=200)
    code: Annotated[str, Field(max_length=200, pattern=NO_NUL)] | None = None
    # The token of a seat just left, for instance by a reload: whoever was inside need not knock again.
    again: str | None = Field(None, max_length=200)
    recording: str | None = Field(None, max_length=12)


class Leave(Body):
    token: str | None = Field(None, max_length=200)


class OneMessage(Body):
    n: Annotated[int, Field(ge=1, le=2**53)]
    to: Id
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    body: dict[str, Any]


class Messages(Body):
    messages: Annotated[list[OneMessage], Field(min_length=1, max_length=100)]


class OnePoll(Body):
    token: Annotated[str, Field(min_length=1, max_length=200)]
    after: Number = 0
    nonce: Annotated[str, Field(max_length=64)] = ""


class Polls(Body):
    polls: Annotated[list[OnePoll], Field(min_length=1, max_length=20)]
    wait_s: Annotated[int, Field(ge=0, le=3600)] = 25


class RecordingAction(Body):
    action: Literal["start", "stop", "pause", "resume", "mark"]
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=PLAIN)] = ""


class Consent(Body):
    recording: Id | None = None
    answer: Literal["given", "declined", "withdrawn"]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=NO_NUL)]
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
    how: Literal["asked", "notice", "started", "remembered"] = "asked"


class Register(Body):
    name: Name
    capacity: Annotated[int, Field(ge=1, le=1000)] = 10


class Claim(Body):
    recorder: Id


class Decline(Body):
    """Why a recorder cannot take a recording now: it records all it can, its disk is nearly full, or it is being shut down."""

    recorder: Id
    why: Literal["busy", "disk", "leaving"]


class LiveTrack(BaseModel):
    """How one track does right now; further figures are kept and shown as they come."""

    model_config = ConfigDict(extra="allow")
    participant: Id
    source: Annotated[str, Field(max_length=20, pattern=NO_NUL)]

    @model_validator(mode="after")
    def _sayable(self) -> Self:
        as_text(self.model_extra or {})
        return self


class Alarm(Body):
    """What the host should know now. since_ms: of the last frame; percent: lost on the way."""

    kind: Literal["silent", "no-picture", "loss", "sound-only", "disk"]
    participant: Annotated[str, Field(max_length=12, pattern=NO_NUL)] = ""
    source: Annotated[str, Field(max_length=20, pattern=NO_NUL)] = ""
    since_ms: Number | None = None
    percent: Annotated[int, Field(ge=0, le=100)] | None = None


class Report(Body):
    segment: Id
    state: Literal["starting", "recording", "paused"]
    tracks: Annotated[list[LiveTrack], Field(max_length=200)] = []
    alarms: Annotated[list[Alarm], Field(max_length=100)] = []
    disk_hours: Annotated[float, Field(ge=0, le=1e6)] | None = None
    # The recorder is being shut down: others are to take over.
    leaving: bool = False


class End(Body):
    segment: Id
    reason: Annotated[str, Field(max_length=500, pattern=NO_NUL)] = "stopped"
    duration_ms: Number = 0


class Meta(TypedDict, total=False):
    """What the pipeline says of a file. participant: whose track it is; version: which film. The rest is kept as it comes."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    participant: Annotated[str, Field(max_length=12, pattern=NO_NUL)]
    version: Annotated[int, Field(ge=1, le=10**6)]


class File(Body):
    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")]
    kind: Literal[
        "track", "segment", "manifest", "poster", "composed", "waveform", "chapters", "thumbnails", "thumbnails-index",
        "quality", "captions",
    ]  # fmt: skip
    media_type: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9.+-]+$", max_length=80)]
    bytes: Number
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    meta: Annotated[Meta, AfterValidator(_sayable)] = {}


class ClaimJob(Body):
    worker: Annotated[str, Field(min_length=1, max_length=80, pattern=NO_NUL)]


class JobNews(Body):
    attempt: Annotated[int, Field(ge=1, le=100)]
    progress: Annotated[int, Field(ge=0, le=100)] = 0
    eta_s: Annotated[int, Field(ge=0, le=10**7)] | None = None
    state: Literal["running", "done", "failed"] = "running"
    reason: Annotated[str, Field(max_length=2000, pattern=NO_NUL)] | None = None


class Hold(Body):
    held: bool


class MakeVersion(Body):
    """people: participants, null for all; the stretch counts from the recording's beginning, end_ms null to its end."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120, pattern=PLAIN)] = ""
    layout: Literal["grid", "speaker", "side-by-side"] = "grid"
    people: Annotated[list[Id], Field(min_length=1, max_length=200)] | None = None
    start_ms: Number = 0
    end_ms: Number | None = None
    format: Literal["mp4", "webm", "m4a", "ogg"] = "mp4"


class RemovePeople(Body):
    people: Annotated[list[Id], Field(min_length=1, max_length=200)]


class Captions(Body):
    """text: a WebVTT file. language: a BCP 47 tag, for the player."""

    text: Annotated[str, Field(min_length=1, max_length=900_000, pattern=NO_NUL)]
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)] = "en"


class MakeShare(Body):
    """expires_in_s: null for never."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80, pattern=PLAIN)] = ""
    password: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)] | None = None
    downloads: bool = True
    expires_in_s: Annotated[int, Field(ge=60, le=10 * 366 * 86400)] | None = None


class OpenShare(Body):
    secret: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=200, pattern=NO_NUL)] | None = None


class Nothing(Body):
    """An empty object, or no body at all."""
