"""While it is recorded: start and stop, and who agrees."""

from typing import Any

from signaling import calls, consent, control, errors, rooms, schemas
from signaling.calls import api, body, call, host_of, participant, server
from signaling.library import recordings


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
        calls.noted(tx, f"recording-{wish.action}", by, room, state["id"])
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
    server().bursts.sends.spend(caller.id)
    with server().transaction() as tx:
        return consent.answer(server(), tx, room, caller, wish.model_dump())
