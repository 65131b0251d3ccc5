"""Recordings as their host sees them: the list, other films, who is taken out, captions, how long they are kept."""

from typing import Any

from sqlalchemy import select

from signaling import consent, errors, schemas
from signaling.api.files import with_links
from signaling.calls import api, body, call, host_of, noted, server
from signaling.library import captions, keeping, recordings, versions
from signaling.models import Room


@call(api, "GET", "/rooms/<room>/recordings", "All recordings of a room", "host")
def list_recordings(room: str) -> Any:
    with server().reading() as connection:
        if connection.execute(select(Room.id).where(Room.id == room)).first() is None:
            raise errors.no_such_room()
    by = host_of(room)
    with server().reading() as connection:
        found = recordings.of_room(connection, room)
        ledgers = consent.ledgers(connection, [recording["id"] for recording in found])
    for recording in found:
        recording["consent"] = ledgers.get(recording["id"], [])
    return {"recordings": [with_links(recording, by=by) for recording in found]}


def host_of_recording(recording: str) -> str:
    """The name of the host of its room, who is calling. Raises no_such_recording, and what host_of raises."""
    with server().reading() as connection:
        room = recordings.find(connection, recording).room_id
    return host_of(room)


@call(api, "POST", "/recordings/<recording>/delete", "Delete a recording and its files", "host", schemas.Nothing)
def delete_recording(recording: str) -> Any:
    body(schemas.Nothing)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        room = recordings.find(tx.connection, recording).room_id
        gone = recordings.remove(server(), tx, recording, by)
        noted(tx, "recording-deleted", by, room, recording, **gone)
    return {"deleted": gone}


@call(api, "POST", "/recordings/<recording>/retry", "Work on a failed recording again", "host", schemas.Nothing)
def retry_recording(recording: str) -> Any:
    body(schemas.Nothing)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        recordings.retry(server(), tx, recording, by)
    return {}


@call(api, "POST", "/recordings/<recording>/hold", "Keep a recording for good, or no longer", "host", schemas.Hold)
def hold_recording(recording: str) -> Any:
    wish = body(schemas.Hold)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        noted(tx, "recording-held" if wish.held else "recording-released", by, subject=recording)
        return keeping.hold(tx, recording, by, wish.held)


@call(api, "POST", "/recordings/<recording>/versions", "Have another film made", "host", schemas.MakeVersion)
def make_version(recording: str) -> Any:
    wish = body(schemas.MakeVersion)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        versions.ask(server(), tx, recording, by, wish.model_dump())
        noted(tx, "film-asked", by, subject=recording)
        found = recordings.of_id(tx.connection, recording)
    return with_links(found, by=by), 202


@call(api, "POST", "/recordings/<recording>/versions/<int:version>/delete", "Delete a film", "host", schemas.Nothing)
def delete_version(recording: str, version: int) -> Any:
    body(schemas.Nothing)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        versions.remove(server(), tx, recording, version, by)
        noted(tx, "film-deleted", by, subject=recording, version=version)
    return {}


@call(api, "POST", "/recordings/<recording>/people/remove", "Take a person out of a recording", "host", schemas.RemovePeople)
def remove_people(recording: str) -> Any:
    wish = body(schemas.RemovePeople)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        noted(tx, "people-removed", by, subject=recording, people=", ".join(wish.people))
        return {"deleted": versions.remove_people(server(), tx, recording, set(wish.people), by)}, 202


@call(api, "POST", "/recordings/<recording>/captions", "Bring captions for a recording", "host", schemas.Captions)
def bring_captions(recording: str) -> Any:
    wish = body(schemas.Captions)
    by = host_of_recording(recording)
    recordings.publish(server(), recording, captions.receive(server(), recording, wish.text, wish.language))
    with server().transaction() as tx:
        noted(tx, "captions-brought", by, subject=recording, language=wish.language)
        recordings.note(tx, recording, "captions", by, {"language": wish.language})
        found = recordings.of_id(tx.connection, recording)
    return with_links(found, by=by), 201
