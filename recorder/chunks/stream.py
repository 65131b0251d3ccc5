"""One stream over HTTP: chunks in any order, some twice, some never; frames in order, for the same files as what comes by RTP.

Time is of no matter here, holes are: each is waited for until it is surely lost.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from recorder.chunks import wire
from recorder.chunks.order import Order
from recorder.chunks.wire import Chunk, Inside
from recorder.rtp.frames import Frame
from recorder.rtp.intake import KEY_AGAIN_MS, KEY_EVERY_MS
from recorder.timeline import MOST_REPORTS, Report, thin

log = logging.getLogger(__name__)

# The server keeps pictures for 3 s: what has not come by then, or its key, never will.
HOLE_MS = 3_500
# A picture that is missing costs all until the next key frame: that is asked for soon, and waited for no longer than it takes.
PICTURE_MS, SOON_MS = 1_500, 400
# A sender whose clock jumps by more than this against its wall clock began anew.
LEAP_US = 10_000_000
REPORT_US = 1_000_000
# Raises ValueError for what cannot be read, None: not yet.
Unseal = Callable[[int, int, int, bytes], bytes | None]


class HttpIntake:
    """Looks to `Tracks` as rtp.Intake does."""

    clock_hz = 1_000_000

    def __init__(self, stream: int, unseal: Unseal) -> None:
        self._unseal = unseal
        self._is_video = wire.SOURCES[stream] in ("camera", "screen")
        self._order = Order(1000 * (PICTURE_MS if self._is_video else HOLE_MS))
        self._lost_now = 0
        self._wants_key = self._is_video
        self._asked_ms = self._key_ms = 0
        self._has_begun = False
        self.lost = self.last_frame_ms = 0

    @property
    def after(self) -> int:
        """Up to which n everything came or was given up."""
        return self._order.after

    def needs_key(self) -> None:
        """Nothing is of use until a key frame comes."""
        self._wants_key = self._is_video

    def wants_key(self, now_ms: int) -> bool:
        """Whether to ask for a key frame now; asking counts."""
        if not self._is_video:
            return False
        is_stuck = self._wants_key or self._order.held_us(now_ms * 1000) > SOON_MS * 1000
        due_ms = KEY_AGAIN_MS if is_stuck else KEY_EVERY_MS
        if abs(now_ms - max(self._asked_ms, 0 if is_stuck else self._key_ms)) < due_ms:
            return False
        self._asked_ms = now_ms
        return True

    def skip(self, n: int) -> None:
        """The server says: what has not come up to here never will."""
        self._order.skip(n)

    def add(self, chunk: Chunk, arrival_us: int) -> None:
        self._order.add(chunk, arrival_us)

    def take(self, now_us: int, to_the_end: bool = False) -> list[tuple[Frame, Inside]]:
        """What can be handed on now, in order. to_the_end: no hole is waited for any more."""
        found = []
        for missing, inside, arrival_us in self._order.take(now_us, self._open, to_the_end):
            is_kept = inside is not None and inside.codec is not None
            self._miss(missing + (0 if is_kept else 1))
            if inside is not None and (frame := self._frame(inside, arrival_us)) is not None:
                found.append((frame, inside))
        return found

    def _open(self, chunk: Chunk) -> Inside | None:
        """None: without its key. What cannot be read, or kept in a file, is as good as lost, and not waited for."""
        try:
            plain = self._unseal(chunk.stream, chunk.flags, chunk.n, chunk.sealed)
            return wire.inside(plain) if plain is not None else None
        except ValueError as error:
            log.debug("participant=%s stream=%d n=%d cannot be read: %s", chunk.sender, chunk.stream, chunk.n, error)
            return Inside(None, False, 0, 0, None, b"")

    def _miss(self, chunks: int) -> None:
        if chunks:
            self.needs_key()
        if self._has_begun:
            self.lost += chunks
            self._lost_now += chunks

    def _frame(self, inside: Inside, arrival_us: int) -> Frame | None:
        if inside.codec is None or not inside.payload or (self._is_video != (inside.codec != "opus")):
            self.needs_key()
            return None
        if self._wants_key and not inside.is_key:
            return None
        self._wants_key, self._has_begun, self.last_frame_ms = False, True, arrival_us // 1000
        if inside.is_key:
            self._key_ms = self.last_frame_ms
        lost, self._lost_now = self._lost_now, 0
        return Frame(
            inside.codec, inside.timestamp_us, inside.payload, inside.is_key, self.last_frame_ms, lost,
            inside.size if inside.is_key and self._is_video else None,
        )  # fmt: skip


@dataclass(eq=False)
class HttpStream:
    """What `Tracks` makes one file of: one source, one codec, one run of the sender's clock."""

    road: ClassVar[str] = "http"
    intake: HttpIntake
    codec: str
    ahead_us: int
    clock: list[Report] = field(default_factory=list)

    def suits(self, frame: Frame, inside: Inside) -> bool:
        """Whether this frame belongs to the same run."""
        return frame.codec == self.codec and abs(inside.wall_us - inside.timestamp_us - self.ahead_us) < LEAP_US

    def shown_us(self, inside: Inside) -> int:
        """When this was captured, by our clock: late by no more than the quickest chunk took."""
        return inside.wall_us + min((report.arrival_us - report.ntp_us for report in self.clock), default=0)

    def note(self, inside: Inside, arrival_us: int) -> None:
        """Each chunk says one moment on two clocks, as a sender report does; of each second the quickest says most."""
        report = Report(inside.timestamp_us, inside.wall_us, arrival_us)
        if self.clock and arrival_us - self.clock[-1].arrival_us < REPORT_US:
            if arrival_us - inside.wall_us >= self.clock[-1].arrival_us - self.clock[-1].ntp_us:
                return
            self.clock.pop()
        self.clock.append(report)
        if len(self.clock) > MOST_REPORTS:
            self.clock = thin(self.clock)
