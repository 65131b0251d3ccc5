"""`make bench-recorder`: what recording costs beside aiortc's MediaRecorder, how many fit on a core, how exact the times are.

--quick       a look of a minute or two: one round, short
--soak        two hours in virtual time only: memory, and a clock that is off
--seconds N   how long each round is measured (20; quick: 8)
--repeats N   rounds of ours and theirs, in turn; the median counts (3; quick: 1)
--people N    senders at once on one core (20)
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page

from bench.recorder import flash, processes, soak
from bench.recorder.browser import chromium, connect, page_with

# What is left of the start, with its handshake and its ramp, when measuring begins.
SETTLED_S = 5.0
RAMP_S = 3.0


class Cost(NamedTuple):
    """One round. cpu: seconds a second."""

    cpu: float
    pictures: float
    mbit: float
    megabytes: float
    written: int


def live(page: Page, kind: str, folder: Path, name: str, seconds: float) -> tuple[Cost, dict[str, float]]:
    """One sender, measured once it has settled; and what it sent in the first three seconds."""
    with processes.receiver(kind, folder) as receiver:
        began_s = time.monotonic()
        connect(page, receiver, name)
        ramp = _ramp(page, name, began_s)
        page.wait_for_timeout(max(0.0, began_s + SETTLED_S - time.monotonic()) * 1000)
        before, sent_before = receiver.ask({"mark": 1}), sent(page, name)
        page.wait_for_timeout(seconds * 1000)
        after, sent_after = receiver.ask({"mark": 1}), sent(page, name)
        receiver.ask({"stop": 1})
        receiver.process.wait(30)
    page.evaluate("name => connections[name].close()", name)
    lasted_s = after["at_s"] - before["at_s"]
    pictures, octets = (sent_after[what] - sent_before[what] for what in ("frames", "bytes"))
    written = sum(path.stat().st_size for path in folder.rglob("*.webm"))
    cpu = (after["cpu_s"] - before["cpu_s"]) / lasted_s
    return Cost(cpu, pictures / lasted_s, octets * 8e-6 / lasted_s, after["mb"], written), ramp


def sent(page: Page, name: str) -> dict[str, Any]:
    return dict(page.evaluate("name => figures(name)", name))


def _ramp(page: Page, name: str, began_s: float) -> dict[str, float]:
    """Rate in the third second after the answer."""
    page.wait_for_timeout(max(0.0, began_s + RAMP_S - 1 - time.monotonic()) * 1000)
    at_s, before = time.monotonic(), sent(page, name)
    page.wait_for_timeout(1000)
    lasted_s, after = time.monotonic() - at_s, sent(page, name)
    return {
        "pictures": (after["frames"] - before["frames"]) / lasted_s,
        "mbit": (after["bytes"] - before["bytes"]) * 8e-6 / lasted_s,
    }


class Crowd(NamedTuple):
    people: int
    cpu_each: float
    megabytes: float
    sent: int
    written: int


def crowd(capture: Path, folder: Path, people: int, seconds: float) -> Crowd:
    """Many senders at one recorder on one core; every frame sent is counted against every frame written."""
    with processes.receiver("ours", folder, core=0) as receiver, processes.senders(capture, core=1) as senders:
        for number in range(people):
            name = f"p{number}"
            offer = senders.ask({"offer": name})["offer"]
            senders.ask({"answer": receiver.ask({"offer": offer, "id": name})["answer"], "id": name})
        senders.ask({"begin": 1})
        time.sleep(2)
        before = receiver.ask({"mark": 1})
        time.sleep(seconds)
        after = receiver.ask({"mark": 1})
        frames = sum(sum(one.values()) for one in senders.ask({"stop": 1})["sent"].values())
        time.sleep(1)  # what is under way
        written = sum(receiver.ask({"stop": 1})["frames"].values())
    cpu = (after["cpu_s"] - before["cpu_s"]) / (after["at_s"] - before["at_s"])
    return Crowd(people, cpu / people, after["mb"], frames, written)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.recorder", description="The recorder against aiortc's own.")
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--soak", action="store_true", help="two hours in virtual time, and nothing else")
    parser.add_argument("--seconds", type=float, help="length of each round (20; quick: 8)")
    parser.add_argument("--repeats", type=int, help="rounds (3; quick: 1)")
    parser.add_argument("--people", type=int, default=20, help="senders at once on one core (20)")
    return parser.parse_args()


def main() -> None:
    wish = arguments()
    if wish.soak:
        soaked = soak.run(2.0)
        print(json.dumps({"soak_mb": [round(one, 1) for one in soaked.megabytes], "soak_error_ms": round(soaked.error_ms, 2)}))
        return
    seconds, repeats = wish.seconds or (8 if wish.quick else 20), wish.repeats or (1 if wish.quick else 3)
    ours, theirs, ramps = [], [], []
    with tempfile.TemporaryDirectory(prefix="letterbox-bench-") as temporary, chromium() as browser:
        folder = Path(temporary)
        page = page_with(browser, "camera.js")
        for number in range(repeats):
            cost, ramp = live(page, "ours", folder / f"ours{number}", f"ours{number}", seconds)
            ours.append(cost)
            ramps.append(ramp)
            theirs.append(live(page, "mediarecorder", folder / f"theirs{number}", f"theirs{number}", seconds)[0])
        live(page, "capture", folder / "capture", "capture", 6)
        page.context.close()
        many = crowd(folder / "capture" / "capture", folder / "many", wish.people, seconds)
        offsets = flash.measure(browser, folder / "flash", 12 if wish.quick else 40)
    soaked = soak.run(0.25 if wish.quick else 2.0)
    report(ours, theirs, ramps, many, offsets, soaked)


def report(
    ours: list[Cost],
    theirs: list[Cost],
    ramps: list[dict[str, float]],
    many: Crowd,
    offsets: "flash.Offsets",
    soaked: soak.Soaked,
) -> None:
    middle = statistics.median
    print("One Chromium, 1280×720 at 30, VP8 and Opus; medians of the rounds.")
    print(f"{'recorder':<28}{'CPU-s a second':>16}{'pictures/s sent':>18}{'Mbit/s sent':>14}{'memory MB':>12}{'written MB':>12}")
    for name, costs in (("ours", ours), ("aiortc MediaRecorder, webm", theirs)):
        cells = [middle(one[at] for one in costs) for at in range(5)]
        print(f"{name:<28}{cells[0]:>16.4f}{cells[1]:>18.1f}{cells[2]:>14.2f}{cells[3]:>12.0f}{cells[4] / 1e6:>12.1f}")
    print(f"Third second after joining: {middle(one['pictures'] for one in ramps):.1f} pictures a second, "
          f"{middle(one['mbit'] for one in ramps):.2f} Mbit/s.")  # fmt: skip
    print(f"{many.people} senders at once on one core: {many.cpu_each:.4f} CPU-s a second each, {many.megabytes:.0f} MB; "
          f"{many.sent} frames sent, {many.written} written.")  # fmt: skip
    print(f"Flash and beep, {offsets.events} times, the worst of start, middle and end: sound against picture "
          f"{offsets.av_ms:.1f} ms, one person against another {offsets.people_ms:.1f} ms.")  # fmt: skip
    cpu = middle(one.cpu for one in ours)
    print(json.dumps({
        "cpu_vs_mediarecorder": round(cpu / middle(one.cpu for one in theirs), 4),
        "participants_per_core": int(0.9 / many.cpu_each) if many.written >= many.sent else 0,
        "participants_at_once_without_loss": many.people if many.written >= many.sent else 0,
        "cpu_s_per_s": round(cpu, 4), "cpu_s_per_s_each_of_many": round(many.cpu_each, 4),
        "memory_mb": round(middle(one.megabytes for one in ours), 1), "memory_mb_many": round(many.megabytes, 1),
        "ramp_pictures_per_s": round(middle(one["pictures"] for one in ramps), 1),
        "ramp_mbit_per_s": round(middle(one["mbit"] for one in ramps), 2),
        "av_offset_ms": round(offsets.av_ms, 2), "people_offset_ms": round(offsets.people_ms, 2),
        "soak_hours": soaked.hours, "soak_mb_growth": round(soaked.megabytes[-1] - soaked.megabytes[1], 2),
        "soak_error_ms": round(soaked.error_ms, 2),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
