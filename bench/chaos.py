"""What survives: parts are killed at random, one after the other, during recorded calls in real browsers; then all is counted.

    make chaos MINUTES=3 SEED=1

Two web nodes behind nginx, PostgreSQL, Redis, S3, two recorders, two workers, each killed as by a power cut and brought back
after a few seconds. The same seed kills the same parts in the same order. Exit code 1 when anything was lost.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests import machines as many
from tests.conftest import Cluster
from tests.journeys.house import CHROMIUM, FLAGS
from tests.journeys.recorded import Kill, RecordedCall
from tests.people import RECORDER_KEY
from tests.witness import Witness

# How long a call is recorded, seconds; between two blows; how long a part stays away.
CALL_S = 40.0
CALM_S = (3.0, 8.0)
AWAY_S = (0.5, 5.0)
# How often each is hit: those of which there is only one less often.
TARGETS = ("web1", "web2", "recorder1", "recorder2", "worker1", "worker2") * 2 + ("redis", "nginx", "postgresql")


def blows(seed: int) -> Iterator[tuple[float, str, float]]:
    """For ever: (wait so long, kill this, bring it back after so long), seconds."""
    chance = random.Random(seed)
    while True:
        yield chance.uniform(*CALM_S), chance.choice(TARGETS), chance.uniform(*AWAY_S)


class Storm:
    """Kills, one at a time, while it is let."""

    def __init__(self, machines: many.Machines, seed: int) -> None:
        self._machines, self._blows = machines, blows(seed)
        self.kills: list[Kill] = []
        self._over = threading.Event()

    @contextmanager
    def rages(self) -> Iterator[None]:
        """At its end everything is up again."""
        self._over.clear()
        thread = threading.Thread(target=self._rage, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _rage(self) -> None:
        for calm_s, name, away_s in self._blows:
            if self._over.wait(calm_s):
                return
            print(f"  kill -9 {name}, back after {away_s:.1f} s", flush=True)
            self.kills.append((name, self._kill(name)))
            self._over.wait(away_s)
            self._start(name)

    def _kill(self, name: str) -> float:
        if name == "postgresql":
            self._machines.database.stop("immediate")
            return time.time() * 1000
        return self._machines.parts[name].kill()

    def _start(self, name: str) -> None:
        if name == "postgresql":
            self._machines.database.start()
        else:
            self._machines.parts[name].start()


def hold(browser: Browser, machines: many.Machines, storm: Storm, number: int) -> RecordedCall:
    """One recorded call in the storm. Begun and ended in a lull: what is tested is what runs."""
    call = RecordedCall(browser, machines.url, f"Call {number}", RECORDER_KEY)
    print(f"call {number}: recording {call.recording}", flush=True)
    with storm.rages():
        call.ana.page.wait_for_timeout(CALL_S * 1000)
    call.records()
    call.stops()
    return call


def outcome(calls: list[RecordedCall], interruptions: list[str], witness: Witness, storm: Storm) -> dict[str, object]:
    """All figures; prints what is not as it should be."""
    lost = witness.ends()
    kills = [kill for kill in storm.kills if kill[0].startswith("recorder")]
    losses = [loss for call in calls if (loss := call.losses(kills))]
    for complaint in (*interruptions, *witness.faults, *(line for loss in losses for line in loss)):
        print(f"✗ {complaint}")
    return {
        "killed": dict(sorted(Counter(name for name, _ in storm.kills).items())),
        "calls": len(calls), "messages": witness.said, "calls_interrupted": len(interruptions),
        "messages_lost": lost + len(witness.faults), "recordings_lost": len(losses),
    }  # fmt: skip


def run(minutes: float, seed: int, folder: Path) -> dict[str, object]:
    cluster = Cluster(folder)
    cluster.start()
    try:
        with sync_playwright() as playwright, many.running(folder / "machines", cluster) as machines:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            witness, storm = Witness(machines.url, str(machines.ca_file)), Storm(machines, seed)
            calls: list[RecordedCall] = []
            interruptions: list[str] = []
            until = time.monotonic() + minutes * 60
            while not calls or time.monotonic() < until:
                call = hold(browser, machines, storm, len(calls) + 1)
                calls.append(call)
                interruptions += [f"call {len(calls)}: {what}" for what in call.interruptions()]
                with storm.rages():
                    call.is_prepared(300)
            found = outcome(calls, interruptions, witness, storm)
            browser.close()
            return found
    finally:
        with suppress(AssertionError):
            cluster.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    asked = parser.parse_args()
    print(f"seed {asked.seed}, {asked.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="letterbox-chaos-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "machines").mkdir()
        found = run(asked.minutes, asked.seed, Path(folder))
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<20} {value}")
    print(json.dumps({"seed": asked.seed} | found))
    return 1 if any(found[name] for name in ("calls_interrupted", "messages_lost", "recordings_lost")) else 0


if __name__ == "__main__":
    sys.exit(main())
