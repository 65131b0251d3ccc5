"""From each sender's RTP clock to one wall clock. Pure arithmetic over sender reports (RFC 3550 section 6.4.1).

A report names one moment on two of the sender's clocks: RTP ticks and its own wall time (NTP). The second is shared by all tracks
of one participant, which puts picture and sound together exactly; it differs from ours by an offset that is the same for all of
them, and that the quickest report shows best: its arrival is late by the least.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Reports of one minute are one point of the offset's line: the quickest among many.
WINDOW_US = 60_000_000
# A sender's clock that seems to run faster or slower than this is a mistake of measurement.
MOST_DRIFT = 0.002
# A first frame comes this late at most; reports that say otherwise are wrong (a clock that was set, or a sender that lies).
MOST_CORRECTION_US = 5_000_000


@dataclass(frozen=True)
class Line:
    """y = at + slope × (x - origin)."""

    origin: float
    at: float
    slope: float

    def __call__(self, x: float) -> float:
        return self.at + self.slope * (x - self.origin)


@dataclass(frozen=True)
class Report:
    """timestamp: unwrapped RTP ticks; ntp_us: the sender's wall time; arrival_us: ours. Unix microseconds."""

    timestamp: int
    ntp_us: int
    arrival_us: int


def fit(points: Sequence[tuple[float, float]], slope: float) -> Line:
    """The line of least squares through the points; with `slope` when they say too little about theirs."""
    origin = points[0][0]
    xs = [x - origin for x, _ in points]
    ys = [y - points[0][1] for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if len(points) >= 3 and spread > 0:
        found = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
        if abs(found - slope) <= MOST_DRIFT * max(abs(slope), 1.0):
            slope = found
    return Line(origin, points[0][1] + mean_y - slope * mean_x, slope)


def offset_to_us(reports: Iterable[Report]) -> Line | None:
    """The sender's wall time → microseconds to add for ours, from the reports of all tracks of one participant."""
    quickest: dict[int, tuple[float, float]] = {}
    for report in reports:
        window, late = report.ntp_us // WINDOW_US, report.arrival_us - report.ntp_us
        if window not in quickest or late < quickest[window][1]:
            quickest[window] = (report.ntp_us, late)
    if not quickest:
        return None
    points = sorted(quickest.values())
    if len(points) < 5:
        return Line(points[0][0], min(late for _, late in points), 0.0)
    return fit(points, 0.0)


def ticks_to_wall(track: Sequence[Report], offset: Line | None, clock_hz: int, first: tuple[int, int]) -> Line:
    """RTP ticks → our wall time in microseconds.

    first: (timestamp, arrival_us) of the first frame, all there is without reports (a call of under two seconds).
    """
    nominal = 1e6 / clock_hz
    if not track or offset is None:
        return Line(first[0], first[1], nominal)
    line = fit([(report.timestamp, report.ntp_us) for report in track], nominal)
    # Two lines, one after the other: the slopes' product is a line again.
    wall = Line(line.origin, line.at + offset(line.at), line.slope * (1 + offset.slope))
    return wall if abs(wall(first[0]) - first[1]) <= MOST_CORRECTION_US else Line(first[0], first[1], nominal)
