"""What is measured, for Prometheus: right under several worker processes by prometheus-client's multiprocess mode.

That mode wants a folder in PROMETHEUS_MULTIPROC_DIR before the first import; `gunicorn.conf.py` sees to it. What the
database knows (how deep the mailboxes are) is asked when somebody looks, so that it costs nothing otherwise.
"""

import os
from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import Connection, func, select

from signaling.mailbox import Delivery
from signaling.models import Job, Message, Participant, Recording

PARKED = Gauge("letterbox_parked_polls", "Polls that wait for a message.", multiprocess_mode="livesum")
WATCHED = Gauge("letterbox_mailboxes", "Mailboxes watched over.", multiprocess_mode="livesum")
MESSAGES = Counter("letterbox_messages", "Messages written, by kind.", ["kind"])
RECEIVED = Counter("letterbox_received_bytes", "What came in requests: bodies, and all of polls, messages and chunks.")
SENT = Counter("letterbox_sent_bytes", "What went out in answers: bodies, and all of those to polls, messages and chunks.")
WAKEUPS = Counter("letterbox_wakeups", "Wake-ups received from other processes.")
DATABASE_ERRORS = Counter("letterbox_database_errors", "Transactions the database refused.")
CHUNK_BYTES_IN = Counter("letterbox_chunk_bytes_in", "Media over HTTP that came, in bytes.")
CHUNK_BYTES_OUT = Counter("letterbox_chunk_bytes_out", "Media over HTTP that was handed out, in bytes.")
CHUNKS_MISSED = Counter("letterbox_chunks_missed", "Chunks dropped before one of their readers had got them.")
CHUNK_RINGS = Gauge("letterbox_chunk_rings", "Streams that go over HTTP.", multiprocess_mode="livesum")
CHUNKS_HELD = Gauge("letterbox_chunk_bytes_held", "Bytes of media held for those who read it.", multiprocess_mode="livesum")
CHUNKS_PARKED = Gauge("letterbox_parked_chunk_requests", "Requests that wait for chunks.", multiprocess_mode="livesum")
REFUSALS = Counter("letterbox_refusals", "Requests refused, by problem.", ["problem"])
DELIVERY = Histogram(
    "letterbox_delivery_seconds", "From a message's arrival to its being handed to those who wait for it.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)  # fmt: skip

# A sender may invent kinds: only these become labels.
KINDS = frozenset(
    {"offer", "answer", "candidate", "state", "chat", "joined", "left", "recording", "invite", "process", "undelivered"}
)


def count_messages(deliveries: Iterable[Delivery]) -> None:
    """Count what one transaction wrote."""
    for kind, count in Tally(delivery.kind if delivery.kind in KINDS else "other" for delivery in deliveries).items():
        MESSAGES.labels(kind).inc(count)


def exposition(connection: Connection) -> bytes:
    """All processes of this node together, and what the database says, in Prometheus' text format."""
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(_database(connection))


def of_this_node(name: str) -> float:
    """One figure of all processes of this node together."""
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return sum(sample.value for metric in registry.collect() for sample in metric.samples if sample.name == name)


def _database(connection: Connection) -> CollectorRegistry:
    registry = CollectorRegistry()
    depths = select(func.count().label("depth")).select_from(Message).group_by(Message.recipient_id).subquery()
    waiting, deepest = connection.execute(
        select(func.coalesce(func.sum(depths.c.depth), 0), func.coalesce(func.max(depths.c.depth), 0))
    ).one()
    Gauge("letterbox_messages_waiting", "Messages not yet acknowledged.", registry=registry).set(waiting)
    Gauge("letterbox_mailbox_depth_max", "Messages in the fullest mailbox.", registry=registry).set(deepest)
    present = Gauge("letterbox_participants", "Participants present, by kind.", ["kind"], registry=registry)
    here = select(Participant.kind, func.count()).where(Participant.left_at_ms.is_(None)).group_by(Participant.kind)
    for kind, count in connection.execute(here):
        present.labels(kind).set(count)
    recordings = Gauge("letterbox_recordings", "Recordings, by state.", ["state"], registry=registry)
    for state, count in connection.execute(select(Recording.state, func.count()).group_by(Recording.state)):
        recordings.labels(state).set(count)
    jobs = Gauge("letterbox_jobs", "Steps of recordings that are being prepared, by state.", ["state"], registry=registry)
    for state in ("waiting", "running"):
        jobs.labels(state).set(0)
    open_ones = (
        select(Job.state, func.count()).join(Recording, Recording.id == Job.recording_id).where(Recording.state == "processing")
    )
    for state, count in connection.execute(open_ones.group_by(Job.state)):
        jobs.labels(state).set(count)
    return registry
