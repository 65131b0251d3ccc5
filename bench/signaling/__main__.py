"""`make bench-signaling`: measure Letterbox, socket.io and the floor in turn, print a table and a line of JSON.

--quick             a look of a minute or two instead of the whole measurement
--repeats N         how often each system is measured; the systems take turns
--only PART,…       latency, throughput, storm, parked, sql, cross
--database WHICH    sqlite, postgresql or both
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable

from bench.signaling import parts
from bench.signaling.parts import Knobs, Results
from bench.signaling.report import Report
from bench.signaling.servers import SERVER_CORE
from bench.signaling.systems import POSTGRESQL, SQLITE, System, chosen

PARTS = ("latency", "throughput", "storm", "parked", "sql", "cross")
# Files a process needs besides one per participant.
SPARE_FILES = 1_000
FULL = Knobs(repeats=5, parked_repeats=3, steady_s=10, full_s=5, idle_s=25, parked=(1_000, 5_000, 10_000))
QUICK = Knobs(repeats=1, parked_repeats=1, steady_s=3, full_s=2, idle_s=5, parked=(1_000,))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.signaling", description="The mailbox against socket.io.")
    parser.add_argument("--quick", action="store_true", help="one short round, 1,000 parked")
    parser.add_argument("--repeats", type=int, help="rounds of messages (5; quick: 1)")
    parser.add_argument("--parked-repeats", type=int, help="rounds of parking (3; quick: 1)")
    parser.add_argument("--parked", help="how many to park, e.g. 1000,10000")
    parser.add_argument("--only", default=",".join(PARTS), help=f"comma separated, of: {', '.join(PARTS)}")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    found = parser.parse_args()
    unknown = set(found.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    return found


def knobs_of(wish: argparse.Namespace, files: int) -> Knobs:
    base = QUICK if wish.quick else FULL
    counts = tuple(int(count) for count in wish.parked.split(",")) if wish.parked else base.parked
    for count in counts:
        if count + SPARE_FILES > files:
            print(f"Parking {count:,} is left out: only {files:,} files may be open here (RLIMIT_NOFILE).")
    return Knobs(
        repeats=wish.repeats or base.repeats,
        parked_repeats=wish.parked_repeats or base.parked_repeats,
        steady_s=base.steady_s,
        full_s=base.full_s,
        idle_s=base.idle_s,
        parked=tuple(count for count in counts if count + SPARE_FILES <= files),
    )


def open_files() -> int:
    """As many files as may be open, for us and for the servers we start."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def take_a_core() -> str:
    """The generator on any core but the servers'."""
    others = os.sched_getaffinity(0) - {SERVER_CORE}
    if not others:
        return "server and generator share one core: read ratios only"
    os.sched_setaffinity(0, others)
    return f"server on core {SERVER_CORE}, generator on the other{'s' if len(others) > 1 else ''}"


def attempt(what: str, system: System, measure: Callable[[], None]) -> None:
    """One measurement; when it fails it says so and the others go on."""
    began_s = time.monotonic()
    print(f"{what}: {system.name} … ", end="", flush=True)
    try:
        measure()
    except Exception as error:
        print(f"failed: {error}", flush=True)
    else:
        print(f"{time.monotonic() - began_s:.0f} s", flush=True)


def measure(wish: argparse.Namespace, knobs: Knobs) -> Results:
    """Everything that was asked for, the systems taking turns."""
    which, systems, results = frozenset(wish.only.split(",")), chosen(wish.database), Results()
    ours = [system for system in systems if system.name in (SQLITE, POSTGRESQL)]
    for turn in range(knobs.repeats):
        for system in systems:
            if which & {"latency", "throughput", "storm"}:
                attempt(f"messages {turn + 1}/{knobs.repeats}", system, lambda s=system: parts.messages(s, which, knobs, results))
        for system in ours:
            if "cross" in which:
                attempt("two workers", system, lambda s=system: parts.cross_worker(s, knobs, results))
                if system.name == POSTGRESQL:
                    attempt("two nodes", system, lambda s=system: parts.cross_node(s, knobs, results))
    for turn in range(knobs.parked_repeats):
        for system in systems:
            if "parked" in which and system.relays:
                attempt(f"parked {turn + 1}/{knobs.parked_repeats}", system, lambda s=system: parts.parked(s, knobs, results))
    for system in ours:
        if "sql" in which:
            attempt("SQL while idle", system, lambda s=system: parts.sql_while_idle(s, knobs, results))
    return results


def main() -> int:
    wish = arguments()
    files = open_files()
    knobs = knobs_of(wish, files)
    print(f"{take_a_core()}; {files:,} files may be open; {knobs.repeats} repeats, medians", flush=True)
    began_s = time.monotonic()
    report = Report(measure(wish, knobs), knobs.parked)
    print(f"\n{report.table()}\n")
    print(report.json_line(repeats=knobs.repeats, parked_repeats=knobs.parked_repeats, seconds=round(time.monotonic() - began_s)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
