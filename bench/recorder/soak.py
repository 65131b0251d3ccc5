"""Hours of one call in minutes: packets with a clock of their own through intake, tracks and files. Memory must not grow.

Also that the sender's clock, which is off by 100 millionths, is put right at the end, over all the time.
"""

import asyncio
import gc
import random
import struct
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket

from bench.recorder.receiver import resident_mb
from bench.recorder.replay import HZ, NTP_EPOCH_S
from recorder import segment
from recorder.passthrough import Codec, PassthroughReceiver
from recorder.rtp.header import Media
from recorder.segment import LiveSegment, finalise, save_live
from recorder.tracks import Tracks

BEGIN_S = 1_795_470_000.0
FAST = 1 + 100e-6
LOSS = 0.01
NAMES = {"audio": "opus", "video": "vp8"}
TYPES = {"audio": 111, "video": 96}
SSRC = {"audio": 7, "video": 8}
STEP_S = {"audio": 0.02, "video": 1 / 30}
KEY = b"\x10" + b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 1280, 720) + bytes(60)
BETWEEN = b"\x10" + b"\x11" + bytes(60)


class Nowhere:
    """A transport whose other end sends a key frame when it is asked for one, and nothing else again: the harder case."""

    wanted = True

    async def _send_rtp(self, data: bytes) -> None:
        self.wanted = self.wanted or (data[1] == 206 and data[0] & 31 == 1)  # PLI, RFC 4585 section 6.3.1


@dataclass
class Soaked:
    hours: float
    megabytes: list[float]
    frames: dict[str, int]
    sent: dict[str, int]
    error_ms: float
    took_s: float


def _media(kind: str, number: int, key: bool, chance: random.Random) -> list[Media]:
    ticks = round(number * STEP_S[kind] * HZ[kind] * FAST) & 0xFFFFFFFF
    payload = (KEY if key else BETWEEN) if kind == "video" else bytes(80)
    packet = Media(TYPES[kind], number & 0xFFFF, ticks, SSRC[kind], kind == "video", payload)
    return [] if chance.random() < LOSS else [packet]


def _report(kind: str, at_s: float) -> Any:
    info = RtcpSenderInfo(
        ntp_timestamp=int((BEGIN_S + NTP_EPOCH_S + at_s) * (1 << 32)),
        rtp_timestamp=round(at_s * HZ[kind] * FAST) & 0xFFFFFFFF, packet_count=0, octet_count=0,
    )  # fmt: skip
    return RtcpSrPacket(ssrc=SSRC[kind], sender_info=info, reports=[])


async def soak(hours: float, folder: Path) -> Soaked:
    began_s, chance, now_us = time.monotonic(), random.Random(5), int(BEGIN_S * 1e6)
    live = LiveSegment(recording="r", segment="s", room="x", title="soak", started_us=now_us, seen_us=now_us)
    tracks = Tracks(live, folder, lambda: save_live(live, folder))
    receivers, wire = {}, Nowhere()
    sent, made = {"audio": 0, "video": 0}, {"audio": 0, "video": 0}
    for kind, source in (("audio", "microphone"), ("video", "camera")):
        receiver = PassthroughReceiver(kind, wire)  # type: ignore[arg-type]
        receiver._set_rtcp_ssrc(1)
        receiver._codecs[TYPES[kind]] = Codec(NAMES[kind], HZ[kind])
        receiver.sink = lambda stream, frame, source=source: tracks.take("pana", source, stream, frame)  # type: ignore[misc]
        receivers[kind] = receiver
    megabytes, minutes = [], int(hours * 60)
    for minute in range(minutes):
        for second in range(minute * 60, minute * 60 + 60):
            for kind, receiver in receivers.items():
                while sent[kind] * STEP_S[kind] < second + 1:
                    at_s = sent[kind] * STEP_S[kind]
                    key, wire.wanted = wire.wanted, wire.wanted and kind != "video"
                    for packet in _media(kind, sent[kind], key, chance):
                        receiver.take(packet, int((BEGIN_S + at_s) * 1000) + chance.randrange(30))
                        made[kind] += 1
                    sent[kind] += 1
                receiver.take_report(_report(kind, second + 0.9), int((BEGIN_S + second + 0.9) * 1e6) + chance.randrange(20_000))
                await receiver._tick(BEGIN_S + second + 1)
        tracks.note_clocks()
        tracks.health(60)
        save_live(live, folder)
        if minute % max(1, minutes // 12) == 0 or minute == minutes - 1:
            gc.collect()
            megabytes.append(resident_mb())
    for receiver in receivers.values():
        receiver.drain()
    tracks.close()
    save_live(live, folder)
    frames = {"audio": 0, "video": 0}
    described = finalise(folder)
    for track in described.tracks:
        frames[track.kind] += track.frames
    clocks, error_ms = segment.clocks_of(live), 0.0
    for track in live.tracks:
        for share in (0.0, 0.5, 1.0):
            at_s = minutes * 60 * share
            # The first packet's number is one range up, as recorder/rtp/sequence.py says.
            found_us = clocks[track.file].wall((1 << 32) + at_s * track.clock_hz * FAST)
            true_us = (BEGIN_S + at_s) * 1e6 - segment.LOOKAHEAD_US.get(track.codec, 0)
            error_ms = max(error_ms, abs(found_us - true_us) / 1e3)
    return Soaked(hours, megabytes, frames, made, error_ms, time.monotonic() - began_s)


def run(hours: float) -> Soaked:
    """Print, and return, how it went."""
    with tempfile.TemporaryDirectory(prefix="letterbox-soak-") as folder:
        found = asyncio.run(soak(hours, Path(folder)))
    print(f"Soak: {found.hours:g} h of one camera and microphone, {LOSS:.0%} lost for good, in {found.took_s:.0f} s.")
    print("  memory, MB, twelve looks: " + " ".join(f"{one:.1f}" for one in found.megabytes))
    print(f"  clocks 100 ppm off: start, middle and end of each track lie within {found.error_ms:.1f} ms of their true place")
    return found
