"""Who may start, pause, stop and mark a recording.

The host; everybody, where the room says so; and while no host is there, so that a running recording never stays without anybody
who can stop it, the person who has been there longest. That one may not start another.
"""

from typing import Any

from signaling import errors
from signaling.auth import Caller


def deputy(present: list[dict[str, Any]]) -> str | None:
    """Who stands in while no host is there. present: as rooms.present, in order of joining."""
    persons = [one for one in present if one["kind"] == "person"]
    if not persons or any(one["role"] == "host" for one in persons):
        return None
    return str(persons[0]["id"])


def check(action: str, caller: Caller, present: list[dict[str, Any]], settings: dict[str, Any]) -> None:
    """Raises not_yours, participant_gone."""
    me = next((one for one in present if one["id"] == caller.id), None)
    if me is None:
        raise errors.participant_gone()
    if me["kind"] != "person":
        raise errors.not_yours("Only a person in this room may do that.")
    if me["role"] == "host" or settings["who_may_record"] == "everyone":
        return
    if action == "start" or deputy(present) != caller.id:
        raise errors.not_yours("Only the host of this room may do that.")
