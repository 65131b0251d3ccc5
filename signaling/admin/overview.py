"""What the admin page shows: this server now, from a few questions to the database, asked only while somebody looks."""

import shutil
from typing import Any

from sqlalchemy import Connection, func, select

from signaling import audit, clock, metrics, troubles
from signaling.library import recordings
from signaling.models import Artifact, Job, Message, Participant, Recording, Room
from signaling.server import Server

MOST = 50


def state(server: Server, connection: Connection, words: str = "") -> dict[str, Any]:
    """Everything on the page. words: what the audit log is searched for."""
    return {
        "now_ms": clock.now_ms(), "figures": _figures(connection), "disk": _disk(server, connection), "rooms": _rooms(connection),
        "recordings": _recordings(connection), "queue": _queue(connection), "recorders": _recorders(connection),
        "troubles": troubles.last(server.settings.data_dir, MOST), "audit": audit.newest(connection, words, MOST),
    }  # fmt: skip


def _count(connection: Connection, *where: Any, of: Any = Participant) -> int:
    return connection.execute(select(func.count()).select_from(of).where(*where)).scalar_one()


def _figures(connection: Connection) -> dict[str, Any]:
    here = Participant.left_at_ms.is_(None)
    in_use = select(func.count(Participant.room_id.distinct())).where(here, Participant.kind == "person")
    return {
        "rooms_open": _count(connection, Room.closed_at_ms.is_(None), of=Room),
        "rooms_in_use": connection.execute(in_use).scalar_one(),
        "people": _count(connection, here, Participant.kind == "person"),
        "waiting": _count(connection, here, Participant.kind == "waiting"),
        "parked": int(metrics.of_this_node("letterbox_parked_polls")),
        "messages": _count(connection, of=Message),
        "recording": _count(connection, Recording.state.in_(recordings.RUNNING), of=Recording),
        "processing": _count(connection, Recording.state == "processing", of=Recording),
        "recordings": _count(connection, of=Recording),
        "failed": _count(connection, Recording.state == "failed", of=Recording),
    }


def _disk(server: Server, connection: Connection) -> dict[str, Any]:
    """Of the data folder, on the node that answers; and what all recordings take, wherever they are kept."""
    usage = shutil.disk_usage(server.settings.data_dir)
    kept, files = connection.execute(select(func.coalesce(func.sum(Artifact.bytes), 0), func.count())).one()
    low = server.settings.min_free_mb * 10**6
    return {"total": usage.total, "free": usage.free, "low": usage.free < low, "recordings": int(kept), "files": files}


def _rooms(connection: Connection) -> list[dict[str, Any]]:
    """Those with people in them, the fullest first."""
    people = func.count().label("people")
    since = func.min(Participant.joined_at_ms)
    inside = (Participant.left_at_ms.is_(None), Participant.kind == "person")
    found = connection.execute(
        select(Room.id, Room.title, people, since).join(Participant, Participant.room_id == Room.id).where(*inside)
        .group_by(Room.id, Room.title).order_by(people.desc(), Room.id).limit(MOST)
    ).all()  # fmt: skip
    running = select(Recording.room_id, Recording.state).where(Recording.state.in_(recordings.RUNNING))
    recorded = {row.room_id: row.state for row in connection.execute(running)}
    return [
        {"room": room, "title": title, "people": count, "since_ms": since_ms, "recording": recorded.get(room)}
        for room, title, count, since_ms in found
    ]


def _recordings(connection: Connection) -> list[dict[str, Any]]:
    """The newest first."""
    newest = select(Recording.__table__, Room.title).join(Room, Room.id == Recording.room_id)
    rows = connection.execute(newest.order_by(Recording.requested_at_ms.desc(), Recording.id).limit(MOST)).all()
    sizes = select(Artifact.recording_id, func.sum(Artifact.bytes)).where(Artifact.recording_id.in_([row.id for row in rows]))
    size = {recording: int(count) for recording, count in connection.execute(sizes.group_by(Artifact.recording_id))}
    return [
        {
            "id": row.id, "room": row.room_id, "title": row.title, "state": row.state, "reason": row.reason,
            "by": row.requested_by, "at_ms": row.requested_at_ms, "duration_ms": row.duration_ms, "bytes": size.get(row.id, 0),
        }
        for row in rows
    ]  # fmt: skip


def _queue(connection: Connection) -> list[dict[str, Any]]:
    """Steps that run, then those that wait, then those that failed."""
    order = {"running": 0, "waiting": 1, "failed": 2}
    rows = connection.execute(
        select(Job.__table__, Room.title).join(Recording, Recording.id == Job.recording_id)
        .join(Room, Room.id == Recording.room_id)
        .where(Job.state.in_(order), Recording.state.in_(("processing", "ready", "failed")))
        .order_by(Recording.requested_at_ms, Job.position).limit(MOST)
    )  # fmt: skip
    found = [
        {
            "recording": row.recording_id, "title": row.title, "step": row.step, "state": row.state, "progress": row.progress,
            "eta_s": row.eta_s, "worker": row.worker, "reason": row.reason,
        }
        for row in rows
    ]  # fmt: skip
    return sorted(found, key=lambda one: order[one["state"]])


def _recorders(connection: Connection) -> list[dict[str, Any]]:
    """Those that wait for work, with how much they carry."""
    carried = select(Recording.recorder_id, func.count()).where(Recording.state.in_(recordings.CLAIMED))
    busy = {row[0]: row[1] for row in connection.execute(carried.group_by(Recording.recorder_id))}
    idle = (Participant.kind == "recorder", Participant.room_id.is_(None), Participant.left_at_ms.is_(None))
    rows = connection.execute(select(Participant.__table__).where(*idle).order_by(Participant.joined_at_ms))
    return [
        {"name": row.name, "since_ms": row.joined_at_ms, "capacity": row.capacity, "busy": busy.get(row.id, 0)} for row in rows
    ]
