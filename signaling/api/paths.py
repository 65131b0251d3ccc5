"""Finding a path: STUN and TURN servers, and trying the way to the server."""

from collections.abc import Iterator
from typing import Any

from flask import Response

from signaling import calls, clock, errors, rooms, schemas, turn
from signaling.calls import api, body, call, participant, server


@call(api, "GET", "/ice-servers", "STUN and TURN servers: new credentials in a call, short-lived ones before", "anyone")
def renew_ice_servers() -> Any:
    now_s = clock.now_ms() // 1000
    if not calls.bearer():
        server().limits.spend("checks", calls.who())
        return turn.ice(server().settings, "trial", now_s, turn.TRIAL_S)
    caller = participant()
    with server().reading() as connection:
        if not rooms.is_here(connection, caller.id):
            raise errors.participant_gone()
    return turn.ice(server().settings, caller.id, now_s)


@call(api, "POST", "/checks", "A mailbox of one's own, to try the way to the server and back", "anyone", schemas.Nothing)
def check() -> Any:
    body(schemas.Nothing)
    server().limits.spend("checks", calls.who())
    settings = server().settings
    with server().transaction() as tx:
        who, token = rooms.add(server(), tx, None, "Connection check", "check", "guest")
        now_ms = tx.now_ms
    entered = {"participant": who, "token": token, "wait_s": settings.wait_s, "after": 0, "now_ms": now_ms}
    return entered | turn.ice(settings, who["id"], now_ms // 1000, turn.TRIAL_S), 201


@call(api, "GET", "/checks/pieces", "Two pieces, half a second apart: does something keep whole answers?", "anyone")
def pieces() -> Any:
    server().limits.spend("checks", calls.who())

    def parts() -> Iterator[bytes]:
        yield b"one\n"
        clock.sleep(0.5)
        yield b"two\n"

    return Response(parts(), content_type="text/plain; charset=utf-8")
