"""quality.json: how well it was recorded, before anybody watches (PROTOCOL.md, "The quality report"). Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel

from recorder.levels import PER_SECOND, Levels
from recorder.manifest import Manifest, Track, switched_off
from recorder.verify import Verified

Verdict = Literal["good", "fair", "poor"]
# Sound this far beside its picture is noticed (ITU-R BT.1359: 45 ms early, 125 ms late), milliseconds.
OFFSET_MS = 45.0
# Clocks of healthy computers.
DRIFT_PPM = 300.0
# Shorter ones are told, but harm nobody, milliseconds.
GAP_MS = 2_000
# A microphone that is on and gives nothing at all: the wrong device, or a switch on its cable.
SILENT_DB, SILENT_MS = -75.0, 30_000
LOST_SHARE = 0.005
NOTHING: Mapping[str, int] = MappingProxyType({})


class Finding(BaseModel):
    """One thing that is not as it should be. start_ms: on the timeline. value: what kind says: packets, ms, ppm."""

    kind: Literal["gap", "loss", "silent", "black", "offset", "drift", "unusable"]
    participant: str
    source: str
    start_ms: int = 0
    duration_ms: int = 0
    value: float | None = None


class Offset(BaseModel):
    """Sound against picture of one person, milliseconds; positive: the sound is late."""

    start: float
    middle: float
    end: float


class Quality(BaseModel):
    """verdict: of the whole; good when nothing was found that anybody would notice."""

    version: int = 1
    verdict: Verdict = "good"
    av_offset_ms: dict[str, Offset] = {}
    findings: list[Finding] = []


def judge(
    whole: Manifest,
    verified: Sequence[Verified],
    measured: Mapping[str, Levels],
    dark: Mapping[tuple[str, str], Sequence[tuple[int, int]]],
    spoilt: Mapping[str, int] = NOTHING,
) -> Quality:
    """whole: with the tracks that cannot be played. measured: audio file → levels. dark: (participant, source) → stretches of
    black picture, milliseconds. spoilt: file → pictures that would not decode."""
    findings = [_finding("unusable", track) for track in _unusable(whole, verified)]
    for track in whole.tracks:
        findings += _of_track(track, spoilt.get(track.file, 0))
        if track.file in measured and track.source == "microphone":
            findings += _silent(whole, track, measured[track.file])
    for (participant, source), stretches in dark.items():
        findings += [
            Finding(kind="black", participant=participant, source=source, start_ms=start, duration_ms=end - start)
            for start, end in stretches
        ]
    offsets = {person.id: found for person in whole.participants if (found := _offset(whole, person.id)) is not None}
    for participant, offset in offsets.items():
        worst = max((offset.start, offset.middle, offset.end), key=abs)
        if abs(worst) > OFFSET_MS:
            findings.append(Finding(kind="offset", participant=participant, source="camera", value=worst))
    findings.sort(key=lambda finding: (finding.start_ms, finding.kind, finding.participant))
    return Quality(verdict=_verdict(findings, whole.duration_us // 1000), av_offset_ms=offsets, findings=findings)


def _unusable(whole: Manifest, verified: Sequence[Verified]) -> list[Track]:
    broken = {found.file for found in verified if not found.usable}
    return [track for track in whole.tracks if track.file in broken]


def _finding(kind: Literal["unusable", "loss", "drift"], track: Track, value: float | None = None) -> Finding:
    return Finding(
        kind=kind, participant=track.participant, source=track.source, start_ms=track.start_us // 1000,
        duration_ms=track.duration_us // 1000, value=value,
    )  # fmt: skip


def _of_track(track: Track, spoilt: int) -> list[Finding]:
    found = [
        Finding(
            kind="gap", participant=track.participant, source=track.source,
            start_ms=(track.start_us + gap.start_us) // 1000, duration_ms=gap.duration_us // 1000,
        )
        for gap in track.gaps
        # A muted microphone, a pause and a still screen are no mistakes.
        if gap.reason not in ("muted", "paused") and track.source != "screen"
    ]  # fmt: skip
    lost = track.lost_packets + spoilt
    if lost > LOST_SHARE * max(track.frames, 1):
        found.append(_finding("loss", track, lost))
    if abs(track.drift_ppm) > DRIFT_PPM and track.duration_us > 60_000_000:
        found.append(_finding("drift", track, track.drift_ppm))
    return found


def _silent(whole: Manifest, track: Track, levels: Levels) -> list[Finding]:
    """Stretches in which a microphone that was on gave nothing."""
    step_ms = 1000 // PER_SECOND
    off = [(start // 1000, end // 1000) for start, end in switched_off(whole, track.participant, "microphone")]
    found, since = [], None
    first = track.start_us // 1000 // step_ms
    for index in range(first, len(levels.rms_db) + 1):
        at_ms = index * step_ms
        is_on = not any(start <= at_ms < end for start, end in off)
        silent = index < len(levels.rms_db) and is_on and levels.rms_db[index] < SILENT_DB
        if silent and since is None:
            since = at_ms
        elif not silent and since is not None:
            if at_ms - since >= SILENT_MS:
                found.append(
                    Finding(
                        kind="silent", participant=track.participant, source=track.source, start_ms=since,
                        duration_ms=at_ms - since,
                    )
                )  # fmt: skip
            since = None
    return found


def _offset(whole: Manifest, participant: str) -> Offset | None:
    theirs = {
        track.source: track.clock_error_us for track in whole.tracks if track.participant == participant and track.clock_error_us
    }
    picture, sound = theirs.get("camera"), theirs.get("microphone")
    if not picture or not sound:
        return None
    start, middle, end = (round((heard - seen) / 1000, 2) for heard, seen in zip(sound, picture, strict=True))
    return Offset(start=start, middle=middle, end=end)


def _verdict(findings: Sequence[Finding], length_ms: int) -> Verdict:
    """Poor: somebody is missing for a noticeable part, or out of step; fair: a part of a minute is hurt."""
    if any(finding.kind in ("unusable", "offset") for finding in findings):
        return "poor"
    hurt_ms = sum(finding.duration_ms for finding in findings if finding.kind in ("gap", "silent", "black"))
    long = any(finding.duration_ms >= GAP_MS for finding in findings if finding.kind in ("gap", "black"))
    if length_ms and hurt_ms > length_ms // 5:
        return "poor"
    return "fair" if long or any(finding.kind in ("loss", "silent", "drift") for finding in findings) else "good"
