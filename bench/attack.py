"""`make bench-attack`: many connections that say nothing or stop in the middle of a request, and what two people notice of them.

    python -m bench.attack [--connections 10000]

A real server with its defaults. Half of the connections say nothing, a quarter stop in the head of a request, a quarter in its
body; when the server closes one, another is opened. Meanwhile two people write to each other, and others make rooms.
"""

import argparse
import contextlib
import json
import resource
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import app as front_door
from signaling.config import Settings
from tests.people import Gunicorn, Person

HEAD = b"POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\n"
HALVES = (b"", b"", HEAD + b"X-Slow: ", HEAD + b"Content-Length: 900\r\n\r\n{")
ROUNDS = 200
# Above what it is without them; the machine may be busy besides.
MOST_MS = 1000.0


class Strangers:
    """Opens connections, and opens them again."""

    def __init__(self, port: int, wanted: int) -> None:
        self._port, self._wanted = port, wanted
        self.open: list[socket.socket] = []
        self.opened = 0
        self._stop = threading.Event()

    def fill(self) -> None:
        while len(self.open) < self._wanted and not self._stop.is_set():
            try:
                one = socket.create_connection(("127.0.0.1", self._port), timeout=10)
                one.sendall(HALVES[self.opened % len(HALVES)])
            except OSError:
                continue
            one.setblocking(False)
            self.open.append(one)
            self.opened += 1

    def again(self) -> None:
        while not self._stop.wait(1.0):
            kept = []
            for one in self.open:
                try:
                    closed = one.recv(4096) == b""
                except BlockingIOError:
                    closed = False
                except OSError:
                    closed = True
                if closed:
                    one.close()
                else:
                    kept.append(one)
            self.open = kept
            self.fill()

    def stop(self) -> None:
        self._stop.set()
        for one in self.open:
            one.close()


def milliseconds(what: Callable[[], object], rounds: int) -> dict[str, float]:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        what()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return {"p50": statistics.median(times), "p99": times[int(len(times) * 0.99) - 1]}


def measure(server: Gunicorn, alice: Person, bob: Person) -> dict[str, dict[str, float]]:
    def message() -> None:
        assert alice.say(bob).status == 200
        assert bob.hear(5)

    def look() -> None:
        assert server.get("rooms/none").status == 404

    return {"message and its poll": milliseconds(message, ROUNDS), "any other call": milliseconds(look, ROUNDS)}


def main() -> None:
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--connections", type=int, default=10_000)
    count = wanted.parse_args().connections
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(count, most - 500)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        # The two write as fast as they can, and everybody has one address here.
        often = dict.fromkeys(("calls_per_address", "sends_per_participant"), "100000/second")
        settings = Settings(data_dir=Path(folder), recorder_key="rk_bench", secret_key="bench", **often)
        front_door.migrate(settings)
        server = Gunicorn(settings)
        stack.callback(server.close)
        server.start()
        room, key = server.room()
        alice, bob = server.join(room, "Alice", key), server.join(room, "Bob")
        bob.hear()
        before = measure(server, alice, bob)
        strangers = Strangers(server.port, count)
        stack.callback(strangers.stop)
        strangers.fill()
        threading.Thread(target=strangers.again, daemon=True).start()
        during = measure(server, alice, bob)
        print(f"\n{'ms':24}{'alone':>18}{f'with {count:,} strangers':>28}")
        for name in before:
            shown = [f"{one[name]['p50']:.1f} / {one[name]['p99']:.1f}" for one in (before, during)]
            print(f"{name:24}{shown[0]:>18}{shown[1]:>28}")
        joined = server.join(room, "Cleo").joined.status
        worst = max(one["p99"] for one in during.values())
        print(json.dumps({"connections": count, "opened": strangers.opened, "joined": joined, "p99_ms": round(worst, 1)}))
        assert joined == 201
        assert worst < MOST_MS, f"p99 {worst:.0f} ms"


if __name__ == "__main__":
    main()
