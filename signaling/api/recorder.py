"""What recorders and their workers say: claims, reports, uploads, steps."""

from typing import Any

from flask import request

from signaling import calls, consent, errors, rooms, schemas
from signaling.api.files import with_links
from signaling.calls import api, body, call, recorder, server
from signaling.library import jobs, recordings
from signaling.library.storage import NotTheSame, WrongOffset


@call(api, "POST", "/recorders", "A recorder says it is there", "recorder", schemas.Register)
def register_recorder() -> Any:
    wish = body(schemas.Register)
    recorder()
    with server().transaction() as tx:
        who, token = rooms.add(server(), tx, None, wish.name, "recorder", "recorder", wish.capacity)
        recordings.work_for(tx, who["id"])
    server().unsettled = True
    return {"participant": who, "token": token, "wait_s": server().settings.wait_s, "after": 0}, 201


@call(api, "POST", "/recordings/<recording>/claim", "Take a recording that waits", "recorder", schemas.Claim)
def claim_recording(recording: str) -> Any:
    wish = body(schemas.Claim)
    recorder()
    with server().transaction() as tx:
        return recordings.claim(server(), tx, recording, wish.recorder)


@call(api, "POST", "/recordings/<recording>/decline", "A recorder cannot take it now", "recorder", schemas.Decline)
def decline_recording(recording: str) -> Any:
    wish = body(schemas.Decline)
    recorder()
    with server().transaction() as tx:
        recordings.decline(tx, recording, wish.why)
    return {}


@call(api, "POST", "/recordings/<recording>/report", "The recorder's heartbeat", "recorder", schemas.Report)
def report(recording: str) -> Any:
    news = body(schemas.Report)
    recorder()
    live = news.model_dump(include={"tracks", "alarms", "disk_hours"}, exclude_none=True)
    with server().transaction() as tx:
        return recordings.report(server(), tx, recording, news.segment, news.state, live, leaving=news.leaving)


@call(api, "POST", "/recordings/<recording>/end", "The recorder is done", "recorder", schemas.End)
def end_recording(recording: str) -> Any:
    news = body(schemas.End)
    recorder()
    with server().transaction() as tx:
        return recordings.end(server(), tx, recording, news.segment, news.reason, news.duration_ms)


@call(api, "GET", "/recordings/<recording>", "One recording", "recorder")
def show_recording(recording: str) -> Any:
    recorder()
    with server().reading() as connection:
        found = recordings.of_id(connection, recording)
        found["consent"] = consent.ledgers(connection, [recording]).get(recording, [])
    return with_links(found)


@call(api, "GET", "/recordings/<recording>/uploads/<path:name>", "How much of an upload is here", "recorder")
def show_upload(recording: str, name: str) -> Any:
    recorder()
    with server().reading() as connection:
        recordings.find(connection, recording)
    return {"received": server().storage.received(recording, name)}


@call(api, "POST", "/recordings/<recording>/uploads/<path:name>", "One piece of an upload, as it is", "recorder")
def upload(recording: str, name: str) -> Any:
    recorder()
    limit = server().settings.max_piece_bytes
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        raise errors.too_large(limit, "A piece")
    with server().reading() as connection:
        recordings.find(connection, recording)
    offset = calls.whole("offset", 0, 2**53)
    try:
        return {"received": server().storage.append(recording, name, offset, request.stream, limit)}
    except WrongOffset as error:
        detail = f"{error.received} bytes are here: go on there."
        raise errors.Problem(409, "wrong-offset", "Not the next piece", detail, received=error.received) from None


@call(
    api,
    "POST",
    "/recordings/<recording>/artifacts",
    "A finished upload becomes a file to download",
    "recorder",
    schemas.File,
)
def publish(recording: str) -> Any:
    wish = body(schemas.File)
    recorder()
    file = wish.model_dump()
    with server().reading() as connection:
        recordings.find(connection, recording)
        known = recordings.published(connection, recording, file)
    if known is not None and server().storage.received(recording, wish.name) == 0:
        return known, 201
    try:
        return recordings.publish(server(), recording, file), 201
    except NotTheSame as error:
        raise errors.Problem(422, "not-the-same", "The upload is not what was announced", str(error)) from None


@call(
    api,
    "POST",
    "/recordings/<recording>/jobs/<step>/claim",
    "Take a step of the pipeline",
    "recorder",
    schemas.ClaimJob,
)
def claim_job(recording: str, step: str) -> Any:
    wish = body(schemas.ClaimJob)
    recorder()
    server().unsettled = True
    with server().transaction() as tx:
        recordings.find(tx.connection, recording)
        return jobs.claim(tx, recording, step, wish.worker, server().settings.job_lease_s)


@call(api, "POST", "/recordings/<recording>/jobs/<step>", "Progress of a step, or its end", "recorder", schemas.JobNews)
def advance_job(recording: str, step: str) -> Any:
    news = body(schemas.JobNews)
    recorder()
    with server().transaction() as tx:
        recordings.find(tx.connection, recording)
        return {"next": recordings.advance(server(), tx, recording, step, news.attempt, news.model_dump(exclude={"attempt"}))}
