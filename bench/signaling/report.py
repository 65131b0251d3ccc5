"""The table for people, and the line of JSON for programs: medians over the repeats, ratios of medians."""

import json
import math
import statistics
from collections.abc import Iterable, Sequence

from bench.signaling.parts import Results
from bench.signaling.systems import FLOOR, POLLING, POSTGRESQL, SQLITE, WEBSOCKET

NAMES = (SQLITE, POSTGRESQL, POLLING, WEBSOCKET, FLOOR)


class Report:
    """What was measured, looked at."""

    def __init__(self, results: Results, parked: Sequence[int]) -> None:
        self._results, self._parked = results, parked

    def median(self, system: str, name: str) -> float | None:
        values = [value for value in self._results.values.get((system, name), []) if not math.isnan(value)]
        return statistics.median(values) if values else None

    def ratio(self, name: str, system: str = SQLITE, to: str = POLLING) -> float | None:
        ours, theirs = self.median(system, name), self.median(to, name)
        return round(ours / theirs, 3) if ours is not None and theirs else None

    def table(self) -> str:
        """All systems, one a row, in three tables narrow enough for a terminal."""
        titles = ["", "msg/s", "CPU ms/msg", "p50 ms", "p95 ms", "p99 ms", "storm s", "generator %"]
        columns = ("per_s", "cpu_ms", "p50_ms", "p95_ms", "p99_ms", "storm_s", "generator")
        rows = [[name, *(self._shown(name, column) for column in columns)] for name in self._there(columns)]
        text = _aligned([titles, *rows])
        parked = [f"{what}_{count}" for count in self._parked for what in ("kib", "rss_kib", "idle")]
        titles = ["parked", *(f"{count:,} {what}" for count in self._parked for what in ("PSS KiB", "RSS KiB", "idle %"))]
        rows = [[name, *(self._shown(name, column) for column in parked)] for name in self._there(parked)]
        if rows:
            text += "\n\n" + _aligned([titles, *rows])
        titles = ["messages", "sent", "lost", "repeated", "out of order", "faults"]
        verdicts = self._results.verdicts
        rows = [
            [name, *(f"{n:,}" for n in (v.sent, v.lost, v.repeated, v.out_of_order, v.faults))]
            for name, v in sorted(verdicts.items())
        ]
        return text + "\n\n" + _aligned([titles, *rows])

    def _there(self, columns: Iterable[str]) -> list[str]:
        columns = list(columns)
        return [name for name in NAMES if any(self.median(name, column) is not None for column in columns)]

    def _shown(self, system: str, name: str) -> str:
        value = self.median(system, name)
        if value is None:
            return "–"
        if name == "generator":
            return f"{value * 100:.0f}"
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    def numbers(self) -> dict[str, object]:
        """What the bars are held against; null where this run did not measure it. Times in ms, memory in KiB (PSS)."""
        ours = [self._results.verdicts[name] for name in (SQLITE, POSTGRESQL) if name in self._results.verdicts]
        same, cross = self.median(SQLITE, "same_worker_p95_ms"), self.median(SQLITE, "cross_worker_p95_ms")
        pg_same, pg_cross = self.median(POSTGRESQL, "same_node_p95_ms"), self.median(POSTGRESQL, "cross_node_p95_ms")
        ok = self._results.values.get((POSTGRESQL, "ok_at_1000"))
        return {
            "cpu_vs_socketio_polling": self.ratio("cpu_ms"),
            "throughput_vs_socketio_polling": self.ratio("per_s"),
            "p50_vs_socketio_polling": self.ratio("p50_ms"),
            "p99_vs_socketio_polling": self.ratio("p99_ms"),
            "kib_per_parked_10000": self._round(SQLITE, "kib_10000"),
            "idle_cpu_percent_10000": self._round(SQLITE, "idle_10000"),
            "storm_vs_socketio_polling": self.ratio("storm_s"),
            "lost": sum(verdict.lost for verdict in ours),
            "repeated": sum(verdict.repeated for verdict in ours),
            "out_of_order": sum(verdict.out_of_order for verdict in ours),
            "faults": sum(verdict.faults for verdict in ours),
            "sql_while_idle": self._round(SQLITE, "sql_while_idle"),
            "pg_sql_while_idle": self._round(POSTGRESQL, "sql_while_idle"),
            "cross_worker_p95_extra_ms": _less(cross, same),
            "pg_cross_node_p95_extra_ms": _less(pg_cross, pg_same),
            "pg_cpu_vs_sqlite": self.ratio("cpu_ms", POSTGRESQL, SQLITE),
            "pg_p95_ms_at_200": self._round(POSTGRESQL, "p95_ms"),
            "pg_p95_ms_at_1000": self._round(POSTGRESQL, "p95_ms_at_1000"),
            "pg_ok_at_1000": all(ok) if ok else None,
            "systems": self._systems(),
        }

    def _systems(self) -> dict[str, dict[str, float | None]]:
        found: dict[str, dict[str, float | None]] = {}
        for system, name in self._results.values:
            found.setdefault(system, {})[name] = self._round(system, name)
        return found

    def _round(self, system: str, name: str) -> float | None:
        value = self.median(system, name)
        return None if value is None else round(value, 3)

    def json_line(self, **more: object) -> str:
        return json.dumps(self.numbers() | more)


def _less(value: float | None, by: float | None) -> float | None:
    return None if value is None or by is None else round(value - by, 3)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)
