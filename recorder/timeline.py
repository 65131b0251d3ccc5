"""From each sender's RTP clock to one wall clock. Pure arithmetic over sender reports (RFC 3550 section 6.4.1).

A report names one moment on two of the sender's clocks: RTP ticks and its own wall time (NTP). The second is shared by all tracks
of one participant, which puts picture and sound together exactly; it differs from ours by an offset that is the same for all of
them. No report comes early, so the offset lies just below all of them: the quickest show it, each late by what its path takes
at the least, which is half of the quickest round trip.

Clocks drift, and not evenly: they are corrected while they run. So both are followed in pieces of some minutes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

# One straight piece.
PIECE_US = 300_000_000
# In a piece much shorter than this the reports say less of the drift than "there is hardly any" does.
SHORT_US = 60_000_000
# A sender's clock that seems to run faster or slower than this is a mistake of measurement.
MOST_DRIFT = 0.002
# A first frame comes this late at most; reports that say otherwise are wrong (a clock that was set, or a sender that lies).
MOST_CORRECTION_US = 5_000_000
# Reports that are kept as they are, and those of which, further back, the quickest of each period is kept.
RECENT_US = 300_000_000
PERIODS_US = (30_000_000, 60_000_000, 120_000_000)
MOST_REPORTS = 800
# Bends that are nearer to each other are one: of two numbers that large the difference says nothing any more.
APART_US = 1_000


class Report(NamedTuple):
    """timestamp: unwrapped RTP ticks; ntp_us: the sender's wall time; arrival_us: ours. Unix microseconds."""

    timestamp: int
    ntp_us: int
    arrival_us: int


def thin(reports: list[Report]) -> list[Report]:
    """As many as hours need: all of the last minutes, before that the quickest of each half minute, or more seldom if need be."""
    if not reports:
        return []
    recent_us = reports[-1].arrival_us - RECENT_US
    recent = [report for report in reports if report.arrival_us >= recent_us][-MOST_REPORTS // 2 :]
    for period_us in PERIODS_US:
        quickest: dict[int, Report] = {}
        for report in reports:
            period = report.arrival_us // period_us
            if report.arrival_us < recent_us and (period not in quickest or _late(report) < _late(quickest[period])):
                quickest[period] = report
        if len(quickest) <= MOST_REPORTS // 2:
            break
    return [*quickest.values()][-MOST_REPORTS // 2 :] + recent


def _late(report: Report) -> int:
    return report.arrival_us - report.ntp_us


@dataclass(frozen=True)
class Curve:
    """Straight pieces through `knots` (x rising, y), going on beyond them with the slopes at the ends."""

    knots: tuple[tuple[float, float], ...]
    slopes: tuple[float, float]

    def __call__(self, x: float) -> float:
        first, last = self.knots[0], self.knots[-1]
        if x <= first[0]:
            return first[1] + self.slopes[0] * (x - first[0])
        if x >= last[0]:
            return last[1] + self.slopes[1] * (x - last[0])
        at = bisect_right(self.knots, x, key=lambda knot: knot[0])
        (left, low), (right, high) = self.knots[at - 1], self.knots[at]
        return low + (high - low) * (x - left) / (right - left)

    def earlier(self, by: float) -> "Curve":
        """The same, by so much less."""
        return Curve(tuple((x, y - by) for x, y in self.knots), self.slopes)


class Line(NamedTuple):
    """Through (x, y)."""

    x: float
    y: float
    slope: float

    def __call__(self, x: float) -> float:
        return self.y + self.slope * (x - self.x)


Points = Sequence[tuple[float, float]]


def through(points: Points, slope: float) -> Line:
    """The line of least squares through the points; with `slope` when they say too little about theirs."""
    origin_x, origin_y = points[0]
    xs, ys = [x - origin_x for x, _ in points], [y - origin_y for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if len(points) >= 3 and spread > 0:
        found = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
        if abs(found - slope) <= MOST_DRIFT * max(abs(slope), 1.0):
            slope = found
    return Line(origin_x + mean_x, origin_y + mean_y, slope)


def below(points: Points) -> Line:
    """The line that lies below all points, and as near to them as one can: an edge of their convex hull (Moon, Skelly, Towsley:
    Estimation and removal of clock skew from network delay measurements, 1999). The shorter the time, the flatter."""
    hull: list[tuple[float, float]] = []
    for point in sorted(points):
        while len(hull) >= 2 and _turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    mean_x = points[0][0] + sum(x - points[0][0] for x, _ in points) / len(points)
    slope = next(((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(hull) if a[0] <= mean_x <= b[0] and b[0] > a[0]), 0.0)
    span = hull[-1][0] - hull[0][0]
    slope = slope * span**2 / (span**2 + SHORT_US**2) if abs(slope) <= MOST_DRIFT else 0.0
    return Line(mean_x, min(y - slope * (x - mean_x) for x, y in points), slope)


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _pieces(points: Points, length: float) -> list[Points]:
    """Runs of points of about `length` each; none is much shorter, and none has fewer than three points."""
    points = sorted(points)
    count = max(1, round((points[-1][0] - points[0][0]) / length))
    begin, step = points[0][0], (points[-1][0] - points[0][0]) / count
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if step and len(pieces[-1]) >= 3 and point[0] > begin + step * len(pieces):
            pieces.append([])
        pieces[-1].append(point)
    if len(pieces) > 1 and len(pieces[-1]) < 3:
        last = pieces.pop()
        pieces[-1] += last
    return list(pieces)


def _joined(pieces: Sequence[Points], lines: Sequence[Line]) -> Curve:
    """A curve that is each line's in the middle of its piece."""
    middles = [(piece[0][0] + piece[-1][0]) / 2 for piece in pieces]
    knots = {x: line(x) for x, line in zip(middles, lines, strict=True)}
    return Curve(tuple(sorted(knots.items())), (lines[0].slope, lines[-1].slope))


def offset_to_us(reports: Iterable[Report], path_us: float = 0.0) -> Curve | None:
    """The sender's wall time → microseconds to add for ours, from the reports of all tracks of one participant.

    path_us: how long a packet takes at the least, where that is known.
    """
    points = [(float(report.ntp_us), float(_late(report)) - path_us) for report in reports]
    if not points:
        return None
    pieces = _pieces(points, PIECE_US)
    return _joined(pieces, [below(piece) for piece in pieces])


def ticks_to_wall(track: Sequence[Report], offset: Curve | None, clock_hz: int, first: tuple[int, int]) -> Curve:
    """RTP ticks → our wall time in microseconds.

    first: (timestamp, arrival_us) of the first frame, all there is without reports (a call of under two seconds).
    """
    nominal = 1e6 / clock_hz
    plain = Curve(((first[0], first[1]),), (nominal, nominal))
    if not track or offset is None:
        return plain
    pieces = _pieces([(float(report.timestamp), float(report.ntp_us)) for report in track], PIECE_US / nominal)
    sender = _joined(pieces, [through(piece, nominal) for piece in pieces])
    # Bends of both: between two neighbours the sum is straight.
    inside = [x for x, _ in sender.knots]
    bends = _apart(sorted({*inside, *(_inverse(sender, ntp_us) for ntp_us, _ in offset.knots)}), APART_US / nominal)
    knots = tuple((x, sender(x) + offset(sender(x))) for x in bends)
    slopes = [sender.slopes[at] * (1 + offset.slopes[at]) for at in (0, 1)]
    wall = Curve(knots, (slopes[0], slopes[1]))
    rising = all(
        abs((high - low) / (right - left) / nominal - 1) <= 2 * MOST_DRIFT for (left, low), (right, high) in pairwise(knots)
    )
    return wall if rising and abs(wall(first[0]) - first[1]) <= MOST_CORRECTION_US else plain


def _apart(rising: Sequence[float], least: float) -> list[float]:
    """Without those that follow another too closely."""
    found = list(rising[:1])
    for x in rising[1:]:
        if x - found[-1] >= least:
            found.append(x)
    return found


def errors_us(track: Sequence[Report], offset: Curve | None, wall: Curve) -> list[int] | None:
    """By how much `wall` lies beside what the reports say at the start, in the middle and at the end; None without reports."""
    if offset is None or len(track) < 3:
        return None
    beside = [wall(report.timestamp) - report.ntp_us - offset(report.ntp_us) for report in track]
    third = len(beside) // 3
    return [round(median(part)) for part in (beside[:third], beside[third : len(beside) - third], beside[-third:])]


def _inverse(curve: Curve, y: float) -> float:
    """Where a rising curve is y."""
    knots = curve.knots
    if y <= knots[0][1]:
        return knots[0][0] + (y - knots[0][1]) / curve.slopes[0]
    for (left, low), (right, high) in pairwise(knots):
        if low <= y <= high and high > low:
            return left + (right - left) * (y - low) / (high - low)
    return knots[-1][0] + (y - knots[-1][1]) / curve.slopes[1]
