"""The HTTP API under /api/v1 (PROTOCOL.md): each route says who may call, takes the body's shape, calls one function."""

import mimetypes
import threading
import unicodedata
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import quote

from flask import Blueprint, Response, current_app, redirect, request
from sqlalchemy import Connection, Row, select
from werkzeug.http import dump_options_header
from werkzeug.wsgi import wrap_file
from zipstream import ZipStream

from signaling import (
    auth,
    calls,
    captions,
    clock,
    consent,
    control,
    errors,
    hot,
    jobs,
    keeping,
    lobby,
    recordings,
    rooms,
    schemas,
    shares,
    turn,
    versions,
)  # fmt: skip
from signaling.calls import answer, body, call, host_of, participant, recorder, server
from signaling.models import Room
from signaling.several import Asked, SeveralPolls
from signaling.storage import NotTheSame, Storage, WrongOffset

api = Blueprint("api", __name__, url_prefix=calls.PREFIX)


# -- rooms ---------------------------------------------------------------------------------------------------------------------


@call(api, "POST", "/rooms", "Make a room", "anyone", schemas.MakeRoom)
def make_room() -> Any:
    wish = body(schemas.MakeRoom)
    server().limits.spend("rooms", calls.address())
    with server().transaction() as tx:
        room, host_key = rooms.make(tx, wish.title)
    return {"room": room, "title": wish.title, "link": f"{_our_address()}/r/{room}", "host_key": host_key}, 201


def _our_address() -> str:
    """Where people reach us, for links that they pass on; no slash at the end."""
    return server().settings.public_url.rstrip("/") or request.host_url.rstrip("/")


@call(api, "GET", "/rooms/<room>", "What a link holder may know before joining", "anyone")
def show_room(room: str) -> Any:
    with server().reading() as connection:
        title = rooms.title_of(connection, room)
        running = recordings.active(connection, room)
        return {
            "room": room, "title": title, "participants": rooms.people_in(connection, room),
            "max_participants": server().settings.max_participants, "recording": recordings.brief(running) if running else None,
            "consent": server().settings.consent,
        } | {name: rooms.settings_of(connection, room)[name] for name in ("lobby", "locked", "has_code")}  # fmt: skip


@call(api, "POST", "/rooms/<room>/close", "End the call for all", "host", schemas.Nothing)
def close_room(room: str) -> Any:
    body(schemas.Nothing)
    by = host_of(room)
    with server().transaction() as tx:
        recordings.stop_if_running(server(), tx, room, by)
        rooms.close(tx, room)
    return {}


@call(api, "POST", "/rooms/<room>/settings", "Set how the room works", "host", schemas.RoomSettings)
def change_settings(room: str) -> Any:
    wish = body(schemas.RoomSettings)
    host_of(room)
    with server().transaction() as tx:
        settings = rooms.change_settings(tx, room, lobby.hashed(wish.model_dump(exclude_unset=True)))
        if not settings["lobby"]:
            lobby.admit_all(server(), tx, room)
        return {"settings": settings}


@call(api, "POST", "/rooms/<room>/lobby", "Let somebody in who waits, or not", "host", schemas.LobbyAnswer)
def answer_lobby(room: str) -> Any:
    wish = body(schemas.LobbyAnswer)
    host_of(room)
    with server().transaction() as tx:
        lobby.answer(server(), tx, room, wish.participant, wish.answer == "admit")
    return {}


@call(api, "POST", "/rooms/<room>/participants/<person>/remove", "Put somebody out of the call", "host", schemas.Nothing)
def remove_participant(room: str, person: str) -> Any:
    body(schemas.Nothing)
    host_of(room)
    with server().transaction() as tx:
        rooms.remove(tx, room, person)
    return {}


@call(api, "POST", "/rooms/<room>/participants/<person>/ask", "Ask somebody to mute or to speak", "host", schemas.Ask)
def ask_participant(room: str, person: str) -> Any:
    wish = body(schemas.Ask)
    by = host_of(room)
    server().limits.spend("sends", f"ask {room}")
    with server().transaction() as tx:
        rooms.ask(tx, room, person, wish.what, by)
    return {}


@call(api, "POST", "/rooms/<room>/participants/<person>/role", "Make somebody a host, or a guest again", "host", schemas.Role)
def give_role(room: str, person: str) -> Any:
    wish = body(schemas.Role)
    host_of(room)
    with server().transaction() as tx:
        rooms.give_role(tx, room, person, wish.role)
        if wish.role == "host":
            lobby.tell_host(tx, room, person)
    return {}


@call(api, "POST", "/rooms/<room>/participants", "Join", "anyone", schemas.Enter)
def enter(room: str) -> Any:
    wish = body(schemas.Enter)
    if wish.kind == "recorder":
        recorder()
    else:
        server().limits.spend("joins", calls.address())
    role, is_back = _role(room, wish), False
    if role == "guest" and wish.again:
        with server().reading() as connection:
            seat = lobby.seat_of(connection, room, wish.again, clock.now_ms())
        role, is_back = seat or role, seat is not None
    if role == "guest" and not is_back:
        _at_the_door(room, wish.code)
    more = {"wait_s": server().settings.wait_s, "after": 0}
    with server().transaction() as tx:
        if role == "guest" and not is_back and rooms.settings_of(tx.connection, room)["lobby"]:
            return lobby.knock(server(), tx, room, wish.name) | more, 202
        entered = rooms.enter(server(), tx, room, wish.name, wish.kind, role)
        return entered | lobby.welcome(server(), tx, room, entered["participant"]) | more, 201


def _at_the_door(room: str, code: str | None) -> None:
    """Codes are short: who tries many is kept out for a while. Raises what lobby.check raises, and too_often."""
    guesser = f"{room} {calls.address()}"
    server().limits.check("codes", guesser)
    try:
        with server().reading() as connection:
            lobby.check(connection, room, code)
    except errors.Problem as problem:
        if problem.code == "wrong-code":
            server().limits.spend("codes", guesser)
        raise


def _role(room: str, wish: schemas.Enter) -> str:
    if wish.kind == "recorder":
        return "recorder"
    if not wish.host_key:
        return "guest"
    with server().reading() as connection:
        rooms.title_of(connection, room)
        if not auth.is_host_key(connection, room, wish.host_key):
            server().limits.spend("guesses", calls.address())
            raise errors.not_yours("This host key belongs to another room. Join without it, or use the host's own link.")
    return "host"


@call(api, "POST", "/leave", "Leave", "participant", schemas.Leave)
def leave() -> Any:
    # sendBeacon can set no header: the token may come in the body instead, whatever its content type.
    token = calls.bearer() or body(schemas.Leave).token or ""
    caller = calls.callers().find(server(), token)
    with server().transaction() as tx:
        rooms.leave(server(), tx, caller.id, "left")
    return {}


# -- finding a path --------------------------------------------------------------------------------------------------------------


@call(api, "GET", "/ice-servers", "STUN and TURN servers: new credentials in a call, short-lived ones before", "anyone")
def renew_ice_servers() -> Any:
    now_s = clock.now_ms() // 1000
    if not calls.bearer():
        server().limits.spend("checks", calls.address())
        return turn.ice(server().settings, "trial", now_s, turn.TRIAL_S)
    caller = participant()
    with server().reading() as connection:
        if not rooms.is_here(connection, caller.id):
            raise errors.participant_gone()
    return turn.ice(server().settings, caller.id, now_s)


@call(api, "POST", "/checks", "A mailbox of one's own, to try the way to the server and back", "anyone", schemas.Nothing)
def check() -> Any:
    body(schemas.Nothing)
    server().limits.spend("checks", calls.address())
    settings = server().settings
    with server().transaction() as tx:
        who, token = rooms.add(server(), tx, None, "Connection check", "check", "guest")
        now_ms = tx.now_ms
    entered = {"participant": who, "token": token, "wait_s": settings.wait_s, "after": 0, "now_ms": now_ms}
    return entered | turn.ice(settings, who["id"], now_ms // 1000, turn.TRIAL_S), 201


@call(api, "GET", "/checks/pieces", "Two pieces, half a second apart: does something keep whole answers?", "anyone")
def pieces() -> Any:
    server().limits.spend("checks", calls.address())

    def parts() -> Iterator[bytes]:
        yield b"one\n"
        clock.sleep(0.5)
        yield b"two\n"

    return Response(parts(), content_type="text/plain; charset=utf-8")


# -- the mailbox: the two calls that everything else waits for -----------------------------------------------------------------


@call(api, "POST", "/messages", "Send messages: all of them or none", "participant", schemas.Messages)
def send() -> Any:
    caller = participant()
    exchange = request.environ.get("letterbox.exchange")
    data = request.get_data(cache=False) if exchange is None else exchange.body
    posting = hot.posting(server(), caller, data)
    if exchange is not None:
        exchange.queue(posting)
        return calls.later
    with server().transaction() as tx:
        outcome = tx.post([posting])[0]
    if isinstance(outcome, errors.Problem):
        raise outcome
    return answer({"n": outcome})


class ThreadWaiter:
    """A poll that a thread of the stock worker waits behind."""

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce
        self._done = threading.Event()
        self._answer: bytes | errors.Problem = b""

    def answer(self, body: bytes) -> None:
        self._answer = body
        self._done.set()

    def refuse(self, problem: errors.Problem) -> None:
        self._answer = problem
        self._done.set()

    def wait(self) -> bytes:
        self._done.wait()
        if isinstance(self._answer, errors.Problem):
            raise self._answer
        return self._answer


@call(api, "GET", "/mailbox", "Ask for messages; held until there are any", "participant")
def poll() -> Any:
    caller = participant()
    settings = server().settings
    after, wait_s, nonce = calls.poll_arguments(settings.wait_s)
    exchange = request.environ.get("letterbox.exchange")
    if exchange is not None:
        found = exchange.park(server().mailboxes, caller.id, after, wait_s, nonce)
        return calls.later if found is None else Response(found, content_type="application/json")
    waiter = ThreadWaiter(nonce)
    found = server().mailboxes.poll(caller.id, after, wait_s, waiter)
    return Response(found if found is not None else waiter.wait(), content_type="application/json")


@call(api, "POST", "/mailboxes", "Ask several mailboxes in one request: the tabs of one browser", "anyone", schemas.Polls)
def poll_several() -> Any:
    exchange = request.environ.get("letterbox.exchange")
    wish = hot.parse(schemas.Polls, request.get_data(cache=False) if exchange is None else exchange.body)
    waiter = ThreadWaiter("") if exchange is None else exchange
    several = SeveralPolls(server().mailboxes, [_asked(one) for one in wish.polls], waiter)
    if exchange is not None:
        found = exchange.park_on_several(several, wish.wait_s)
        return calls.later if found is None else Response(found, content_type="application/json")
    found = several.poll(wish.wait_s)
    return Response(found if found is not None else waiter.wait(), content_type="application/json")


def _asked(one: schemas.OnePoll) -> Asked:
    try:
        return Asked(calls.participant(one.token).id, one.after, one.nonce)
    except errors.Problem as problem:
        return Asked("", 0, "", problem)


# -- recording: the host -------------------------------------------------------------------------------------------------------


@call(api, "POST", "/rooms/<room>/recording", "Start, stop, pause, resume, mark", "participant", schemas.RecordingAction)
def act(room: str) -> Any:
    wish = body(schemas.RecordingAction)
    by = _who_may(wish.action, room)
    with server().transaction() as tx:
        match wish.action:
            case "start":
                state = recordings.start(server(), tx, room, by)
            case "stop":
                state = recordings.stop(server(), tx, room, by)
            case "mark":
                state = recordings.mark(tx, room, by, wish.label)
            case "pause" | "resume":
                state = recordings.pause(tx, room, by, paused=wish.action == "pause")
    return {"recording": state}


def _who_may(action: str, room: str) -> str:
    """The name of who is calling: the host by key or token, or whom the room lets. Raises not_yours."""
    if calls.bearer().startswith("hk_"):
        return host_of(room)
    caller = participant()
    if caller.room != room:
        raise errors.not_yours("You are not a participant of this room.")
    with server().reading() as connection:
        control.check(action, caller, rooms.present(connection, room), rooms.settings_of(connection, room))
    return caller.name


@call(api, "POST", "/rooms/<room>/consent", "Agree to be recorded, decline, or withdraw", "participant", schemas.Consent)
def answer_consent(room: str) -> Any:
    wish = body(schemas.Consent)
    caller = participant()
    if caller.room != room or caller.kind == "recorder":
        raise errors.not_yours("You are not a participant of this room.")
    server().limits.spend("sends", caller.id)
    with server().transaction() as tx:
        return consent.answer(server(), tx, room, caller, wish.model_dump())


@call(api, "GET", "/rooms/<room>/recordings", "All recordings of a room", "host")
def list_recordings(room: str) -> Any:
    with server().reading() as connection:
        if connection.execute(select(Room.id).where(Room.id == room)).first() is None:
            raise errors.no_such_room()
    host_of(room)
    with server().reading() as connection:
        found = recordings.of_room(connection, room)
        ledgers = consent.ledgers(connection, [recording["id"] for recording in found])
        keep_days = rooms.settings_of(connection, room)["keep_days"]
    for recording in found:
        recording["consent"] = ledgers.get(recording["id"], [])
        recording["delete_at_ms"] = keeping.delete_at_ms(keep_days, recording["held"], recording["ended_at_ms"])
    return {"recordings": [_with_links(recording) for recording in found]}


def _host_of_recording(recording: str) -> str:
    """The name of the host of its room, who is calling. Raises no_such_recording, and what host_of raises."""
    with server().reading() as connection:
        room = recordings.find(connection, recording).room_id
    return host_of(room)


@call(api, "POST", "/recordings/<recording>/delete", "Delete a recording and its files", "host", schemas.Nothing)
def delete_recording(recording: str) -> Any:
    body(schemas.Nothing)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        return {"deleted": recordings.remove(server(), tx, recording, by)}


@call(api, "POST", "/recordings/<recording>/retry", "Work on a failed recording again", "host", schemas.Nothing)
def retry_recording(recording: str) -> Any:
    body(schemas.Nothing)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        recordings.retry(server(), tx, recording, by)
    return {}


@call(api, "POST", "/recordings/<recording>/hold", "Keep a recording for good, or no longer", "host", schemas.Hold)
def hold_recording(recording: str) -> Any:
    wish = body(schemas.Hold)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        return keeping.hold(tx, recording, by, wish.held)


def _links() -> auth.Links:
    found: auth.Links = current_app.extensions["letterbox_links"]
    return found


def _with_links(recording: dict[str, Any], share: str = "") -> dict[str, Any]:
    for artifact in recording["artifacts"]:
        signature = _links().sign(artifact["id"], share)
        artifact["url"] = f"{calls.PREFIX}/artifacts/{artifact['id']}/{quote(artifact['name'])}?signature={signature}"
    if any(artifact["kind"] == "track" for artifact in recording["artifacts"]):
        signature = _links().sign(recording["id"], share)
        recording["archive"] = f"{calls.PREFIX}/recordings/{recording['id']}/archive?signature={signature}"
    return recording


@call(api, "GET", "/recordings/<recording>/archive", "Everything of a recording as one ZIP, by its signed address", "anyone")
def archive(recording: str) -> Any:
    share = _links().check(recording, request.args.get("signature", ""))
    with server().reading() as connection:
        name, files = recordings.archive(connection, recording)
        _still_shared(connection, share, files)
    packed = ZipStream(sized=True)
    for row in files:
        packed.add(_chunks(server().storage, row.path), row.name, size=row.bytes)
    response = Response(iter(packed), content_type="application/zip")
    response.content_length = len(packed)
    response.headers["Content-Disposition"] = _disposition(name, "attachment")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _still_shared(connection: Connection, share: str, files: list[Row[Any]]) -> None:
    """A revoked share, or one that has ended, takes the addresses it gave out with it. Raises not_yours."""
    if share and not shares.still_opens(connection, share, files, clock.now_ms()):
        raise errors.not_yours("This link has ended, or was taken back. Ask who sent it.")


def _disposition(name: str, kind: str) -> str:
    """A Content-Disposition header (RFC 6266): kind is attachment or inline. Old clients get a name they can read."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    names = {"filename": plain} if plain == name else {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}
    return dump_options_header(kind, names)


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
    share = "" if ours else _links().check(artifact, request.args.get("signature", ""))
    with server().reading() as connection:
        row = recordings.artifact(connection, artifact)
        _still_shared(connection, share, [row])
    as_attachment = "download" in request.args
    disposition = _disposition(row.name, "attachment" if as_attachment else "inline")
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


# -- versions ------------------------------------------------------------------------------------------------------------------


@call(api, "POST", "/recordings/<recording>/versions", "Have another film made", "host", schemas.MakeVersion)
def make_version(recording: str) -> Any:
    wish = body(schemas.MakeVersion)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        versions.ask(server(), tx, recording, by, wish.model_dump())
        found = recordings.of_id(tx.connection, recording)
    return _with_links(found), 202


@call(api, "POST", "/recordings/<recording>/versions/<int:version>/delete", "Delete a film", "host", schemas.Nothing)
def delete_version(recording: str, version: int) -> Any:
    body(schemas.Nothing)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        versions.remove(server(), tx, recording, version, by)
    return {}


@call(api, "POST", "/recordings/<recording>/people/remove", "Take a person out of a recording", "host", schemas.RemovePeople)
def remove_people(recording: str) -> Any:
    wish = body(schemas.RemovePeople)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        return {"deleted": versions.remove_people(server(), tx, recording, set(wish.people), by)}, 202


# -- captions ------------------------------------------------------------------------------------------------------------------


@call(api, "POST", "/recordings/<recording>/captions", "Bring captions for a recording", "host", schemas.Captions)
def bring_captions(recording: str) -> Any:
    wish = body(schemas.Captions)
    by = _host_of_recording(recording)
    recordings.publish(server(), recording, captions.receive(server(), recording, wish.text, wish.language))
    with server().transaction() as tx:
        recordings.note(tx, recording, "captions", by, {"language": wish.language})
        found = recordings.of_id(tx.connection, recording)
    return _with_links(found), 201


# -- sharing -------------------------------------------------------------------------------------------------------------------


@call(api, "POST", "/recordings/<recording>/shares", "Make a link that opens a recording", "host", schemas.MakeShare)
def make_share(recording: str) -> Any:
    wish = body(schemas.MakeShare)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        share, secret = shares.make(tx, recording, by, wish.model_dump())
    return share | {"url": f"{_our_address()}/s/{share['id']}#{secret}"}, 201


@call(api, "GET", "/recordings/<recording>/shares", "The links to a recording", "host")
def list_shares(recording: str) -> Any:
    _host_of_recording(recording)
    with server().reading() as connection:
        return {"shares": shares.of_recording(connection, recording)}


@call(api, "POST", "/recordings/<recording>/shares/<share>/revoke", "Take a link back", "host", schemas.Nothing)
def revoke_share(recording: str, share: str) -> Any:
    body(schemas.Nothing)
    by = _host_of_recording(recording)
    with server().transaction() as tx:
        shares.revoke(tx, recording, share, by)
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
            server().limits.spend("guesses", calls.address())
        raise
    with server().transaction() as tx:
        shares.count_opening(tx, share)
    # What is only its host's to know.
    found |= {"live": {}, "consent": []}
    del found["room"]
    if not row.downloads:
        found["artifacts"] = [artifact for artifact in found["artifacts"] if artifact["kind"] in shares.TO_WATCH]
    return {"recording": _with_links(found, row.id), "downloads": bool(row.downloads)}


# -- recording: the recorder and its workers -----------------------------------------------------------------------------------


@call(api, "POST", "/recorders", "A recorder says it is there", "recorder", schemas.Register)
def register_recorder() -> Any:
    wish = body(schemas.Register)
    recorder()
    with server().transaction() as tx:
        who, token = rooms.add(server(), tx, None, wish.name, "recorder", "recorder")
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
    return _with_links(found)


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


@call(api, "GET", "/openapi.json", "This document", "anyone")
def openapi() -> Any:
    return calls.openapi()


mimetypes.add_type("text/javascript", ".js")
