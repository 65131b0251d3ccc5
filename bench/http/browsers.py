"""What two people at real browsers get over plain HTTP: both behind a gateway that opens TLS and keeps whole answers, so many
milliseconds from the world. Each camera's picture carries the moment it was drawn, each microphone beeps at whole seconds; the
other side reads the one in its `<video>` and hears the other in the tile's track. What the way from a microphone to the ear that
listens takes by itself is measured at the same time, and taken off.

Needs root (network namespaces), as tests/networks does, whose lab it uses.
"""

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.journeys.house import LIMIT_S, Visitor
from tests.networks import lab as wires
from tests.networks import parts
from tests.networks.test_networks import BUFFERING, Call
from tests.people import eventually

# A camera whose picture says when it was drawn: 24 bits of milliseconds and, to be sure, the lowest eight of them turned round.
# It draws in a worker: a real camera takes nothing of the page's own thread either.
CAMERA = """() => {
    const wall = () => performance.timeOrigin + performance.now();
    const draws = ({ data: writable }) => {
        const width = 640, height = 360, size = width * height, picture = new Uint8Array(size * 1.5).fill(128);
        const writer = writable.getWriter();
        const rect = (x, y, w, h, luma) => {
            for (let row = y; row < y + h; row++) picture.fill(luma, row * width + x, row * width + x + w);
        };
        setInterval(() => {
            const now = performance.timeOrigin + performance.now(), ms = Math.round(now) % 2 ** 24, code = [];
            for (let bit = 0; bit < 24; bit++) code.push((ms >> bit) & 1);
            for (let bit = 0; bit < 8; bit++) code.push(1 - ((ms >> bit) & 1));
            picture.fill(60 + Math.round(60 * Math.abs(Math.sin(ms / 3000))), 0, size);
            rect(260 + Math.round(200 * Math.sin(ms / 500)), 170, 120, 120, 220);
            code.forEach((bit, at) => rect((at % 16) * 40, Math.floor(at / 16) * 40, 40, 40, bit ? 235 : 16));
            const timestamp = Math.round(performance.now() * 1000);
            void writer.write(new VideoFrame(picture, { format: 'I420', codedWidth: width, codedHeight: height, timestamp }));
        }, 40);
    };
    navigator.mediaDevices.getUserMedia = async wanted => {
        const stream = new MediaStream();
        if (wanted.video) {
            const track = new MediaStreamTrackGenerator({ kind: 'video' });
            const worker = new Worker(URL.createObjectURL(new Blob([`onmessage = ${draws}`])));
            worker.postMessage(track.writable, [track.writable]);
            stream.addTrack(track);
        }
        if (wanted.audio) {
            const context = new AudioContext({ sampleRate: 48000 });
            const out = context.createMediaStreamDestination(), tone = context.createOscillator(), gain = context.createGain();
            tone.frequency.value = 880;
            gain.gain.value = 0;
            tone.connect(gain).connect(out);
            tone.start();
            setInterval(() => {
                const now = wall(), next = Math.ceil(now / 1000) * 1000;
                if (next - now > 200) return;
                const at = context.currentTime + (next - now) / 1000;
                gain.gain.setValueAtTime(0.5, at);
                gain.gain.setValueAtTime(0, at + 0.1);
            }, 200);
            stream.addTrack(globalThis.microphone = out.stream.getAudioTracks()[0]);
        }
        return stream;
    };
}"""
# Milliseconds each picture took, by when it is presented, and each beep, by when the tile's track has it.
WATCH = """() => {
    const wall = () => performance.timeOrigin + performance.now();
    const seen = globalThis.seen = { pictures: [], beeps: [], own: [] };
    const video = document.querySelector('.tile:not(.mine) video');
    const look = async () => {
        const at = wall(), frame = new VideoFrame(video), { codedWidth: width, codedHeight: height } = frame;
        const rect = { x: 0, y: 0, width, height: Math.floor(height * 80 / 360 / 2) * 2 };
        const luma = new Uint8Array(frame.allocationSize({ rect }));
        const [{ stride }] = await frame.copyTo(luma, { rect });
        frame.close();
        const cell = width / 16;
        const bits = Array.from({ length: 32 }, (_, bit) =>
            luma[Math.floor((Math.floor(bit / 16) + 0.5) * cell) * stride + Math.floor((bit % 16 + 0.5) * cell)] > 127 ? 1 : 0);
        let ms = 0;
        for (let bit = 0; bit < 24; bit++) ms += bits[bit] * 2 ** bit;
        if (bits.slice(24).every((bit, n) => bit === 1 - bits[n])) seen.pictures.push((at - ms + 2 ** 24) % 2 ** 24);
    };
    const watch = () => {
        void look();
        video.requestVideoFrameCallback(watch);
    };
    video.requestVideoFrameCallback(watch);
    const context = new AudioContext({ sampleRate: 48000 });
    const code = `registerProcessor('onset', class extends AudioWorkletProcessor {
        constructor() { super(); this.quiet = 0; }
        process([[samples]]) {
            if (!samples) return true;
            const loud = samples.some(one => Math.abs(one) > 0.1);
            if (loud && this.quiet > 100) this.port.postMessage(0);
            this.quiet = loud ? 0 : this.quiet + 1;
            return true;
        }
    })`;
    const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
    return context.audioWorklet.addModule(url).then(() => {
        const listen = (track, heard) => {
            const node = new AudioWorkletNode(context, 'onset');
            node.port.onmessage = () => heard.push(wall() % 1000);
            context.createMediaStreamSource(new MediaStream([track])).connect(node);
        };
        listen(video.srcObject.getAudioTracks()[0], seen.beeps);
        listen(globalThis.microphone, seen.own);
    });
}"""
SEEN = "() => ({ ...globalThis.seen, http: letterbox.peers()[0].http, ms: performance.now() })"
FORGET = "() => { for (const one of Object.values(globalThis.seen)) one.length = 0 }"


def speaks_over_http(one: Visitor) -> None:
    eventually(lambda: one.page.evaluate("() => (letterbox.peers()[0]?.http?.shown ?? 0) > 40"), LIMIT_S)


def figures(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """What one person got of the other between two looks."""
    pictures, beeps = sorted(after["pictures"]), after["beeps"]
    seconds = (after["ms"] - before["ms"]) / 1000
    heard = statistics.median(beeps) - statistics.median(after["own"]) if beeps else float("nan")
    middle = statistics.median(pictures)
    return {
        "p50_ms": round(middle),
        "p95_ms": round(pictures[int(len(pictures) * 0.95)]),
        "sound_p50_ms": round(heard),
        "lips_ms": round(heard - middle),
        "fps": round((after["http"]["shown"] - before["http"]["shown"]) / seconds, 1),
        "height": after["http"]["picture"]["height"] if after["http"]["picture"] else 0,
        "audio_gaps": after["http"]["heard"]["gaps"] - before["http"]["heard"]["gaps"],
        "silent_ms": round(after["http"]["heard"]["silentMs"] - before["http"]["heard"]["silentMs"]),
        "up_kbit": after["http"]["upKbit"],
        "round_trip_ms": after["http"]["roundTripMs"],
    }


def measure(lab: wires.Lab, house: parts.LabHouse, chromium: Any, round_trip_ms: int, seconds: float) -> dict[str, Any]:
    with ExitStack() as stack:
        for side in "ab":
            parts.make_road(lab, side, delay_ms=round_trip_ms / 2)
        two = Call(lab, chromium, BUFFERING, house, stack)
        for one in two.people:
            # Tiles for which some 270 to 360 lines are enough: two cores carry both ends, both gateways and the server.
            one.page.set_viewport_size({"width": 560, "height": 420})
            one.page.add_init_script(f"({CAMERA})()")
        two.begins()
        for one in two.people:
            speaks_over_http(one)
            one.page.evaluate(WATCH)
        # Rate and buffers find their places.
        two.ana.page.wait_for_timeout(8000)
        for one in two.people:
            one.page.evaluate(FORGET)
        before = [one.page.evaluate(SEEN) for one in two.people]
        two.ana.page.wait_for_timeout(seconds * 1000)
        after = [one.page.evaluate(SEEN) for one in two.people]
        return {name: figures(b, a) for name, b, a in zip(("ana", "ben"), before, after, strict=True)}


def run(round_trips_ms: tuple[int, ...] = (40, 100), seconds: float = 60) -> dict[str, Any]:
    """round trip → who → what they got of the other. Raises SystemExit where namespaces are not to be had."""
    why_not = wires.missing()
    if why_not:
        raise SystemExit(why_not)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="letterbox-lab-") as folder, sync_playwright() as playwright:
        Path(folder).chmod(0o755)
        lab = wires.Lab(Path(folder))
        house = None
        try:
            parts.make_certificates(lab.folder)
            parts.Turn(lab)
            house = parts.LabHouse(lab, with_turn=True)
            for round_trip_ms in round_trips_ms:
                found[f"rtt_{round_trip_ms}"] = measure(lab, house, playwright.chromium, round_trip_ms, seconds)
                for who, got in found[f"rtt_{round_trip_ms}"].items():
                    print(
                        f"{round_trip_ms:>4} ms  {who:<4}",
                        "  ".join(f"{name} {value}" for name, value in got.items()),
                        flush=True,
                    )
        finally:
            if house:
                house.stop()
            lab.close()
    return found
