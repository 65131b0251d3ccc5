"""The whole data model on one page. Times are Unix milliseconds; secrets are stored as SHA-256.

`migrations/` builds the same schema step by step; `tests/test_migrations.py` compares the two.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {int: BigInteger, dict[str, Any]: JSON}  # noqa: RUF012


class Room(Base):
    """A place with a link, where a call happens. host_key_until_ms: when its key ends, None: never."""

    __tablename__ = "room"
    id: Mapped[str] = mapped_column(String(14), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    host_key_hash: Mapped[str] = mapped_column(String(64))
    host_key_until_ms: Mapped[int | None]
    settings: Mapped[dict[str, Any]]
    created_at_ms: Mapped[int]
    closed_at_ms: Mapped[int | None]


class Participant(Base):
    """One presence: a browser tab, the recorder in a room, or (without a room) a recorder waiting for work.

    The three counters are the mailbox contract: `sent_n` the highest number accepted from it, `mailbox_n` the highest
    number given out in its mailbox, `acknowledged_n` up to where it has said it has them.
    worker: the web process that holds its poll and watches over its presence. capacity: of a recorder, how many at once.
    """

    __tablename__ = "participant"
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    room_id: Mapped[str | None] = mapped_column(ForeignKey("room.id"))
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(10))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    sent_n: Mapped[int] = mapped_column(default=0)
    mailbox_n: Mapped[int] = mapped_column(default=0)
    acknowledged_n: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(String(64))
    capacity: Mapped[int | None]
    joined_at_ms: Mapped[int]
    left_at_ms: Mapped[int | None]
    __table_args__ = (
        Index("ix_participant_room_id_left_at_ms", "room_id", "left_at_ms"),
        Index("ix_participant_worker", "worker"),
    )


class Message(Base):
    """One note in a mailbox, kept until its recipient has acknowledged it. body: JSON text, passed on as it came."""

    __tablename__ = "message"
    recipient_id: Mapped[str] = mapped_column(ForeignKey("participant.id"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sender_id: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(32))
    body: Mapped[str] = mapped_column(Text)
    created_at_ms: Mapped[int]
    __table_args__ = ({"sqlite_with_rowid": False},)


class Recording(Base):
    """One stretch of a room that somebody asked to keep.

    delete_at_ms: when the room's time for it is over (keeping.py); held: kept all the same.
    """

    __tablename__ = "recording"
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    room_id: Mapped[str] = mapped_column(ForeignKey("room.id"), index=True)
    state: Mapped[str] = mapped_column(String(12))
    wanted: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(80))
    recorder_id: Mapped[str | None] = mapped_column(String(12))
    lease_until_ms: Mapped[int | None]
    live: Mapped[dict[str, Any]]
    requested_at_ms: Mapped[int]
    started_at_ms: Mapped[int | None]
    ended_at_ms: Mapped[int | None]
    duration_ms: Mapped[int | None]
    held: Mapped[bool] = mapped_column(default=False)
    delete_at_ms: Mapped[int | None]
    __table_args__ = (Index("ix_recording_held_delete_at_ms", "held", "delete_at_ms"),)


class Segment(Base):
    """One unbroken run of one recorder in one recording; never reopened."""

    __tablename__ = "segment"
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recording.id"), index=True)
    recorder_id: Mapped[str] = mapped_column(String(12))
    started_at_ms: Mapped[int]
    ended_at_ms: Mapped[int | None]


class Artifact(Base):
    """A file people (or the pipeline) download. path: its key in storage. meta: what the manifest says of it."""

    __tablename__ = "artifact"
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recording.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(255))
    path: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(80))
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    meta: Mapped[dict[str, Any]]
    created_at_ms: Mapped[int]


class Job(Base):
    """One step of the pipeline. This row, not the broker, is the truth: what has a lapsed lease is told again."""

    __tablename__ = "job"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recording.id"), primary_key=True)
    step: Mapped[str] = mapped_column(String(16), primary_key=True)
    position: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(80))
    lease_until_ms: Mapped[int | None]
    progress: Mapped[int] = mapped_column(default=0)
    eta_s: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(Text)


class Version(Base):
    """A film that somebody wanted besides the first: n counts up per recording from 2 on.

    wish: layout, people (null: all), start_ms, end_ms (null: to the end), format.
    """

    __tablename__ = "version"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recording.id"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(120))
    wish: Mapped[dict[str, Any]]
    requested_by: Mapped[str] = mapped_column(String(80))
    created_at_ms: Mapped[int]


class Consent(Base):
    """One answer of one participant about one recording; kept for good. n: counts up per recording.

    answer: given, declined, withdrawn. how: asked, notice, started, remembered (PROTOCOL.md, "Consent").
    text: the very words that were shown.
    """

    __tablename__ = "consent"
    recording_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    participant_id: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(80))
    answer: Mapped[str] = mapped_column(String(10))
    how: Mapped[str] = mapped_column(String(10))
    text: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(35))
    at_ms: Mapped[int]


class Event(Base):
    """What happened to a recording, and by whom: asked for, claimed, marked, ended, deleted."""

    __tablename__ = "event"
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    recording_id: Mapped[str] = mapped_column(String(12), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(80))
    body: Mapped[dict[str, Any]]
    at_ms: Mapped[int]


class Disposal(Base):
    """A file that is to be deleted from the storage, or `<recording>/` for all of a recording's: until it is."""

    __tablename__ = "disposal"
    path: Mapped[str] = mapped_column(String(80), primary_key=True)
    at_ms: Mapped[int]


class Share(Base):
    """A link that opens one recording to whoever has it. name: for whom, as the host wrote it.

    secret_hash: of what the link carries; password_hash: scrypt, None without one; downloads: or only to watch.
    """

    __tablename__ = "share"
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recording.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    secret_hash: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    downloads: Mapped[bool]
    opened_n: Mapped[int] = mapped_column(default=0)
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int | None]


class Webhook(Base):
    """One event of a recording, kept until the receiver has taken it. n: its order within the recording, which may be gone.

    body: the JSON text as it is signed. due_at_ms: when it is sent next; while it is being sent, when another may.
    """

    __tablename__ = "webhook"
    recording_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(12), unique=True)
    body: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(default=0)
    due_at_ms: Mapped[int]


class Audit(Base):
    """Who did what, for whoever answers for this installation; kept for LETTERBOX_AUDIT_DAYS.

    actor: as they are known here (a name, `host`, `share h…`, `admin key`); subject: what it was done to, `room` apart.
    """

    __tablename__ = "audit"
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    at_ms: Mapped[int] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(64))
    room_id: Mapped[str] = mapped_column(String(14))
    subject: Mapped[str] = mapped_column(String(80))
    body: Mapped[dict[str, Any]]


class AdminSession(Base):
    """Somebody signed in to /admin. id_hash: of what the cookie carries; how: key, oidc."""

    __tablename__ = "admin_session"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    who: Mapped[str] = mapped_column(String(120))
    how: Mapped[str] = mapped_column(String(10))
    until_ms: Mapped[int]


class Rate(Base):
    """How often somebody has asked in the window that runs, where PostgreSQL counts for all nodes (tally.py)."""

    __tablename__ = "rate"
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    n: Mapped[int]
    until_ms: Mapped[int]
