"""The measurements, each of one system from its start to its end."""

import gc
import math
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.signaling import load, servers
from bench.signaling.letterbox import Letterbox, LetterboxPeer, sql_statements
from bench.signaling.peer import Pair
from bench.signaling.servers import Server
from bench.signaling.systems import POSTGRESQL, System
from bench.signaling.wire import HttpConnection, Loop, get

PAIRS = 500
IN_FLIGHT = 200
# Both systems' clients say something every 25 s although nothing happens: less than that is not idle for all of them.
PERIOD_S = 25.0
# What was joined or sent a moment ago is still being tidied up, seconds.
CALM_S = 3.0


@dataclass(frozen=True)
class Knobs:
    """How much of everything. steady_s, full_s, idle_s: how long; parked: how many participants."""

    repeats: int
    parked_repeats: int
    steady_s: float
    full_s: float
    idle_s: float
    parked: tuple[int, ...]


@dataclass
class Results:
    """values: (system, measurement) → one value per repeat. verdicts: system → what became of all its messages."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    verdicts: dict[str, load.Verdict] = field(default_factory=lambda: defaultdict(load.Verdict))

    def add(self, system: str, **values: float) -> None:
        for name, value in values.items():
            self.values[system, name].append(value)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@contextmanager
def under_load(system: System) -> Iterator[tuple[Server, Loop, Callable[[int], Sequence[Pair]]]]:
    """The system's server, running, and a way to more pairs in it. The collector of garbage rests meanwhile."""
    with system.started() as server:
        loop = Loop()
        source = system.source(loop, server.port)
        pairs: list[Pair] = []

        def more(count: int) -> Sequence[Pair]:
            pairs.extend(source.pairs(count))
            gc.collect()
            return pairs

        gc.disable()
        try:
            yield server, loop, more
        finally:
            for pair in pairs:
                for peer in pair:
                    peer.close()
            loop.close()
            gc.enable()


def messages(system: System, which: frozenset[str], knobs: Knobs, results: Results) -> None:
    """Latency, throughput, storm: in this order on one server."""
    if not system.relays:
        which = which & {"throughput"}
    if not which & {"latency", "throughput", "storm"}:
        return
    with under_load(system) as (server, loop, more):
        pairs = more(PAIRS)
        loop.sleep(1.0)
        if "latency" in which:
            _latency(system, loop, pairs, knobs, results)
        if "throughput" in which:
            _throughput(system, server, loop, pairs[:IN_FLIGHT], knobs, results)
        if "storm" in which:
            found = load.storm(loop, pairs)
            results.add(system.name, storm_s=found.seconds)
            results.verdicts[system.name].add(found.verdict)
        if loop.failures:
            print(f"{system.name}: {len(loop.failures)} requests failed, first {loop.failures[0]}", flush=True)


def _latency(system: System, loop: Loop, pairs: Sequence[Pair], knobs: Knobs, results: Results) -> None:
    found = load.steady(loop, pairs, 200, knobs.steady_s)
    results.verdicts[system.name].add(found.verdict)
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    results.add(system.name, **{name: percentile(found.latencies_s, share) * 1000 for name, share in shares.items()})
    if system.name == POSTGRESQL:
        harder = load.steady(loop, pairs, 1000, knobs.steady_s)
        results.verdicts[system.name].add(harder.verdict)
        results.add(system.name, ok_at_1000=harder.in_time, p95_ms_at_1000=percentile(harder.latencies_s, 0.95) * 1000)


def _throughput(system: System, server: Server, loop: Loop, pairs: Sequence[Pair], knobs: Knobs, results: Results) -> None:
    database_s = server.database_cpu_s()
    found = load.full(loop, pairs, knobs.full_s, server.cpu_s)
    results.verdicts[system.name].add(found.verdict)
    results.add(system.name, per_s=found.per_s, cpu_ms=found.cpu_ms, generator=found.generator)
    if found.verdict.sent and server.database_cpu_s():
        results.add(system.name, database_cpu_ms=(server.database_cpu_s() - database_s) / found.verdict.sent * 1000)


def parked(system: System, knobs: Knobs, results: Results) -> None:
    """Memory and CPU of participants to whom nothing happens. Memory is what the server grew by since before anybody came."""
    if not system.relays:
        return
    with under_load(system) as (server, loop, more):
        empty_pss, empty_rss = server.pss_kib(), server.rss_kib()
        for count in knobs.parked:
            pairs = more(count // 2 - len(more(0)))
            loop.sleep(CALM_S)
            results.add(system.name, **{
                f"kib_{count}": (server.pss_kib() - empty_pss) / count,
                f"rss_kib_{count}": (server.rss_kib() - empty_rss) / count,
            })  # fmt: skip
            before_s = server.cpu_s()
            loop.sleep(knobs.idle_s)
            # socket.io pings everybody at once who came at once: part of a period may hold all its pings or none.
            if knobs.idle_s >= PERIOD_S or isinstance(pairs[0][0], LetterboxPeer):
                results.add(system.name, **{f"idle_{count}": (server.cpu_s() - before_s) / knobs.idle_s * 100})
        if loop.failures:
            print(f"{system.name}: {len(loop.failures)} polls failed, first {loop.failures[0]}", flush=True)
            results.verdicts[system.name].faults += len(loop.failures)


def sql_while_idle(system: System, knobs: Knobs, results: Results) -> None:
    """SQL statements while a thousand are parked and nothing happens, over at least one full round of polls."""
    with servers.folder() as data:
        context = servers.postgresql() if system.name == POSTGRESQL else _nothing()
        with (
            context as database,
            servers.letterbox(data, database, application="bench.signaling.sql_count:create_app()") as server,
        ):
            loop = Loop()
            Letterbox(loop, server.port).pairs(PAIRS)
            loop.sleep(CALM_S)
            before = sql_statements(loop, server.port)
            loop.sleep(max(knobs.idle_s, 5.0))
            results.add(system.name, sql_while_idle=sql_statements(loop, server.port) - before)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


# -- between two processes -------------------------------------------------------------------------------------------------------

CROSS_PAIRS = 100


def cross_worker(system: System, knobs: Knobs, results: Results) -> None:
    """Latency when the sender's connection and the receiver's are in two worker processes, against one and the same."""
    with servers.folder() as data:
        context = servers.postgresql() if system.name == POSTGRESQL else _nothing()
        with context as database, servers.letterbox(data, database, workers=2) as server:
            loop = Loop()
            pairs = _letterbox_pairs(loop, server.port)
            near, far = _placed(loop, server, pairs)
            usable = [pair for turn, pair in enumerate(pairs) if turn in near and turn in far]
            chosen = [(near[turn], far[turn]) for turn in range(len(pairs)) if turn in near and turn in far]
            results.add(system.name, cross_pairs=len(usable))
            if usable:
                _compare(system, loop, usable, chosen, knobs, results, "worker")


def cross_node(system: System, knobs: Knobs, results: Results) -> None:
    """The same between two web nodes on one PostgreSQL."""
    with (
        servers.folder() as first,
        servers.folder() as second,
        servers.postgresql() as database,
        servers.letterbox(first, database) as here,
        servers.letterbox(second, database) as there,
    ):
        loop = Loop()
        pairs = _letterbox_pairs(loop, here.port)
        chosen = [(HttpConnection(loop, here.port), HttpConnection(loop, there.port)) for _ in pairs]
        _compare(system, loop, pairs, chosen, knobs, results, "node")


def _letterbox_pairs(loop: Loop, port: int) -> list[tuple[LetterboxPeer, LetterboxPeer]]:
    found = Letterbox(loop, port).pairs(CROSS_PAIRS)
    return [(a, b) for a, b in found if isinstance(a, LetterboxPeer) and isinstance(b, LetterboxPeer)]


def _compare(
    system: System,
    loop: Loop,
    pairs: Sequence[tuple[LetterboxPeer, LetterboxPeer]],
    connections: Sequence[tuple[HttpConnection, HttpConnection]],
    knobs: Knobs,
    results: Results,
    what: str,
) -> None:
    """Send over the near connections, then over the far ones."""
    p95_ms = []
    for side in (0, 1):
        for (sender, _), connection in zip(pairs, connections, strict=True):
            sender.posting = connection[side]
        found = load.steady(loop, pairs, 200, knobs.steady_s)
        results.verdicts[system.name].add(found.verdict)
        p95_ms.append(percentile(found.latencies_s, 0.95) * 1000)
    results.add(system.name, **{f"same_{what}_p95_ms": p95_ms[0], f"cross_{what}_p95_ms": p95_ms[1]})


def _placed(
    loop: Loop, server: Server, pairs: Sequence[tuple[LetterboxPeer, LetterboxPeer]]
) -> tuple[dict[int, HttpConnection], dict[int, HttpConnection]]:
    """For each pair a connection to post over in the receiver's own worker, and one in another."""
    by_worker = {pid: _accepted_by(loop, server, pid, len(pairs)) for pid in server.workers()}
    owner = owners(server)
    near: dict[int, HttpConnection] = {}
    far: dict[int, HttpConnection] = {}
    for turn, (_, receiver) in enumerate(pairs):
        home = owner[_local_port(receiver.polling)]
        for connections in by_worker.values():
            (near if owner[_local_port(connections[turn])] == home else far).setdefault(turn, connections[turn])
    return near, far


def _accepted_by(loop: Loop, server: Server, worker: int, count: int) -> list[HttpConnection]:
    """So many connections that this worker has accepted: the others sleep meanwhile. Left to themselves, one takes nearly all."""
    others = [pid for pid in server.workers() if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    answered: list[int] = []
    try:
        found = [HttpConnection(loop, server.port) for _ in range(count)]
        for connection in found:
            connection.request(get("/healthz"), lambda status, _body: answered.append(status))
        loop.run(lambda: len(answered) == count, 15, "opening connections")
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)
    return found


def _local_port(connection: HttpConnection) -> int:
    assert connection.sock is not None
    port: int = connection.sock.getsockname()[1]
    return port


def owners(server: Server) -> dict[int, int]:
    """A client's port → the worker process that has accepted its connection (proc(5), /proc/net/tcp)."""
    by_inode = {}
    for pid in server.workers():
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(fd.readlink())
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                by_inode[target[8:-1]] = pid
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local_port, remote_port = (int(address.split(":")[1], 16) for address in fields[1:3])
        if local_port == server.port and fields[9] in by_inode:
            found[remote_port] = by_inode[fields[9]]
    return found
