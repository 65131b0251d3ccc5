"""Rooms: making, setting, entering and leaving them, and what a host may do with who is there."""

from typing import Any

from signaling import calls, clock, errors, lobby, rooms, schemas
from signaling.calls import api, body, call, host_of, our_address, recorder, server
from signaling.library import keeping, recordings


@call(api, "POST", "/rooms", "Make a room", "anyone", schemas.MakeRoom)
def make_room() -> Any:
    wish = body(schemas.MakeRoom)
    by = calls.may_make_rooms()
    server().limits.spend("rooms", calls.who())
    with server().transaction() as tx:
        room, host_key = rooms.make(tx, wish.title)
        calls.noted(tx, "room-made", by, room)
    return {"room": room, "title": wish.title, "link": f"{our_address()}/r/{room}", "host_key": host_key}, 201


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
        calls.noted(tx, "room-closed", by, room)
    return {}


@call(api, "POST", "/rooms/<room>/host-key", "Make a new host key; the old one ends", "host", schemas.HostKey)
def change_host_key(room: str) -> Any:
    wish = body(schemas.HostKey)
    by = host_of(room)
    with server().transaction() as tx:
        host_key, until_ms = rooms.change_host_key(tx, room, wish.expires_in_s)
        calls.noted(tx, "host-key-changed", by, room)
    return {"host_key": host_key, "expires_at_ms": until_ms}


@call(api, "POST", "/rooms/<room>/settings", "Set how the room works", "host", schemas.RoomSettings)
def change_settings(room: str) -> Any:
    wish = body(schemas.RoomSettings)
    host_of(room)
    with server().transaction() as tx:
        settings = rooms.change_settings(tx, room, lobby.hashed(wish.model_dump(exclude_unset=True)))
        if "keep_days" in wish.model_fields_set:
            keeping.keep_for(tx, room, settings["keep_days"])
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
    by = host_of(room)
    with server().transaction() as tx:
        rooms.remove(tx, room, person)
        calls.noted(tx, "person-removed", by, room, person)
    return {}


@call(api, "POST", "/rooms/<room>/participants/<person>/ask", "Ask somebody to mute or to speak", "host", schemas.Ask)
def ask_participant(room: str, person: str) -> Any:
    wish = body(schemas.Ask)
    by = host_of(room)
    server().bursts.sends.spend(f"ask {room}")
    with server().transaction() as tx:
        rooms.ask(tx, room, person, wish.what, by)
    return {}


@call(api, "POST", "/rooms/<room>/participants/<person>/role", "Make somebody a host, or a guest again", "host", schemas.Role)
def give_role(room: str, person: str) -> Any:
    wish = body(schemas.Role)
    by = host_of(room)
    with server().transaction() as tx:
        rooms.give_role(tx, room, person, wish.role)
        calls.noted(tx, f"made-{wish.role}", by, room, person)
        if wish.role == "host":
            lobby.tell_host(tx, room, person)
    return {}


@call(api, "POST", "/rooms/<room>/participants", "Join", "anyone", schemas.Enter)
def enter(room: str) -> Any:
    wish = body(schemas.Enter)
    if wish.kind == "recorder":
        recorder()
    else:
        server().limits.spend("joins", calls.who())
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
    """Codes are short: who tries many is kept out for a while, and where many try, all who do.

    Raises what lobby.check raises, and too_often.
    """
    guesser = f"{room} {calls.who()}"
    if code:
        server().limits.check("codes", guesser)
        server().limits.check("room_codes", room[:64])
    try:
        with server().reading() as connection:
            lobby.check(connection, room, code)
    except errors.Problem as problem:
        if problem.code == "wrong-code":
            server().limits.spend("codes", guesser)
            server().limits.spend("room_codes", room[:64])
        raise


def _role(room: str, wish: schemas.Enter) -> str:
    if wish.kind == "recorder":
        return "recorder"
    if not wish.host_key:
        return "guest"
    with server().reading() as connection:
        rooms.title_of(connection, room)
    if not calls.is_host_key(room, wish.host_key):
        raise errors.not_yours("This host key is not, or no longer, this room's. Join without it, or use the host's own link.")
    return "host"


@call(api, "POST", "/leave", "Leave", "participant", schemas.Leave)
def leave() -> Any:
    # sendBeacon can set no header: the token may come in the body instead, whatever its content type.
    token = calls.bearer() or body(schemas.Leave).token or ""
    caller = calls.callers().find(server(), token)
    with server().transaction() as tx:
        rooms.leave(server(), tx, caller.id, "left")
    return {}
