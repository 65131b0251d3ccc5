"""Films that people want besides the first: in another layout, of some people, of a stretch.

And people taken out of a recording, with everything made anew.
"""

from typing import Any

from sqlalchemy import delete, func, insert, select, update

from signaling import errors
from signaling.library import jobs, recordings
from signaling.models import Artifact, Participant, Version
from signaling.server import Server, Transaction

# Each is a file as long as the call.
MOST = 50
# What shows or tells of a person besides their own tracks; `captions` are what somebody has brought, and cannot be made anew.
TELLING = ("manifest", "poster", "composed", "waveform", "chapters", "thumbnails", "thumbnails-index", "quality", "captions")


def ask(server: Server, tx: Transaction, recording: str, by: str, wish: dict[str, Any]) -> None:
    """Have a film made. wish: title, layout, people, start_ms, end_ms, format.

    Raises no_such_recording; 409 not-ready, too-many-versions; malformed for people or a stretch that are not in the recording.
    """
    row = recordings.find(tx.connection, recording)
    if row.state != "ready":
        raise errors.Problem(409, "not-ready", "Not ready", "Wait until the recording is ready: films are made of its tracks.")
    length_ms = row.duration_ms or 0
    if wish["start_ms"] >= (min(wish["end_ms"], length_ms) if wish["end_ms"] is not None else length_ms):
        raise errors.malformed([{"field": "start_ms", "problem": f"leaves nothing: the recording is {length_ms} ms long"}])
    recorded = {artifact.meta.get("participant") for artifact in _artifacts(tx, recording) if artifact.kind == "track"}
    strangers = [person for person in wish["people"] or [] if person not in recorded]
    if strangers:
        raise errors.malformed([{"field": "people", "problem": f"not in this recording: {', '.join(strangers)}"}])
    mine = Version.recording_id == recording
    count, last = tx.connection.execute(select(func.count(), func.max(Version.n)).where(mine)).one()
    if count >= MOST:
        raise errors.Problem(409, "too-many-versions", "Too many versions", f"Delete one first: there are {count}.")
    n = max(last or 1, _last_made(tx, recording)) + 1
    title = wish.pop("title")
    tx.connection.execute(
        insert(Version).values(
            recording_id=recording, n=n, title=title, wish=wish, requested_by=by, created_at_ms=tx.now_ms
        )
    )  # fmt: skip
    recordings.note(tx, recording, "version", by, {"n": n, "title": title} | wish)
    server.unsettled = True
    recordings.tell_of(tx, recording, jobs.add_version(tx, recording, n, server.settings.job_lease_s))


def _artifacts(tx: Transaction, recording: str) -> list[Any]:
    return list(tx.connection.execute(select(Artifact.__table__).where(Artifact.recording_id == recording)))


def _last_made(tx: Transaction, recording: str) -> int:
    return max((int(one.meta.get("version", 1)) for one in _artifacts(tx, recording) if one.kind == "composed"), default=1)


def remove(server: Server, tx: Transaction, recording: str, n: int, by: str) -> None:
    """Delete a version and its film. Raises 404 no-such-version; the first film goes with the recording only."""
    same = (Version.recording_id == recording, Version.n == n)
    if tx.connection.execute(delete(Version).where(*same)).rowcount == 0:
        raise errors.Problem(404, "no-such-version", "No such version", "There is no version of this number.")
    jobs.drop_version(tx, recording, n)
    made = [one for one in _artifacts(tx, recording) if one.kind == "composed" and one.meta.get("version") == n]
    recordings.discard(server, tx, made)
    recordings.note(tx, recording, "version-deleted", by, {"n": n})
    recordings.tell_of(tx, recording, jobs.due(tx.connection, recording))


def remove_people(server: Server, tx: Transaction, recording: str, people: set[str], by: str) -> dict[str, int]:
    """Delete the tracks of these participants and all that shows or tells of them, and have the rest made anew.

    Returns how much was deleted. Several: one person's stays, if they have left and come back. What they answered when asked for
    their consent stays in the ledger: it is the proof. Raises no_such_recording; 404 no-such-person; 409 still-recording,
    still-processing, nobody-left.
    """
    row = recordings.find(tx.connection, recording)
    if row.state in recordings.RUNNING:
        raise errors.Problem(409, "still-recording", "Still recording", "Stop the recording before you remove somebody.")
    if row.state not in recordings.SETTLED:
        raise errors.Problem(409, "still-processing", "Still processing", "Wait until the recording is ready.")
    files = _artifacts(tx, recording)
    theirs = [one for one in files if one.kind == "track" and one.meta.get("participant") in people]
    silent = people - {one.meta.get("participant") for one in theirs}
    known = (Participant.id.in_(silent), Participant.room_id == row.room_id, Participant.kind == "person")
    if silent - set(tx.connection.execute(select(Participant.id).where(*known)).scalars()):
        raise errors.Problem(404, "no-such-person", "No such person", "Nobody of this id is in the recording.")
    if theirs and len(theirs) == sum(one.kind == "track" for one in files):
        raise errors.Problem(409, "nobody-left", "Nobody left", "Only they were recorded: delete the recording instead.")
    gone = theirs + [one for one in files if one.kind in TELLING]
    recordings.discard(server, tx, gone)
    told = {"files": len(gone), "bytes": sum(one.bytes for one in gone)}
    for person in sorted(people):
        _forget_in_versions(tx, recording, person)
        recordings.note(tx, recording, recordings.REMOVED, by, {"participant": person} | told)
    recordings.make_anew(server, tx, recording)
    return told


def _forget_in_versions(tx: Transaction, recording: str, person: str) -> None:
    mine = select(Version.__table__).where(Version.recording_id == recording)
    for version in tx.connection.execute(mine).all():
        people = version.wish.get("people")
        if people is None or person not in people:
            continue
        same = (Version.recording_id == recording, Version.n == version.n)
        rest = [one for one in people if one != person]
        if rest:
            tx.connection.execute(update(Version).where(*same).values(wish=version.wish | {"people": rest}))
        else:
            tx.connection.execute(delete(Version).where(*same))
