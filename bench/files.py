"""`make bench-files`: how fast a file goes from browser to browser, against what the same data connection can carry at all.

Two people in a call in real Chromium, no cameras. In turn, --repeats times each: the raw limit (a data channel beside, filled as
fast as it empties, with messages of the same size, thrown away as they come) and a file (read, sealed, sent, checked, written
to the page's own storage). Medians count.

--mb N        size of what is sent each time (200)
--repeats N   (3)
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.journeys.house import CHROMIUM, FLAGS, Visitor, WholeHouse

MB = 1_000_000
# Raw channels are received by this script, files by the page.
RECEIVE = """
delete globalThis.showSaveFilePicker;
const listen = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'ondatachannel');
Object.defineProperty(RTCPeerConnection.prototype, 'ondatachannel', { ...listen, set(heard) {
    listen.set.call(this, event => {
        if (event.channel.label !== 'raw') return heard.call(this, event);
        const { channel } = event;
        let [bytes, began] = [0, 0];
        channel.binaryType = 'arraybuffer';
        channel.onmessage = ({ data }) => {
            if (typeof data === 'string') return channel.send(JSON.stringify({ bytes, ms: performance.now() - began }));
            began ||= performance.now();
            bytes += data.byteLength;
        };
    });
} });
globalThis.mostHeap = 0;
setInterval(() => (mostHeap = Math.max(mostHeap, performance.memory?.usedJSHeapSize ?? 0)), 100);
"""
RAW = """async ([size, message]) => {
    const channel = letterbox.peers()[0].connection.createDataChannel('raw');
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = 1 << 20;
    await new Promise(resolve => (channel.onopen = resolve));
    const bytes = new Uint8Array(message);
    for (let sent = 0; sent < size; sent += message) {
        while (channel.bufferedAmount > 2 << 20) await new Promise(resolve => (channel.onbufferedamountlow = resolve));
        channel.send(bytes);
    }
    const answer = new Promise(resolve => (channel.onmessage = ({ data }) => resolve(JSON.parse(data))));
    channel.send('done');
    const { bytes: came, ms } = await answer;
    channel.close();
    return came / ms / 1000;
}"""
# From pressing Accept until the receiver says that it has it all, checked and written.
FILE = """name => new Promise(resolve => {
    const card = [...document.querySelectorAll('[data-testid=file-card]')].find(one => one.textContent.includes(name));
    const began = performance.now();
    new MutationObserver((_, watching) => {
        if (card.querySelector('[data-state=failed]')) throw new Error(card.textContent);
        if (!card.querySelector('[data-state=received]')) return;
        watching.disconnect();
        resolve(performance.now() - began);
    }).observe(card, { attributes: true, childList: true, subtree: true });
    card.querySelector('[data-do=accept]').click();
})"""


def raw(ana: Page, size: int) -> float:
    """MB/s of a data channel with nothing else to do."""
    return float(ana.evaluate(RAW, [size, 65536]))


def sent_file(ana: Page, ben: Page, path: Path, size: int) -> float:
    """MB/s of a file."""
    path.write_bytes(b"\xa5" * size)
    ana.set_input_files("#choose-files", str(path))
    ben.wait_for_function(
        "name => [...document.querySelectorAll('[data-testid=file-card]')].some(one => one.textContent.includes(name))",
        arg=path.name,
    )
    took_ms = float(ben.evaluate(FILE, path.name))
    path.unlink()
    return size / took_ms / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    size = options.mb * MB
    found: dict[str, list[float]] = {"raw": [], "file": []}
    with tempfile.TemporaryDirectory(prefix="letterbox-files-") as folder, sync_playwright() as playwright:
        house = WholeHouse(Path(folder) / "data")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            ana, ben = Visitor(browser, house), Visitor(browser, house)
            ben.context.add_init_script(RECEIVE)
            room = ana.makes_room("Bench")
            for one, name in ((ana, "Ana"), (ben, "Ben")):
                one.joins(room, name)
            for one in (ana, ben):
                one.is_connected_to(1)
                for key in ("m", "v"):
                    one.page.keyboard.press(key)
                one.page.click("#show-chat")
            print(f"{'':>6} {'raw MB/s':>10} {'file MB/s':>10}")
            for turn in range(options.repeats):
                found["raw"].append(raw(ana.page, size))
                found["file"].append(sent_file(ana.page, ben.page, Path(folder) / f"bench-{turn}.bin", size))
                print(f"{turn + 1:>6} {found['raw'][-1]:>10.1f} {found['file'][-1]:>10.1f}", flush=True)
            heap = float(ben.page.evaluate("() => mostHeap")) / MB
        finally:
            browser.close()
            house.stop()
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(
        json.dumps({
            "file_vs_raw": round(medians["file"] / medians["raw"], 2),
            "file_mb_per_s": round(medians["file"], 1),
            "raw_mb_per_s": round(medians["raw"], 1),
            "receiver_heap_mb": round(heap, 1),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
