"""The shape of every answer, as the OpenAPI document shows it and `make fuzz` holds each call to it.

SAYS has, for each call, what it answers, with which statuses it may refuse besides those that any call may (openapi.EVERY), what
its address takes, and which ids in its answer other calls are made with.
"""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, WithJsonSchema

Role = Literal["host", "guest", "recorder"]
State = Literal["requested", "starting", "recording", "paused", "stopping", "processing", "ready", "failed"]
ConsentAnswer = Literal["given", "declined", "withdrawn"]


class Answer(BaseModel):
    """A member with a default may be missing; one that is not named here is never there."""

    model_config = ConfigDict(extra="forbid")


class Done(Answer):
    """An empty object."""


# -- rooms and participants ----------------------------------------------------------------------------------------------------


class Room(Answer):
    room: str
    title: str


class MadeRoom(Room):
    link: str
    host_key: str


class NewHostKey(Answer):
    host_key: str
    expires_at_ms: int | None


class Participant(Answer):
    id: str
    name: str
    kind: Literal["person", "recorder", "waiting", "check"]
    role: Role
    joined_at_ms: int


class Other(Participant):
    """Somebody else in the room, and what they have answered about the recording that runs."""

    consent: ConsentAnswer | None


class Settings(Answer):
    who_may_record: Literal["host", "everyone"]
    keep_days: int | None
    lobby: bool
    locked: bool
    has_code: bool


class ChangedSettings(Answer):
    settings: Settings


class Knocking(Answer):
    id: str
    name: str


class Why(Answer):
    """Why nothing is being recorded although somebody asked for it."""

    why: Literal["none", "busy", "disk", "leaving", "interrupted"]
    place: int | None = None
    starts_in_s: int | None = None


class BriefRecording(Answer):
    id: str
    state: State
    wanted: Literal["recording", "paused", "stopped"]
    by: str
    started_at_ms: int | None
    reason: str | None
    waiting: Why | None


class RoomFacts(Room):
    """What a link holder may know before joining."""

    participants: int
    max_participants: int
    recording: BriefRecording | None
    consent: Literal["ask", "notice"]
    lobby: bool
    locked: bool
    has_code: bool


class IceServers(Answer):
    """ice_servers: RTCIceServer dictionaries (W3C WebRTC 1.0 section 4.2.4)."""

    ice_servers: list[dict[str, Any]]
    ice_policy: Literal["all", "relay"]
    ice_lasts_s: int | None


class Seat(Answer):
    """What somebody polls with."""

    participant: Participant
    token: str
    wait_s: int
    after: int


class Entered(Seat, IceServers):
    """http_media: whether POST /chunks is there. waiting: who waits in the lobby, to a host."""

    room: Room
    participants: list[Other]
    recording: BriefRecording | None
    consent: Literal["ask", "notice"]
    settings: Settings
    http_media: bool
    waiting: list[Knocking] = []


class Knocked(Seat):
    """In the lobby: the poll tells the rest."""

    room: Room
    waiting: Literal[True]


class Checking(Seat, IceServers):
    now_ms: int


# -- the mailbox ---------------------------------------------------------------------------------------------------------------


class Accepted(Answer):
    """n: the highest that is accepted now."""

    n: int


# `from` is no name in Python.
MESSAGE = {
    "type": "object", "additionalProperties": False, "required": ["seq", "from", "kind", "body"],
    "properties": {
        "seq": {"type": "integer", "minimum": 1}, "from": {"type": "string"}, "kind": {"type": "string"},
        "body": {"type": "object"},
    },
}  # fmt: skip


class Waiting(Answer):
    """messages: {seq, from, kind, body}, in order. wait_s: how long to ask for next time."""

    messages: Annotated[list[dict[str, Any]], WithJsonSchema({"type": "array", "items": MESSAGE})]
    wait_s: float
    cut_s: float | None = None
    reconnect: bool = False


class Refused(Answer):
    problem: dict[str, Any]


class SeveralWaiting(Answer):
    mailboxes: list[Waiting | Refused | None]


# -- recordings ----------------------------------------------------------------------------------------------------------------


class Acted(Answer):
    recording: BriefRecording


class Consented(Answer):
    recording: str
    participant: str
    answer: ConsentAnswer


class PublishedFile(Answer):
    """id: "" of one that is not kept, because it shows somebody who was taken out."""

    id: str
    kind: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    meta: dict[str, Any]


class Artifact(PublishedFile):
    url: str


class Progress(Answer):
    state: Literal["waiting", "running", "done", "failed"]
    progress: int
    eta_s: int | None
    reason: str | None


class Job(Progress):
    step: str


class Version(Answer):
    n: int
    title: str
    by: str
    layout: Literal["grid", "speaker", "side-by-side"]
    people: list[str] | None
    start_ms: int
    end_ms: int | None
    format: Literal["mp4", "webm", "m4a", "ogg"]
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    progress: int = 0
    eta_s: int | None = None
    reason: str | None = None


class Removed(Answer):
    participant: str
    by: str
    at_ms: int


class ConsentRow(Answer):
    participant: str
    name: str
    answer: ConsentAnswer
    how: Literal["asked", "notice", "started", "remembered"]
    text: str
    language: str
    at_ms: int


class SharedRecording(BriefRecording):
    """What the recordings page shows. live: how the tracks do while it runs."""

    title: str
    requested_at_ms: int
    ended_at_ms: int | None
    duration_ms: int | None
    live: dict[str, Any]
    artifacts: list[Artifact]
    held: bool
    delete_at_ms: int | None
    removed: list[Removed]
    step: str | None
    progress: int
    eta_s: int | None
    jobs: list[Job]
    versions: list[Version]
    consent: list[ConsentRow] = []
    archive: str = ""


class Recording(SharedRecording):
    room: str = ""


class Recordings(Answer):
    recordings: list[Recording]


class Gone(Answer):
    files: int
    bytes: int


class Deleted(Answer):
    deleted: Gone


class Held(Answer):
    held: bool
    delete_at_ms: int | None


class Share(Answer):
    id: str
    name: str
    password: bool
    downloads: bool
    opened: int
    created_at_ms: int
    expires_at_ms: int | None


class MadeShare(Share):
    url: str


class Shares(Answer):
    shares: list[Share]


class Opened(Answer):
    recording: SharedRecording
    downloads: bool


# -- the recorder and its workers ----------------------------------------------------------------------------------------------


class Claimed(Answer):
    recording: str
    room: str
    title: str
    segment: str
    lease_s: int


class Wanted(Answer):
    wanted: Literal["recording", "paused", "stopped"]
    lease_s: int
    others: int = 0


class Next(Answer):
    """The steps to enqueue."""

    next: list[str]


class Received(Answer):
    """How many bytes are here."""

    received: int


class ClaimedJob(Answer):
    attempt: int
    lease_s: int


# -- every call ----------------------------------------------------------------------------------------------------------------

Shape = type[Answer] | str
OCTETS = "application/octet-stream"
ZIP = "application/zip"


class Query(NamedTuple):
    """A parameter of the address behind the `?`."""

    name: str
    schema: dict[str, Any]
    about: str
    required: bool = False


class Says(NamedTuple):
    """answers: by status, a shape or a media type. gives: parameter of other calls → where in the answer, a JSON pointer."""

    answers: dict[int, Shape]
    refuses: tuple[int, ...] = ()
    query: tuple[Query, ...] = ()
    gives: dict[str, str] = {}  # noqa: RUF012 - never changed


WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**53}
TEXT = {"type": "string"}
AFTER = Query("after", WHOLE | {"default": 0}, "the `seq` up to which all is acknowledged")
WAIT = Query("wait_s", WHOLE | {"maximum": 3600}, "how long to hold the answer, seconds; the server's own setting at most")
NONCE = Query("nonce", TEXT, "new for each poll, so that a replay by a proxy can be told from it; 64 characters count")
NEW = TEXT | {"pattern": "^[A-Za-z0-9_-]{1,64}$"}
CHUNKS_NONCE = Query("nonce", NEW, "new for each request that is no repetition", required=True)
WAIT_MS = Query("wait_ms", WHOLE, "how long to hold the answer, milliseconds")
WANT = Query("want", TEXT, "which streams, and after which number of each")
SIGNATURE = Query("signature", TEXT, "comes with the address", required=True)
UNLESS_RECORDER = SIGNATURE._replace(required=False)
OFFSET = Query("offset", WHOLE | {"default": 0}, "bytes that are here already")
DOWNLOAD = Query("download", TEXT, "to take along instead of to show")

SAYS: dict[tuple[str, str], Says] = {
    ("POST", "/rooms"): Says({201: MadeRoom}, (401, 403, 409), gives={"room": "/room"}),
    ("GET", "/rooms/{room}"): Says({200: RoomFacts}, (404, 410)),
    ("POST", "/rooms/{room}/close"): Says({200: Done}, (403, 404, 410)),
    ("POST", "/rooms/{room}/host-key"): Says({200: NewHostKey}, (403, 404, 410)),
    ("POST", "/rooms/{room}/settings"): Says({200: ChangedSettings}, (403, 404, 409, 410)),
    ("POST", "/rooms/{room}/lobby"): Says({200: Done}, (403, 404, 409, 410)),
    ("POST", "/rooms/{room}/participants/{person}/remove"): Says({200: Done}, (403, 404, 410)),
    ("POST", "/rooms/{room}/participants/{person}/ask"): Says({200: Done}, (403, 404, 410)),
    ("POST", "/rooms/{room}/participants/{person}/role"): Says({200: Done}, (403, 404, 409, 410)),
    ("POST", "/rooms/{room}/participants"): Says(
        {201: Entered, 202: Knocked}, (401, 403, 404, 409, 410), gives={"person": "/participant/id", "room": "/room/room"}
    ),
    ("POST", "/leave"): Says({200: Done}),
    ("GET", "/ice-servers"): Says({200: IceServers}, (401, 410)),
    ("POST", "/checks"): Says({201: Checking}),
    ("GET", "/checks/pieces"): Says({200: "text/plain"}),
    ("POST", "/messages"): Says({200: Accepted}, (403, 404, 409, 410)),
    ("GET", "/mailbox"): Says({200: Waiting}, (409, 410, 422), (AFTER, WAIT, NONCE)),
    ("POST", "/mailboxes"): Says({200: SeveralWaiting}),
    ("POST", "/chunks"): Says({200: OCTETS}, (403, 409, 410, 413, 422), (CHUNKS_NONCE, WAIT_MS, WANT)),
    ("POST", "/rooms/{room}/recording"): Says({200: Acted}, (403, 404, 409, 410), gives={"recording": "/recording/id"}),
    ("POST", "/rooms/{room}/consent"): Says({200: Consented}, (403, 404, 409, 410)),
    ("GET", "/rooms/{room}/recordings"): Says({200: Recordings}, (403, 404, 410), gives={"recording": "/recordings/0/id"}),
    ("POST", "/recordings/{recording}/delete"): Says({200: Deleted}, (403, 404, 409, 410)),
    ("POST", "/recordings/{recording}/retry"): Says({200: Done}, (403, 404, 409, 410)),
    ("POST", "/recordings/{recording}/hold"): Says({200: Held}, (403, 404, 410)),
    ("GET", "/recordings/{recording}/archive"): Says({200: ZIP, 206: ZIP, 304: "*/*"}, (403, 404, 416), (SIGNATURE,)),
    ("GET", "/artifacts/{artifact}/{name}"): Says(
        {200: "*/*", 206: "*/*", 302: "text/html", 304: "*/*"}, (401, 403, 404, 416), (UNLESS_RECORDER, DOWNLOAD)
    ),
    ("POST", "/recordings/{recording}/versions"): Says({202: Recording}, (403, 404, 409, 410)),
    ("POST", "/recordings/{recording}/versions/{version}/delete"): Says({200: Done}, (403, 404, 410)),
    ("POST", "/recordings/{recording}/people/remove"): Says({202: Deleted}, (403, 404, 409, 410)),
    ("POST", "/recordings/{recording}/captions"): Says({201: Recording}, (403, 404, 410)),
    ("POST", "/recordings/{recording}/shares"): Says({201: MadeShare}, (403, 404, 410), gives={"share": "/id"}),
    ("GET", "/recordings/{recording}/shares"): Says({200: Shares}, (403, 404, 410), gives={"share": "/shares/0/id"}),
    ("POST", "/recordings/{recording}/shares/{share}/revoke"): Says({200: Done}, (403, 404, 410)),
    ("POST", "/shares/{share}/open"): Says({200: Opened}, (403, 404)),
    ("POST", "/recorders"): Says({201: Seat}),
    ("POST", "/recordings/{recording}/claim"): Says({200: Claimed}, (404, 409, 410)),
    ("POST", "/recordings/{recording}/decline"): Says({200: Done}, (404, 410)),
    ("POST", "/recordings/{recording}/report"): Says({200: Wanted}, (404, 409)),
    ("POST", "/recordings/{recording}/end"): Says({200: Next}, (404, 409)),
    ("GET", "/recordings/{recording}"): Says({200: Recording}, (404,)),
    ("GET", "/recordings/{recording}/uploads/{name}"): Says({200: Received}, (404,)),
    ("POST", "/recordings/{recording}/uploads/{name}"): Says({200: Received}, (404, 409, 413, 422, 507), (OFFSET,)),
    ("POST", "/recordings/{recording}/artifacts"): Says({201: PublishedFile}, (404, 507)),
    ("POST", "/recordings/{recording}/jobs/{step}/claim"): Says({200: ClaimedJob}, (404, 409)),
    ("POST", "/recordings/{recording}/jobs/{step}"): Says({200: Next}, (404, 409)),
    ("GET", "/openapi.json"): Says({200: "application/json"}),
}
