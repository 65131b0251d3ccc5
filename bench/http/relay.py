"""What the server pays for calls over plain HTTP: two people a call, each sending pictures and sound, every POST waiting for the
other's."""

import asyncio
import itertools
import json
import statistics
import struct
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from bench.signaling import servers

BATCH_S, FPS, PACKET_BYTES = 0.02, 20, 80
IN_FLIGHT, WAIT_MS = 3, 2000
MICROPHONE, CAMERA = 0, 1
# Until everybody has joined and the first batches have gone both ways, seconds.
WARM_UP_S = 2.0


@dataclass
class Figures:
    """Of one run. late_ms: from handing a batch to the socket to having the other's chunks of it."""

    calls: int
    cpu_percent: float
    requests_per_s: float
    kbit: float
    late_ms: list[float]
    missing: int
    kib_per_track: float


@dataclass
class Person:
    """One end of a call. sent: n of the microphone's packets → when they were sent, seconds."""

    token: str
    id: str
    sent: dict[int, float] = field(default_factory=dict)
    got: set[int] = field(default_factory=set)
    late_ms: list[float] = field(default_factory=list)
    peer: "Person | None" = None
    after: dict[int, int] = field(default_factory=lambda: {MICROPHONE: 0, CAMERA: 0})
    here: dict[int, set[int]] = field(default_factory=lambda: {MICROPHONE: set(), CAMERA: set()})
    requests: int = 0
    received_bytes: int = 0


def join_all(port: int, calls: int) -> list[Person]:
    """People in pairs, each pair in a room."""

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            return dict(json.load(answer))

    people: list[Person] = []
    for _ in range(calls):
        room = post("/rooms", {})["room"]
        joined = [post(f"/rooms/{room}/participants", {"name": name}) for name in ("Ana", "Ben")]
        pair = [Person(one["token"], one["participant"]["id"]) for one in joined]
        pair[0].peer, pair[1].peer = pair[1], pair[0]
        people += pair
    return people


class Browser:
    """What a page does: a batch every 20 ms, three requests at once, the answers' chunks counted."""

    def __init__(self, port: int, person: Person, kbit: int) -> None:
        self._port, self._person = port, person
        self._picture = b"\0" * int((kbit * 125 - PACKET_BYTES * 50) / FPS)
        self._n = {MICROPHONE: 0, CAMERA: 0}
        self._nonces = itertools.count(1)
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, until_s: float) -> None:
        for _ in range(IN_FLIGHT + 1):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))
        began_s, batch = time.monotonic(), 0
        while time.monotonic() < until_s:
            await asyncio.sleep(max(0.0, began_s + batch * BATCH_S - time.monotonic()))
            batch += 1
            connection = await self._free.get()
            task = asyncio.create_task(self._exchange(connection, self._batch(batch)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.gather(*self._tasks)

    def _batch(self, batch: int) -> bytes:
        records = [self._record(MICROPHONE, 3, b"\0" * PACKET_BYTES)]
        if int(batch * BATCH_S * FPS) > int((batch - 1) * BATCH_S * FPS):
            records.append(self._record(CAMERA, 1 if self._n[CAMERA] % 200 == 0 else 0, self._picture))
        return b"".join(records)

    def _record(self, stream: int, flags: int, sealed: bytes) -> bytes:
        self._n[stream] += 1
        if stream == MICROPHONE:
            self._person.sent[self._n[stream]] = time.monotonic()
        return struct.pack(">BBBII", 1, stream, flags, self._n[stream], len(sealed)) + sealed

    async def _exchange(self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], body: bytes) -> None:
        reader, writer = connection
        person = self._person
        assert person.peer is not None
        want = ",".join(f"{person.peer.id}.{stream}.{after}" for stream, after in person.after.items())
        writer.write(
            f"POST /api/v1/chunks?nonce={next(self._nonces)}&wait_ms={WAIT_MS}&want={want} HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {person.token}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        self._take(await reader.readexactly(length))
        person.requests += 1
        self._free.put_nowait(connection)

    def _take(self, body: bytes) -> None:
        person, now_s = self._person, time.monotonic()
        assert person.peer is not None
        person.received_bytes += len(body)
        at = 5 + struct.unpack_from(">I", body, 1)[0]
        while at < len(body):
            at += 2 + body[at + 1]
            stream, _, n, length = struct.unpack_from(">BBII", body, at)
            at += 10 + length
            person.here[stream].add(n)
            while person.after[stream] + 1 in person.here[stream]:
                person.after[stream] += 1
            if stream == MICROPHONE and n not in person.got:
                person.got.add(n)
                person.late_ms.append((now_s - person.peer.sent[n]) * 1000)
        # Sound that came before us is not ours.
        first = min(person.here[MICROPHONE], default=0)
        person.after[MICROPHONE] = max(person.after[MICROPHONE], first)


async def measure(server: servers.Server, calls: int, kbit: int, seconds: float) -> Figures:
    people = await asyncio.to_thread(join_all, server.port, calls)
    empty_kib = server.pss_kib()
    until_s = time.monotonic() + WARM_UP_S + seconds
    running = [asyncio.create_task(Browser(server.port, person, kbit).run(until_s)) for person in people]
    await asyncio.sleep(WARM_UP_S)
    cpu_s, began_s = server.cpu_s(), time.monotonic()
    requests, received = sum(person.requests for person in people), sum(person.received_bytes for person in people)
    for person in people:
        person.late_ms.clear()
    await asyncio.sleep(seconds - 0.5)
    took_s = time.monotonic() - began_s
    cpu_s, full_kib = server.cpu_s() - cpu_s, server.pss_kib()
    requests = sum(person.requests for person in people) - requests
    received = sum(person.received_bytes for person in people) - received
    await asyncio.gather(*running)
    missing = sum(
        len(range(min(one.here[s]), max(one.here[s]) + 1)) - len(one.here[s]) for one in people for s in (MICROPHONE, CAMERA)
    )
    return Figures(
        calls=calls, cpu_percent=100 * cpu_s / took_s, requests_per_s=requests / took_s,
        kbit=received * 8 / 1000 / took_s / len(people), late_ms=[late for one in people for late in one.late_ms],
        missing=missing,
        kib_per_track=(full_kib - empty_kib) / (2 * len(people)),
    )  # fmt: skip


def run(calls: int, kbit: int, seconds: float) -> dict[str, Any]:
    """Print what was measured; the figures for the last line."""
    with servers.folder() as data, servers.letterbox(data) as server:
        idle_s = server.cpu_s()
        time.sleep(2)
        idle_percent = 50 * (server.cpu_s() - idle_s)
        found = asyncio.run(measure(server, calls, kbit, seconds))
    per_call = (found.cpu_percent - idle_percent) / calls
    late = statistics.quantiles(found.late_ms, n=100)
    print(f"{calls} calls of two, {kbit} kbit/s from each, batches of {BATCH_S * 1000:.0f} ms, {IN_FLIGHT} requests at once each")
    print(f"  server CPU a call       {per_call:6.1f} % of a core (at most 6)")
    print(f"  requests a call         {found.requests_per_s / calls:6.1f} a second")
    print(f"  received by each        {found.kbit:6.0f} kbit/s")
    print(f"  through the server      {late[49]:6.1f} ms p50, {late[94]:.1f} ms p95")
    print(f"  memory a track          {found.kib_per_track / 1024:6.2f} MB (at most 4)")
    print(f"  chunks missing          {found.missing:6d}")
    return {
        "server_cpu_percent_per_call": round(per_call, 2), "requests_per_s_per_call": round(found.requests_per_s / calls, 1),
        "relay_p50_ms": round(late[49], 1), "relay_p95_ms": round(late[94], 1),
        "mb_per_track": round(found.kib_per_track / 1024, 3), "chunks_missing": found.missing,
    }  # fmt: skip
