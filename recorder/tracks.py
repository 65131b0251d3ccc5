"""The files of a running segment: each encoded frame goes to its track's file, and to a new one when a stream begins anew."""

import errno
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import av

from recorder.clock import now_us
from recorder.rtp.frames import Frame
from recorder.segment import LiveSegment, LiveTrack
from recorder.timeline import Report
from recorder.track import TrackWriter

log = logging.getLogger(__name__)
# After these the next frame will not fare better.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG}


class Intake(Protocol):
    """Where frames come from, as far as their file is concerned. lost: packets or chunks that never came."""

    clock_hz: int
    last_frame_ms: int

    @property
    def lost(self) -> int: ...

    def needs_key(self) -> None:
        """Nothing is of use until a key frame comes."""


class Stream(Protocol):
    """One run of one source on one clock: by RTP or over HTTP. clock: sender reports."""

    clock: list[Report]

    @property
    def intake(self) -> Intake: ...

    @property
    def road(self) -> str: ...


class Open(NamedTuple):
    """A track that is being written, and where its frames come from."""

    writer: TrackWriter
    track: LiveTrack
    stream: Stream


class Tracks:
    """save: called as soon as a file has begun, so that a kill -9 right after leaves no file nobody knows of.

    paused: frames are dropped; afterwards each picture goes on with a key frame. sound_only: pictures are dropped, for good.
    trouble: why nothing can be written any more, if so (the disk is full or gone).
    """

    def __init__(self, live: LiveSegment, folder: Path, save: Callable[[], None]) -> None:
        self._live, self._folder, self._save = live, folder, save
        # By the stream itself: after a new connection the same SSRC counts its time anew.
        self._open: dict[tuple[str, str, Stream], Open] = {}
        # File → bytes, frames, lost packets at the last look.
        self._before: dict[str, tuple[int, int, int]] = {}
        self._awaiting_key: set[Stream] = set()
        self._closed_bytes = 0
        self.paused = False
        self.sound_only = False
        self.trouble = ""
        (folder / "live").mkdir(parents=True, exist_ok=True)

    def take(self, participant: str, source: str, stream: Stream, frame: Frame) -> None:
        """One encoded frame of one participant's source. Never raises: it runs inside the transport."""
        if self.paused:
            self._awaiting_key.add(stream)
            return
        if self.sound_only and frame.codec != "opus":
            return
        key = (participant, source, stream)
        known = self._open.get(key)
        if known is None or stream in self._awaiting_key:
            if not frame.is_key:
                stream.intake.needs_key()
                return
            self._awaiting_key.discard(stream)
        try:
            if known is None:
                self._open[key] = self._begin(participant, source, stream, frame)
            else:
                known.writer.write(frame)
        except (OSError, av.FFmpegError) as error:
            self._failed(participant, source, stream, error)

    def _failed(self, participant: str, source: str, stream: Stream, error: OSError | av.FFmpegError) -> None:
        if error.errno in DISK_ERRORS:
            if not self.trouble:
                log.error("recording=%s nothing can be written any more: %s", self._live.recording, error)
            self.trouble = f"The recorder could not write to its disk: {error.strerror}."
        else:
            log.warning("recording=%s participant=%s %s cannot be written: %s", self._live.recording, participant, source, error)
            stream.intake.needs_key()

    def _begin(self, participant: str, source: str, stream: Stream, frame: Frame) -> Open:
        base = self._folder / "live" / f"{participant}-{source}-{len(self._live.tracks) + 1}"
        writer = TrackWriter(base, stream.intake.clock_hz, frame)
        track = LiveTrack(
            file=writer.path.name, participant=participant, source=source, kind="audio" if frame.codec == "opus" else "video",
            codec=frame.codec, clock_hz=stream.intake.clock_hz,
            first_timestamp=frame.timestamp, first_arrival_us=frame.arrival_ms * 1000,
        )  # fmt: skip
        self._live.tracks.append(track)
        self._save()
        log.info("recording=%s participant=%s %s (%s) has begun", self._live.recording, participant, source, frame.codec)
        return Open(writer, track, stream)

    def note_clocks(self) -> None:
        """Bring the sender reports into what is saved."""
        for opened in self._open.values():
            _note(opened)

    def health(self, period_s: float) -> list[dict[str, Any]]:
        """Per track that is being sent: bytes a second since the last look period_s ago, age of the last frame, packets lost in
        all, and how many percent since that look."""
        found, now_ms = [], now_us() // 1000
        for writer, track, stream in self._open.values():
            lost_in_all = stream.intake.lost
            before = self._before.get(track.file, (0, 0, lost_in_all))
            self._before[track.file] = (writer.bytes, writer.frames, lost_in_all)
            written, frames, lost = writer.bytes - before[0], writer.frames - before[1], lost_in_all - before[2]
            found.append(
                {
                    "participant": track.participant, "source": track.source, "bytes_per_s": round(written / max(period_s, 0.1)),
                    "frame_age_ms": max(0, now_ms - stream.intake.last_frame_ms), "lost": lost_in_all,
                    "frames": writer.frames, "lost_percent": round(100 * lost / (lost + frames)) if lost >= 3 else 0,
                }
            )  # fmt: skip
        return found

    @property
    def bytes(self) -> int:
        """What is on disk so far, media only."""
        return sum(opened.writer.bytes for opened in self._open.values()) + self._closed_bytes

    def end(self, participant: str, source: str | None = None, road: str = "webrtc") -> None:
        """These are sent no more on this road: their files are closed, and the host is not told that they are silent.

        source: None for all of them.
        """
        for key in [key for key in self._open if key[0] == participant and source in (None, key[1]) and key[2].road == road]:
            self._close(self._open.pop(key))

    def close(self) -> None:
        for key in list(self._open):
            self._close(self._open.pop(key))

    def _close(self, opened: Open) -> None:
        _note(opened)
        self._closed_bytes += opened.writer.bytes
        self._before.pop(opened.track.file, None)
        try:
            opened.writer.close()
        except (OSError, av.FFmpegError) as error:
            # What was flushed before is there and can be read.
            log.error("recording=%s %s could not be closed: %s", self._live.recording, opened.track.file, error)


def _note(opened: Open) -> None:
    writer, track, stream = opened
    track.clock = [(report.timestamp, report.ntp_us, report.arrival_us) for report in stream.clock]
    track.lost_packets = writer.lost
