"""Links that open a recording to others."""

from typing import Any

from signaling import calls, clock, errors, schemas
from signaling.api.files import with_links
from signaling.api.library import host_of_recording
from signaling.calls import api, body, call, noted, our_address, server
from signaling.library import recordings, shares


@call(api, "POST", "/recordings/<recording>/shares", "Make a link that opens a recording", "host", schemas.MakeShare)
def make_share(recording: str) -> Any:
    wish = body(schemas.MakeShare)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        share, secret = shares.make(tx, recording, by, wish.model_dump())
        noted(tx, "shared", by, subject=recording, share=share["id"], name=wish.name)
    return share | {"url": f"{our_address()}/s/{share['id']}#{secret}"}, 201


@call(api, "GET", "/recordings/<recording>/shares", "The links to a recording", "host")
def list_shares(recording: str) -> Any:
    host_of_recording(recording)
    with server().reading() as connection:
        return {"shares": shares.of_recording(connection, recording)}


@call(api, "POST", "/recordings/<recording>/shares/<share>/revoke", "Take a link back", "host", schemas.Nothing)
def revoke_share(recording: str, share: str) -> Any:
    body(schemas.Nothing)
    by = host_of_recording(recording)
    with server().transaction() as tx:
        shares.revoke(tx, recording, share, by)
        noted(tx, "unshared", by, subject=recording, share=share)
    return {}


@call(api, "POST", "/shares/<share>/open", "What a link opens", "anyone", schemas.OpenShare)
def open_share(share: str) -> Any:
    wish = body(schemas.OpenShare)
    # Whoever tries passwords is stopped, from one address or from many.
    if wish.password is not None:
        server().limits.spend("passwords", share)
    try:
        with server().reading() as connection:
            row = shares.find_open(connection, share, wish.secret, wish.password, clock.now_ms())
            found = recordings.of_id(connection, row.recording_id)
    except errors.Problem as problem:
        if problem.code != "password-needed":
            server().limits.spend("guesses", calls.who())
        raise
    with server().transaction() as tx:
        shares.count_opening(tx, share)
        noted(tx, "share-opened", f"share {share}", subject=row.recording_id, name=row.name)
    # What is only its host's to know.
    found |= {"live": {}, "consent": []}
    del found["room"]
    if not row.downloads:
        found["artifacts"] = [artifact for artifact in found["artifacts"] if artifact["kind"] in shares.TO_WATCH]
    return {"recording": with_links(found, row.id, f"share {row.id}"), "downloads": bool(row.downloads)}
