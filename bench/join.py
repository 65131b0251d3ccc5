"""`make bench-join`: from pressing Join to the first picture of the other, in an open network and in each that blocks something.

Needs root (network namespaces), coturn and squid, as tests/networks does, whose lab it uses.

--repeats N   joins in each network; the median counts (5)
--only NAME   one network and the open one
"""

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.networks import lab as wires
from tests.networks import parts
from tests.networks.test_networks import NETWORKS, Call, Network

# From the press to the first frame shown of anybody else's video (HTMLVideoElement.requestVideoFrameCallback).
STOPWATCH = """() => {
    globalThis.firstFrame = new Promise(resolve => {
        let pressed = 0;
        document.querySelector('[data-testid=join]').addEventListener('click', () => (pressed = performance.now()), true);
        new MutationObserver(() => {
            for (const video of document.querySelectorAll('.tile:not(.mine) video:not([data-watched])')) {
                video.dataset.watched = 'yes';
                video.requestVideoFrameCallback(now => resolve(performance.now() - pressed));
            }
        }).observe(document.body, { childList: true, subtree: true });
    });
}"""


def joins(two: Call, repeats: int) -> list[float]:
    """Milliseconds of each of Ben's joins; Ana is there already."""
    two.ana.joins(two.ana.makes_room("Bench"), "Ana")
    room = two.ana.page.url.removeprefix(two.house.url)
    found = []
    for _ in range(repeats + 1):
        page = two.ben.page
        page.goto(two.house.url + room)
        page.fill("[data-testid=name-input]", "Ben")
        # Ready, as a person is who has looked at the preview.
        page.wait_for_function("() => document.querySelector('#preview').srcObject")
        page.evaluate(STOPWATCH)
        page.click("[data-testid=join]")
        found.append(float(page.evaluate("() => globalThis.firstFrame")))
        page.click("[data-testid=leave]")
        two.ana.page.wait_for_function("() => letterbox.peers().length === 0")
    return found[1:]


def measure(lab: wires.Lab, houses: dict[bool, parts.LabHouse], chromium: object, network: Network, repeats: int) -> list[float]:
    with ExitStack() as stack:
        return joins(Call(lab, chromium, network, houses[network.with_turn], stack), repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    why_not = wires.missing()
    if why_not:
        raise SystemExit(why_not)
    chosen = [one for one in NETWORKS if one.name == "open" or options.only in one.name]
    medians: dict[str, float] = {}
    print(f"{'network':<46} {'median ms':>10} {'least':>7} {'most':>7} {'ratio':>6}")
    with tempfile.TemporaryDirectory(prefix="letterbox-lab-") as folder, sync_playwright() as playwright:
        Path(folder).chmod(0o755)
        lab = wires.Lab(Path(folder))
        houses = {}
        try:
            parts.make_certificates(lab.folder)
            parts.Turn(lab)
            houses = {with_turn: parts.LabHouse(lab, with_turn) for with_turn in {one.with_turn for one in chosen}}
            for network in chosen:
                found = measure(lab, houses, playwright.chromium, network, options.repeats)
                median = medians[network.name] = statistics.median(found)
                ratio = median / medians["open"]
                print(f"{network.name:<46} {median:>10.0f} {min(found):>7.0f} {max(found):>7.0f} {ratio:>6.2f}", flush=True)
        finally:
            for house in houses.values():
                house.stop()
            lab.close()
    print(json.dumps({"join_to_first_picture_ms": {name: round(value) for name, value in medians.items()}}))


if __name__ == "__main__":
    main()
