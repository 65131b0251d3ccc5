"""Files of a recording by their signed addresses: each one, and all as one ZIP."""

import re
import unicodedata
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import quote

from flask import Response, current_app, redirect, request
from sqlalchemy import Connection, Row
from werkzeug.http import dump_options_header
from werkzeug.wsgi import wrap_file

from signaling import auth, calls, clock, errors
from signaling.calls import api, call, noted, server
from signaling.library import archives, recordings, shares
from signaling.library.storage import Storage

# What browsers show without running anything of it.
HARMLESS = re.compile(r"(video|audio)/|image/(jpeg|png|webp)$|text/(vtt|plain)$|application/json$")


def _links() -> auth.Links:
    found: auth.Links = current_app.extensions["letterbox_links"]
    return found


def with_links(recording: dict[str, Any], share: str = "", by: str = "") -> dict[str, Any]:
    for artifact in recording["artifacts"]:
        signature = _links().sign(artifact["id"], share, by)
        artifact["url"] = f"{calls.PREFIX}/artifacts/{artifact['id']}/{quote(artifact['name'])}?signature={signature}"
    if any(artifact["kind"] == "track" for artifact in recording["artifacts"]):
        signature = _links().sign(recording["id"], share, by)
        recording["archive"] = f"{calls.PREFIX}/recordings/{recording['id']}/archive?signature={signature}"
    return recording


@call(api, "GET", "/recordings/<recording>/archive", "Everything of a recording as one ZIP, by its signed address", "anyone")
def archive(recording: str) -> Any:
    share, by = _links().check(recording, request.args.get("signature", ""))
    with server().reading() as connection:
        name, files = recordings.archive(connection, recording)
        still_shared(connection, share, files)
    _note("downloaded", by, recording, name)
    packed = archives.Archive([archives.Member(row.name, row.bytes, row.created_at_ms) for row in files])
    # Opened when its turn comes: long after the request has been answered.
    contents = [_chunks(server().storage, row.path) for row in files]
    response = Response(packed.content(contents), content_type="application/zip", direct_passthrough=True)
    response.set_etag(recordings.digest_of(files))
    response.headers["Content-Disposition"] = _disposition(name, "attachment")
    response.make_conditional(request.environ, accept_ranges=True, complete_length=packed.size_bytes)
    if response.status_code == 200:
        response.content_length = packed.size_bytes
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def still_shared(connection: Connection, share: str, files: list[Row[Any]]) -> None:
    """A revoked share, or one that has ended, takes the addresses it gave out with it. Raises not_yours."""
    if share and not shares.still_opens(connection, share, files, clock.now_ms()):
        raise errors.not_yours("This link has ended, or was taken back. Ask who sent it.")


def _disposition(name: str, kind: str) -> str:
    """A Content-Disposition header (RFC 6266): kind is attachment or inline. Old clients get a name they can read."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    names = {"filename": plain} if plain == name else {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}
    return dump_options_header(kind, names)


def _note(action: str, by: str, recording: str, name: str) -> None:
    """In the audit log, once a download: players and download managers ask for many parts of one file."""
    if request.method == "GET" and request.headers.get("Range", "bytes=0-").startswith("bytes=0-"):
        with server().transaction() as tx:
            noted(tx, action, by or "host", subject=recording, file=name)


def _open(key: str) -> IO[bytes]:
    try:
        return server().storage.open(key)
    except FileNotFoundError:
        raise errors.no_such_file() from None


def _chunks(storage: Storage, key: str) -> Iterator[bytes]:
    """A file when its turn comes: long after the request has been answered."""
    with storage.open(key) as file:
        while data := file.read(1 << 18):
            yield data


@call(api, "GET", "/artifacts/<artifact>/<path:name>", "Download a file by its signed address", "anyone")
def download(artifact: str, name: str) -> Any:  # noqa: ARG001 - the name is for the person's disk; the id finds the file
    ours = auth.is_recorder_key(server(), calls.bearer())
    share, by = ("", "") if ours else _links().check(artifact, request.args.get("signature", ""))
    with server().reading() as connection:
        row = recordings.artifact(connection, artifact)
        still_shared(connection, share, [row])
    as_attachment = "download" in request.args
    if not ours and (as_attachment or row.kind in ("track", "composed")):
        _note("downloaded" if as_attachment else "watched", by, row.recording_id, row.name)
    # Whatever else was uploaded under our name is not to run in a page of ours.
    inline = not as_attachment and HARMLESS.match(row.media_type) is not None
    disposition = _disposition(row.name, "inline" if inline else "attachment")
    # What a page reads in a script comes from us; what people take along or watch may come from the storage.
    direct = not ours and (as_attachment or row.kind in ("track", "composed"))
    elsewhere = server().storage.signed_url(row.path, disposition, row.media_type) if direct else None
    if elsewhere is not None:
        response = redirect(elsewhere)
        response.headers["Cache-Control"] = "private, no-store"
        return response
    response = Response(wrap_file(request.environ, _open(row.path)), mimetype=row.media_type, direct_passthrough=True)
    response.content_length = row.bytes
    response.set_etag(row.sha256)
    response.headers["Content-Disposition"] = disposition
    response = response.make_conditional(request.environ, accept_ranges=True, complete_length=row.bytes)
    # A name is for good: the same address never shows other bytes. Private: it is one person's permission.
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
