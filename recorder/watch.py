"""What the host should know while it records: who is not heard, who is not seen, what is lost, how long the disk lasts.

Pure. Somebody who has switched off camera or microphone is no cause for alarm, and nobody is one while the recording is paused.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

# With a report every two seconds the host knows within five, milliseconds.
QUIET_MS = 3000
LOSS_PERCENT = 3
LOW_HOURS = 1.0
# Finalising writes every track once more, and the machine needs some air itself.
SPARE_BYTES = 200 << 20
# From here on sound alone goes on: an hour of it needs less than a minute of picture.
SOUND_ONLY_BYTES = 3 * SPARE_BYTES

KINDS = {"microphone": "silent", "camera": "no-picture", "screen": "no-picture"}


def alarms(
    tracks: Sequence[Mapping[str, Any]], states: Mapping[str, Mapping[str, Any]], now_ms: int, paused: bool
) -> list[dict[str, Any]]:
    """[{participant, source, kind, since_ms | percent}]. tracks: as Tracks.health; states: what each has said is on."""
    if paused:
        return []
    found = []
    for track in tracks:
        who, source = track["participant"], track["source"]
        is_on = states.get(who, {}).get(source, True)
        if source in KINDS and is_on and track["frame_age_ms"] >= QUIET_MS:
            found.append(_alarm(who, source, KINDS[source], since_ms=now_ms - track["frame_age_ms"]))
        elif track["lost_percent"] >= LOSS_PERCENT:
            found.append(_alarm(who, source, "loss", percent=track["lost_percent"]))
    return found


def _alarm(participant: str, source: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"participant": participant, "source": source, "kind": kind} | more


def room_on_disk(free_bytes: int, written_bytes: int) -> Literal["enough", "sound only", "none"]:
    """written_bytes: of this recording; as much again is needed to finalise it."""
    left = free_bytes - written_bytes
    return "none" if left < SPARE_BYTES else "sound only" if left < SOUND_ONLY_BYTES else "enough"


def hours_left(free_bytes: int, written_bytes: int, bytes_per_s: float) -> float | None:
    """For how long the disk lasts at this rate, hours; each byte is needed twice. None while nothing is written."""
    if bytes_per_s <= 0:
        return None
    return max(0.0, round((free_bytes - written_bytes - SPARE_BYTES) / (2 * bytes_per_s) / 3600, 1))
