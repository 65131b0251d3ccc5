"""Recordings as people see them: asked for, claimed, followed, finished, deleted.

`requested → starting → recording ⇄ paused → stopping → processing → ready`, or `failed` with a reason. Each step is one
conditional update, so that two who try at once do it once. Everyone in the room sees it through their mailbox.
"""

import hashlib
import logging
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from signaling import errors, ids, rooms
from signaling.library import disposal, jobs, queue, webhooks
from signaling.models import Artifact, Event, Job, Participant, Recording, Room, Segment, Share, Version
from signaling.server import Server, Transaction

log = logging.getLogger(__name__)

NO_PATH = str.maketrans('/\\"', "--'")

RUNNING = ("requested", "starting", "recording", "paused", "stopping")
CLAIMED = ("starting", "recording", "paused", "stopping")
SETTLED = ("ready", "failed")
# In place of how it goes: another segment came while the pipeline ran, and everything is made anew when that is done.
LATE = {"late": True}
DAY_MS = 86_400_000
# A stopping recording whose recorder does not come back is finished with what was uploaded.
GIVE_UP_MS = 60_000
# One that nobody records and whose room is empty for so long: nobody comes for it any more.
FORGOTTEN_MS = 600_000
# Those who wait are told again when their recording begins so much sooner or later, seconds.
WORTH_TELLING_S = 60
# How many of the last recordings tell how long one takes.
KNOWN_LENGTHS = 50
NOT_BACK = "The recorder did not come back; this is what it had sent."
NO_RECORDER = "No recorder is there yet: it starts as soon as one is."
WHY = {
    "busy": "All recorders are busy: it starts as soon as one is free.",
    "disk": "The recorder's disk is nearly full: it starts as soon as there is room.",
    "leaving": "The recorder is being restarted: it starts as soon as it is back.",
}


def find(connection: Connection, recording: str) -> Row[Any]:
    """The recording's row. Raises no_such_recording."""
    row = connection.execute(select(Recording.__table__).where(Recording.id == recording)).first()
    if row is None:
        raise errors.no_such_recording()
    return row


def active(connection: Connection, room: str) -> Row[Any] | None:
    """The recording that runs in this room, if any."""
    running = select(Recording.__table__).where(Recording.room_id == room, Recording.state.in_(RUNNING))
    return connection.execute(running.order_by(Recording.requested_at_ms.desc())).first()


def brief(row: Any) -> dict[str, Any]:
    """What everyone in the room sees."""
    return {
        "id": row.id, "state": row.state, "wanted": row.wanted, "by": row.requested_by,
        "started_at_ms": row.started_at_ms, "reason": row.reason, "waiting": row.live.get("waiting"),
    }  # fmt: skip


def _tell(tx: Transaction, recording: str, **more: Any) -> dict[str, Any]:
    row = find(tx.connection, recording)
    tx.after_commit.append(lambda: log.info("room=%s recording=%s %s %s", row.room_id, recording, row.state, row.reason or ""))
    here = [participant["id"] for participant in rooms.present(tx.connection, row.room_id)]
    tx.notify(here, "recording", {"recording": brief(row)} | more)
    return brief(row)


def _change(tx: Transaction, recording: str, from_states: tuple[str, ...], **values: Any) -> bool:
    """One conditional update; False when the recording was not in one of these states."""
    if "ended_at_ms" in values:
        values["delete_at_ms"] = _delete_at_ms(tx, recording, values["ended_at_ms"])
    change = update(Recording).where(Recording.id == recording, Recording.state.in_(from_states)).values(**values)
    changed = tx.connection.execute(change).rowcount == 1
    if changed and "started_at_ms" in values:
        _announce(tx, recording, "started")
    elif changed and values.get("state") in SETTLED:
        _announce(tx, recording, values["state"])
    return changed


def _delete_at_ms(tx: Transaction, recording: str, ended_at_ms: int) -> int | None:
    """When its room's time for it is over. A host who changes that time meanwhile is waited for: keeping.keep_for."""
    room = select(Recording.room_id).where(Recording.id == recording).scalar_subquery()
    settings = tx.connection.execute(select(Room.settings).where(Room.id == room).with_for_update(read=True)).scalar() or {}
    keep_days = settings.get("keep_days")
    return None if keep_days is None else ended_at_ms + keep_days * DAY_MS


def _announce(tx: Transaction, recording: str, kind: str, was: Row[Any] | None = None, **more: Any) -> None:
    """Have another program told, if one wants to know. kind: started, ready, failed, deleted. was: its row, of a deleted one."""
    if not tx.server.settings.webhook_url:
        return
    row = was or find(tx.connection, recording)
    public_url = tx.server.settings.public_url.rstrip("/")
    facts = {
        "id": row.id, "room": row.room_id, "title": rooms.title_even_if_closed(tx.connection, row.room_id), "state": row.state,
        "reason": row.reason, "requested_at_ms": row.requested_at_ms, "started_at_ms": row.started_at_ms,
        "ended_at_ms": row.ended_at_ms, "duration_ms": row.duration_ms,
        "url": f"{public_url}/r/{row.room_id}/recordings" if public_url else None,
    }  # fmt: skip
    webhooks.write(tx, kind, recording, facts | more)


def note(tx: Transaction, recording: str, kind: str, actor: str, body: dict[str, Any] | None = None) -> None:
    """Write down who did what."""
    tx.connection.execute(
        insert(Event).values(
            id=ids.short_id("e"), recording_id=recording, kind=kind, actor=actor, body=body or {}, at_ms=tx.now_ms
        )
    )


def recorders(connection: Connection) -> list[str]:
    """Recorders that wait for work, the one that has waited longest first."""
    waiting = select(Participant.id).where(
        Participant.kind == "recorder", Participant.room_id.is_(None), Participant.left_at_ms.is_(None)
    )
    return [row[0] for row in connection.execute(waiting.order_by(Participant.joined_at_ms))]


# -- the host --------------------------------------------------------------------------------------------------------------


def start(server: Server, tx: Transaction, room: str, by: str) -> dict[str, Any]:
    """Ask for a recording and invite the recorders. Raises already_recording."""
    rooms.lock(tx, room)
    if active(tx.connection, room) is not None:
        raise errors.already_recording()
    _check_caps(server, tx.connection)
    recording = ids.short_id("r")
    waiting = recorders(tx.connection)
    tx.connection.execute(
        insert(Recording).values(
            id=recording, room_id=room, state="requested", wanted="recording", reason=None if waiting else NO_RECORDER,
            requested_by=by, recorder_id=None, lease_until_ms=None, live={} if waiting else {"waiting": {"why": "none"}},
            requested_at_ms=tx.now_ms, started_at_ms=None, ended_at_ms=None, duration_ms=None,
        )
    )  # fmt: skip
    note(tx, recording, "requested", by)
    _invite(tx, waiting, recording, room)
    server.unsettled = True
    return _tell(tx, recording)


def _check_caps(server: Server, connection: Connection) -> None:
    """Whether there is room for one more. One that has begun is never ended by this. Raises no_room_for_recordings."""
    settings = server.settings
    if connection.execute(select(func.count()).select_from(Recording)).scalar_one() >= settings.max_recordings:
        raise errors.no_room_for_recordings(f"There are {settings.max_recordings:,} recordings.")
    if settings.max_storage_gb:
        kept = connection.execute(select(func.coalesce(func.sum(Artifact.bytes), 0))).scalar_one()
        if kept >= settings.max_storage_gb * 10**9:
            raise errors.no_room_for_recordings(f"Recordings take {settings.max_storage_gb:,} GB, all they may.")
    free = server.storage.free_bytes()
    if free is not None and free < settings.min_free_mb * 10**6:
        raise errors.no_room_for_recordings("The disk of recordings is nearly full.")


def stop(server: Server, tx: Transaction, room: str, by: str) -> dict[str, Any]:
    """Raises not_recording. One that no recorder has claimed yet ends at once."""
    row = _running(tx, room)
    note(tx, row.id, "stopped", by)
    server.unsettled = True
    reason = "It was stopped before a recorder had started."
    if not _change(tx, row.id, ("requested",), state="failed", wanted="stopped", reason=reason, ended_at_ms=tx.now_ms):
        _change(tx, row.id, CLAIMED, state="stopping", wanted="stopped")
    return _tell(tx, row.id)


def stop_if_running(server: Server, tx: Transaction, room: str, by: str) -> None:
    """Before a room is closed: nobody could stop its recording afterwards."""
    if active(tx.connection, room) is not None:
        stop(server, tx, room, by)


def pause(tx: Transaction, room: str, by: str, paused: bool) -> dict[str, Any]:
    """Ask the recorder to pause or go on; the state follows when it has. Raises not_recording."""
    row = _running(tx, room)
    if not _change(tx, row.id, ("requested", "starting", "recording", "paused"), wanted="paused" if paused else "recording"):
        raise errors.not_recording("The recording is being stopped.")
    note(tx, row.id, "paused" if paused else "resumed", by)
    return _tell(tx, row.id)


def mark(tx: Transaction, room: str, by: str, label: str) -> dict[str, Any]:
    """Remember this moment: it becomes a chapter. Raises not_recording."""
    row = _running(tx, room)
    if row.state not in ("recording", "paused"):
        raise errors.not_recording("There is nothing to mark yet: the recording has not begun.")
    note(tx, row.id, "mark", by, {"label": label})
    return _tell(tx, row.id, mark={"label": label, "by": by, "at_ms": tx.now_ms})


def _running(tx: Transaction, room: str) -> Row[Any]:
    rooms.lock(tx, room)
    row = active(tx.connection, room)
    if row is None:
        raise errors.not_recording()
    return row


# -- the recorder ------------------------------------------------------------------------------------------------------------


def _invite(tx: Transaction, waiting: list[str], recording: str, room: str) -> None:
    """Ask these recorders to take it."""
    tx.notify(waiting, "invite", {"recording": recording, "room": room, "people": rooms.people_in(tx.connection, room)})


def work_for(tx: Transaction, recorder: str) -> None:
    """Tell a recorder that has just come of everything that waits."""
    unclaimed = select(Recording.id, Recording.room_id).where(
        (Recording.state == "requested") | (Recording.state.in_(CLAIMED) & (Recording.lease_until_ms < tx.now_ms))
    )
    for recording, room in tx.connection.execute(unclaimed.order_by(Recording.requested_at_ms, Recording.id)).all():
        _invite(tx, [recorder], recording, room)


def decline(tx: Transaction, recording: str, why: str) -> None:
    """No recorder could take it until now: everybody in the room is told why, and about when it will begin.

    Raises no_such_recording. Of one that runs nothing is said: somebody has been quicker.
    """
    rooms.lock(tx, find(tx.connection, recording).room_id)
    row = find(tx.connection, recording)
    if row.state == "requested":
        _tell_waiting(tx, row, why)


def _tell_waiting(tx: Transaction, row: Row[Any], why: str) -> None:
    before = row.live.get("waiting", {})
    place, starts_in_s = _queue(tx, row)
    now: dict[str, Any] = {"why": why, "place": place, "starts_in_s": starts_in_s if why == "busy" else None}
    if before and all(before.get(key) == now[key] for key in ("why", "place")):
        moved_s = abs((before.get("starts_in_s") or 0) - (now["starts_in_s"] or 0))
        if moved_s < WORTH_TELLING_S:
            return
    _change(tx, row.id, ("requested",), live={"waiting": now}, reason=WHY[why])
    _tell(tx, row.id)


def _queue(tx: Transaction, row: Row[Any]) -> tuple[int, int | None]:
    """(its place among those that wait, in about how many seconds it begins)."""
    before = (Recording.state == "requested", Recording.requested_at_ms < row.requested_at_ms)
    place = 1 + tx.connection.execute(select(func.count()).select_from(Recording).where(*before)).scalar_one()
    began = func.coalesce(Recording.started_at_ms, Recording.requested_at_ms)
    claimed = tx.connection.execute(select(began).where(Recording.state.in_(CLAIMED)))
    ages_s = [(tx.now_ms - began_ms) / 1000 for (began_ms,) in claimed]
    over = select(Recording.duration_ms).where(Recording.duration_ms > 0).order_by(Recording.ended_at_ms.desc())
    lengths_s = [(length_ms or 0) / 1000 for (length_ms,) in tx.connection.execute(over.limit(KNOWN_LENGTHS))]
    return place, queue.starts_in_s(place, ages_s, lengths_s)


def claim(server: Server, tx: Transaction, recording: str, recorder: str) -> dict[str, Any]:
    """Take a recording that waits, or whose recorder fell silent; a new segment begins. Raises already_claimed.

    number: of the segment, from 1; no two of a recording are alike, for a claim is conditional.
    """
    lease_until = tx.now_ms + server.settings.lease_s * 1000
    row = find(tx.connection, recording)
    title = rooms.lock(tx, row.room_id)
    free = (Recording.state == "requested") | (Recording.state.in_(CLAIMED) & (Recording.lease_until_ms < tx.now_ms))
    claimed = tx.connection.execute(
        update(Recording)
        .where(Recording.id == recording, free)
        .values(recorder_id=recorder, lease_until_ms=lease_until, reason=None, live={})
    )
    if claimed.rowcount == 0:
        raise errors.already_claimed()
    _change(tx, recording, ("requested", "recording", "paused"), state="starting")
    segment = ids.short_id("s")
    earlier = select(func.count()).select_from(Segment).where(Segment.recording_id == recording)
    number = tx.connection.execute(earlier).scalar_one() + 1
    tx.connection.execute(
        insert(Segment).values(
            id=segment, recording_id=recording, recorder_id=recorder, started_at_ms=tx.now_ms, ended_at_ms=None
        )
    )
    note(tx, recording, "claimed", recorder, {"segment": segment})
    _tell(tx, recording)
    return {
        "recording": recording,
        "room": row.room_id,
        "title": title,
        "segment": segment,
        "number": number,
        "lease_s": server.settings.lease_s,
    }


def _holds(tx: Transaction, recording: str, segment: str) -> Row[Any]:
    """The row, if this segment's recorder still holds the recording. Raises no_such_recording, lease_lost."""
    row = find(tx.connection, recording)
    newest = (
        select(Segment.id).where(Segment.recording_id == recording).order_by(Segment.started_at_ms.desc(), Segment.id).limit(1)
    )
    if tx.connection.execute(newest).scalar() != segment:
        raise errors.lease_lost()
    return row


def report(
    server: Server, tx: Transaction, recording: str, segment: str, state: str, live: dict[str, Any], leaving: bool = False
) -> dict[str, Any]:
    """The recorder's heartbeat: renews the lease, says how it goes. Raises lease_lost.

    state: starting, recording, paused as the recorder sees it. live: tracks, alarms, disk_hours; the hosts are told of other
    alarms than before. leaving: its lease ends now, and others are invited; it goes on until one has claimed it. Returns what is
    wanted of it, and to a leaving one how many others there are.
    """
    row = _holds(tx, recording, segment)
    if row.state not in CLAIMED:
        raise errors.lease_lost()
    server.unsettled = True
    lasts_ms = -1 if leaving else server.settings.lease_s * 1000
    values: dict[str, Any] = {
        "lease_until_ms": tx.now_ms + lasts_ms,
        "live": live | {"at_ms": tx.now_ms, "leaving": leaving},
    }
    moved = row.state != "stopping" and state != row.state
    if moved:
        values["state"] = state
        if state == "recording" and row.started_at_ms is None:
            values["started_at_ms"] = tx.now_ms
    _change(tx, recording, (row.state,), **values)
    # One that was thought to be gone and is not: people were told that nothing is kept.
    if moved or "waiting" in row.live:
        _tell(tx, recording)
    if _what(live) != _what(row.live):
        hosts = [one["id"] for one in rooms.present(tx.connection, row.room_id) if one["role"] == "host"]
        tx.notify(hosts, "recording", {"recording": brief(find(tx.connection, recording)), "alarms": live["alarms"]})
    answer = {"wanted": row.wanted, "lease_s": server.settings.lease_s}
    if not leaving:
        return answer
    others = [one for one in recorders(tx.connection) if one != row.recorder_id]
    _invite(tx, others, recording, row.room_id)
    return answer | {"others": len(others)}


def _what(live: dict[str, Any]) -> set[tuple[str, ...]]:
    """Which alarms there are, whatever their figures."""
    return {tuple(str(alarm.get(key, "")) for key in ("participant", "source", "kind")) for alarm in live.get("alarms", [])}


def end(server: Server, tx: Transaction, recording: str, segment: str, reason: str, duration_ms: int) -> dict[str, Any]:
    """The recorder is done and its files are here: on to the pipeline. Raises lease_lost; repeated, it changes nothing.

    A segment that comes after the end (its recorder was dead, and is back) has everything made anew: at once, or when the
    pipeline is done with what came before.
    """
    if find(tx.connection, recording).state in (*SETTLED, "processing") and _has_not_ended(tx, recording, segment):
        return {"next": _take_late(server, tx, recording, segment)}
    row = _holds(tx, recording, segment)
    tx.connection.execute(
        update(Segment).where(Segment.id == segment, Segment.ended_at_ms.is_(None)).values(ended_at_ms=tx.now_ms)
    )
    if row.state not in CLAIMED:
        return {"next": jobs.due(tx.connection, recording)}
    return {"next": _finish(server, tx, recording, reason, duration_ms)}


def _has_not_ended(tx: Transaction, recording: str, segment: str) -> bool:
    open_one = (Segment.recording_id == recording, Segment.id == segment, Segment.ended_at_ms.is_(None))
    return tx.connection.execute(select(Segment.id).where(*open_one)).first() is not None


def _take_late(server: Server, tx: Transaction, recording: str, segment: str) -> list[str]:
    server.unsettled = True
    tx.connection.execute(update(Segment).where(Segment.id == segment).values(ended_at_ms=tx.now_ms))
    note(tx, recording, "late", "recorder", {"segment": segment})
    if _change(tx, recording, ("processing",), live=LATE):
        return []
    return _anew(server, tx, recording)


def _finish(server: Server, tx: Transaction, recording: str, reason: str, duration_ms: int | None) -> list[str]:
    server.unsettled = True
    values: dict[str, Any] = {
        "wanted": "stopped",
        "lease_until_ms": None,
        "live": {},
        "ended_at_ms": tx.now_ms,
        "duration_ms": duration_ms,
    }
    has_tracks = select(Artifact.id).where(Artifact.recording_id == recording, Artifact.kind == "track").limit(1)
    if tx.connection.execute(has_tracks).first() is None:
        nothing = "Nothing was recorded: nobody sent sound or picture while it ran."
        if _change(tx, recording, CLAIMED, state="failed", reason=nothing, **values):
            _tell(tx, recording)
        return []
    if not _change(tx, recording, CLAIMED, state="processing", reason=None if reason == "stopped" else reason, **values):
        return jobs.due(tx.connection, recording)
    note(tx, recording, "ended", "recorder", {"reason": reason})
    steps = jobs.create(tx, recording, server.settings.job_lease_s)
    _tell(tx, recording)
    return steps


def publish(server: Server, recording: str, file: dict[str, Any]) -> dict[str, Any]:
    """A finished upload becomes an artifact, replacing one of the same name. Raises storage.NotTheSame.

    file: name, kind, media_type, bytes, sha256, meta.
    """
    artifact = ids.short_id("a")
    key = f"{recording}/{artifact}"
    # Before the transaction: reading a long recording through takes seconds, and everybody's messages would wait.
    server.storage.keep(recording, file["name"], key, file["bytes"], file["sha256"])
    try:
        with server.transaction() as tx:
            known = _publish(server, tx, recording, file, artifact, key)
    except errors.Problem as problem:
        # A database that went away in the middle may have taken it all the same.
        if problem.status < 500:
            server.storage.delete(key)
        raise
    server.storage.forget_upload(recording, file["name"])
    return known


def _publish(server: Server, tx: Transaction, recording: str, file: dict[str, Any], artifact: str, key: str) -> dict[str, Any]:
    find(tx.connection, recording)
    if file["kind"] == "track" and file["meta"].get("participant") in removed(tx.connection, recording):
        # A recorder that was away brings what must not be kept any more.
        disposal.dispose(server, tx, [key])
        return {"id": ""} | file
    columns = (Artifact.id, Artifact.name, Artifact.kind, Artifact.meta, Artifact.path)
    mine = tx.connection.execute(select(*columns).where(Artifact.recording_id == recording))
    older = [row for row in mine if row.name == file["name"] or _is_same_version(row, file)]
    discard(server, tx, older)
    tx.connection.execute(insert(Artifact).values(id=artifact, recording_id=recording, path=key, created_at_ms=tx.now_ms, **file))
    return {"id": artifact} | file


def _is_same_version(row: Row[Any], file: dict[str, Any]) -> bool:
    """Made anew, a film may have another name: `.webm` where it was only copied before."""
    version = file["meta"].get("version", 1)
    return bool(row.kind == file["kind"] == "composed" and row.meta.get("version", 1) == version)


def discard(server: Server, tx: Transaction, rows: list[Row[Any]]) -> None:
    """Delete these artifacts (id, path), and their files as soon as that is settled."""
    tx.connection.execute(delete(Artifact).where(Artifact.id.in_([row.id for row in rows])))
    disposal.dispose(server, tx, [row.path for row in rows])


REMOVED = "person-removed"


def removed(connection: Connection, recording: str) -> dict[str, dict[str, Any]]:
    """participant → who had them removed from this recording, and when."""
    acts = select(Event.__table__).where(Event.recording_id == recording, Event.kind == REMOVED).order_by(Event.at_ms)
    return {
        row.body["participant"]: {"participant": row.body["participant"], "by": row.actor, "at_ms": row.at_ms}
        for row in connection.execute(acts)
    }


def published(connection: Connection, recording: str, file: dict[str, Any]) -> dict[str, Any] | None:
    """The artifact this file already is, if any: a call whose answer was lost is made again."""
    same = (Artifact.recording_id == recording, Artifact.name == file["name"], Artifact.sha256 == file["sha256"])
    row = connection.execute(select(Artifact.id).where(*same, Artifact.bytes == file["bytes"])).first()
    return {"id": row[0]} | file if row is not None else None


# -- jobs ----------------------------------------------------------------------------------------------------------------------


def advance(server: Server, tx: Transaction, recording: str, step: str, attempt: int, news: dict[str, Any]) -> list[str]:
    """What a worker says of its step; returns the steps to enqueue now. Raises lease_lost. The last step done makes it ready."""
    server.unsettled = True
    return _follow(server, tx, recording, jobs.advance(tx, recording, step, attempt, news, server.settings.job_lease_s))


def retry(server: Server, tx: Transaction, recording: str, by: str) -> None:
    """Have a failed recording worked on again. Raises no_such_recording, 409 not-failed."""
    row = find(tx.connection, recording)
    steps = jobs.retry(tx, recording, server.settings.job_lease_s)
    if not steps or row.state not in SETTLED:
        raise errors.Problem(409, "not-failed", "Nothing to repeat", "No step of this recording has failed.")
    server.unsettled = True
    note(tx, recording, "retried", by)
    # A version that failed leaves the recording as ready as it was.
    _change(tx, recording, ("failed",), state="processing", reason=None)
    tell_of(tx, recording, steps)
    _tell(tx, recording)


def tell_of(tx: Transaction, recording: str, steps: list[str]) -> None:
    """Have a recorder enqueue these; if there is none, the sweep tells the next one that comes."""
    for step in steps:
        tx.notify(recorders(tx.connection)[:1], "process", {"recording": recording, "step": step})


def make_anew(server: Server, tx: Transaction, recording: str) -> None:
    """All steps and versions once more, for other tracks than before."""
    tell_of(tx, recording, _anew(server, tx, recording))


def _anew(server: Server, tx: Transaction, recording: str) -> list[str]:
    server.unsettled = True
    _change(tx, recording, SETTLED, state="processing", reason=None, live={})
    steps = jobs.restart(tx, recording, server.settings.job_lease_s)
    _tell(tx, recording)
    return steps


def _follow(server: Server, tx: Transaction, recording: str, outcome: jobs.Outcome) -> list[str]:
    if not outcome.failed and not outcome.finished:
        return outcome.next
    state = "failed" if outcome.failed else "ready"
    _change(tx, recording, ("processing",), state=state, **({"reason": outcome.failed} if outcome.failed else {}))
    _tell(tx, recording)
    return _anew(server, tx, recording) if find(tx.connection, recording).live == LATE else outcome.next


def sweep(server: Server) -> None:
    """Chore: invite again where a lease has lapsed, finish what nobody will stop, tell again of steps nobody works on.

    Any number of processes may do this at once: every change is conditional, and an invitation too many is refused a claim.
    """
    if not server.unsettled:
        return
    with server.reading() as connection:
        versions = select(Job.recording_id).where(Job.position >= jobs.AFTER_STEPS, Job.state.in_(("waiting", "running")))
        wanted = (Recording.state == "ready") & Recording.id.in_(versions)
        unsettled = select(Recording.__table__).where(Recording.state.in_((*RUNNING, "processing")) | wanted)
        rows = connection.execute(unsettled.order_by(Recording.requested_at_ms, Recording.id)).all()
        waiting = recorders(connection)
    server.unsettled = bool(rows)
    for row in rows:
        # One by one: what is locked for one recording is not held while another's people are waited for.
        with server.transaction() as tx:
            if row.state in ("processing", "ready"):
                for step in _follow(server, tx, row.id, jobs.lapsed(tx, row.id, server.settings.job_lease_s)):
                    tx.notify(waiting[:1], "process", {"recording": row.id, "step": step})
            elif row.state == "requested" or (row.lease_until_ms or 0) < tx.now_ms:
                _seek_recorder(server, tx, row, waiting)


def _seek_recorder(server: Server, tx: Transaction, row: Row[Any], waiting: list[str]) -> None:
    since_ms = row.lease_until_ms or row.requested_at_ms
    if row.state == "stopping" and since_ms < tx.now_ms - GIVE_UP_MS:
        _finish(server, tx, row.id, NOT_BACK, None)
        return
    if since_ms < tx.now_ms - FORGOTTEN_MS and rooms.people_in(tx.connection, row.room_id) == 0:
        _forget(server, tx, row)
        return
    goes_on = row.live.get("leaving") and row.live["at_ms"] > tx.now_ms - server.settings.lease_s * 1000
    if row.state != "requested" and "waiting" not in row.live and not goes_on:
        # Nobody should believe that what they say now is kept.
        _change(tx, row.id, (row.state,), live={"waiting": {"why": "interrupted"}})
        _tell(tx, row.id)
    _invite(tx, waiting, row.id, row.room_id)


def _forget(server: Server, tx: Transaction, row: Row[Any]) -> None:
    """Everybody has left, and no recorder came: it ends as what it is."""
    if row.state == "requested":
        reason = "Everybody had left before a recorder could begin."
        _change(tx, row.id, ("requested",), state="failed", wanted="stopped", reason=reason, ended_at_ms=tx.now_ms)
        _tell(tx, row.id)
    else:
        _finish(server, tx, row.id, NOT_BACK, None)


# -- the library ---------------------------------------------------------------------------------------------------------------


def describe(connection: Connection, row: Row[Any], title: str) -> dict[str, Any]:
    """Everything the recordings page shows of one recording, links apart."""
    files = connection.execute(
        select(Artifact.__table__).where(Artifact.recording_id == row.id).order_by(Artifact.created_at_ms, Artifact.id)
    )
    artifacts = [
        {
            "id": a.id,
            "kind": a.kind,
            "name": a.name,
            "media_type": a.media_type,
            "bytes": a.bytes,
            "sha256": a.sha256,
            "meta": a.meta,
        }
        for a in files
    ]
    shown = jobs.describe(connection, row.id)
    return brief(row) | {
        "title": title, "requested_at_ms": row.requested_at_ms, "ended_at_ms": row.ended_at_ms, "duration_ms": row.duration_ms,
        "live": row.live, "artifacts": artifacts, "held": bool(row.held),
        "delete_at_ms": None if row.held else row.delete_at_ms, "removed": list(removed(connection, row.id).values()),
    } | shown  # fmt: skip


def of_room(connection: Connection, room: str) -> list[dict[str, Any]]:
    """All recordings of a room, newest first."""
    title = connection.execute(select(Room.title).where(Room.id == room)).scalar() or ""
    rows = connection.execute(
        select(Recording.__table__).where(Recording.room_id == room).order_by(Recording.requested_at_ms.desc(), Recording.id)
    ).all()
    return [describe(connection, row, title) for row in rows]


def of_id(connection: Connection, recording: str) -> dict[str, Any]:
    """One, with its room. Raises no_such_recording."""
    row = find(connection, recording)
    return describe(connection, row, rooms.title_even_if_closed(connection, row.room_id)) | {"room": row.room_id}


def remove(server: Server, tx: Transaction, recording: str, by: str) -> dict[str, int]:
    """Delete files, rows, and what recorders still have of it. Returns how many files and bytes there were.

    Raises no_such_recording; still-recording while it runs.
    """
    row = find(tx.connection, recording)
    if row.state in RUNNING:
        raise errors.Problem(409, "still-recording", "Still recording", "Stop the recording before you delete it.")
    sizes = list(tx.connection.execute(select(Artifact.bytes).where(Artifact.recording_id == recording)).scalars())
    gone = {"files": len(sizes), "bytes": sum(sizes)}
    for table in (Job, Artifact, Segment, Share, Version):
        tx.connection.execute(delete(table).where(table.recording_id == recording))
    if tx.connection.execute(delete(Recording).where(Recording.id == recording)).rowcount == 1:
        _announce(tx, recording, "deleted", row, **gone)
    note(tx, recording, "deleted", by, gone)
    tx.notify(recorders(tx.connection), "forget", {"recording": recording})
    disposal.dispose(server, tx, [f"{recording}/"])
    return gone


def artifact(connection: Connection, artifact_id: str) -> Row[Any]:
    """Raises 404."""
    row = connection.execute(select(Artifact.__table__).where(Artifact.id == artifact_id)).first()
    if row is None:
        raise errors.no_such_file()
    return row


def digest_of(files: list[Row[Any]]) -> str:
    """What tells one archive from another: which bytes are in it under which names."""
    return hashlib.sha256("".join(f"{row.sha256} {row.created_at_ms} {row.name}\n" for row in files).encode()).hexdigest()


def archive(connection: Connection, recording: str) -> tuple[str, list[Row[Any]]]:
    """(name of the ZIP, the files in it): all but what only the pipeline needs. Raises no_such_recording."""
    row = find(connection, recording)
    title = rooms.title_even_if_closed(connection, row.room_id) or "Recording"
    wanted = (Artifact.recording_id == recording, Artifact.kind != "segment")
    files = list(connection.execute(select(Artifact.__table__).where(*wanted).order_by(Artifact.created_at_ms, Artifact.id)))
    date = datetime.fromtimestamp((row.started_at_ms or row.requested_at_ms) / 1000, UTC)
    return f"{date:%Y-%m-%d} {title.translate(NO_PATH)}.zip", files
