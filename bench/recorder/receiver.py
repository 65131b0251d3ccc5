"""One receiving process, measured from outside: the product's peer and tracks, or aiortc's MediaRecorder.

`python -m bench.recorder.receiver ours|capture|mediarecorder FOLDER`; a line of JSON in, a line of JSON out:
{"offer": {…}, "id": "p1"} → {"answer": {…}};  {"mark": 1} → figures so far;  {"stop": 1} → files are whole, then the end.
"""

import asyncio
import gc
import json
import os
import re
import resource
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRecorder

from bench.recorder.replay import write_packet
from recorder import passthrough, shortcut
from recorder.ice import IceServers
from recorder.peer import Peer
from recorder.rtp.header import Media
from recorder.segment import LivePerson, LiveSegment, save_live
from recorder.tracks import Tracks

SAVE_S = 2.0
NO_SERVERS: dict[str, Any] = {"ice_servers": [], "ice_lasts_s": None}


async def no_more() -> dict[str, Any]:
    return NO_SERVERS


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def figures() -> dict[str, float]:
    """CPU seconds of this process so far, the clock, and memory."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": used.ru_utime + used.ru_stime, "system_s": used.ru_stime, "at_s": time.monotonic(), "mb": resident_mb()}


class Ours:
    """As recorder/room.py does, without the room's HTTP."""

    def __init__(self, folder: Path) -> None:
        passthrough.install()
        now_us = time.time_ns() // 1000
        self.folder, self.peers = folder, dict[str, Peer]()
        self.live = LiveSegment(recording="b", segment="s", room="r", title="bench", started_us=now_us, seen_us=now_us)
        self.tracks = Tracks(self.live, folder, self._save)
        self._saving = asyncio.ensure_future(self._save_again())

    def _save(self) -> None:
        save_live(self.live, self.folder)

    async def _save_again(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            self.tracks.note_clocks()
            self.tracks.health(SAVE_S)
            self._save()

    async def take(self, person: str, offer: dict[str, Any]) -> dict[str, Any]:
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        async def send(_kind: str, body: dict[str, Any]) -> None:
            answered.set_result(body)

        if person not in self.peers:
            self.live.people.append(LivePerson(id=person, name=person, joined_us=time.time_ns() // 1000))
        sink, ended = partial(self.tracks.take, person), partial(self.tracks.end, person)
        ice, hear = IceServers(NO_SERVERS, no_more), lambda _text: None
        peer = self.peers.setdefault(person, Peer(person, ice, send, sink, ended, hear))
        peer._send = send
        peer.take("offer", offer)
        return await answered

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = {"frames": {}, "bytes": self.tracks.bytes, "lost": 0}
        for one in self.tracks.health(1.0):
            found["frames"][f"{one['participant']}-{one['source']}"] = one["frames"]
            found["lost"] += one["lost"]
        return found

    async def stop(self) -> None:
        self._saving.cancel()
        await asyncio.gather(*(peer.close() for peer in self.peers.values()))
        self.tracks.close()
        self._save()


def faster(sdp: str) -> str:
    """The same answer, by which Chromium sends as much as to us at once: aiortc's own estimate starts it at a tenth of that."""
    told = "x-google-start-bitrate=2500;x-google-min-bitrate=2200"
    payload_type = re.search(r"^a=rtpmap:(\d+) VP8/90000\r\n", sdp, re.MULTILINE)
    return sdp.replace(payload_type[0], f"{payload_type[0]}a=fmtp:{payload_type[1]} {told}\r\n") if payload_type else sdp


class Timed(MediaStreamTrack):
    """Sound only once there is a picture: the file's header is written with the first of both, and MediaRecorder's task for a
    picture whose size is known too late dies without a word."""

    def __init__(self, track: MediaStreamTrack, pictures: asyncio.Event) -> None:
        super().__init__()
        self.kind, self._track, self._pictures, self.count = track.kind, track, pictures, 0

    async def recv(self) -> Any:
        if self.kind == "audio":
            await self._pictures.wait()
        frame = await self._track.recv()
        self.count += 1
        if self.kind == "video" and self.count > 1:
            self._pictures.set()
        return frame


class Theirs:
    """aiortc as its documentation says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.connections, self.recorders = folder, list[RTCPeerConnection](), list[MediaRecorder]()

    async def take(self, person: str, offer: dict[str, Any]) -> dict[str, Any]:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        recorder = MediaRecorder(str(self.folder / f"{person}.webm"), format="webm")
        pictures = asyncio.Event()

        @connection.on("track")
        def came(track: MediaStreamTrack) -> None:
            recorder.addTrack(Timed(track, pictures))

        self.connections.append(connection)
        self.recorders.append(recorder)
        await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        answer = await connection.createAnswer()
        await connection.setLocalDescription(answer)

        @connection.on("connectionstatechange")
        async def changed() -> None:
            if connection.connectionState == "connected":
                await recorder.start()

        return {"type": "answer", "sdp": faster(connection.localDescription.sdp)}

    def counts(self) -> dict[str, Any]:
        return {"frames": {}, "bytes": sum(path.stat().st_size for path in self.folder.glob("*.webm")), "lost": 0}

    async def stop(self) -> None:
        for connection in self.connections:
            await connection.close()
        for recorder in self.recorders:
            await recorder.stop()


def keep_packets(path: Path) -> None:
    """From now on write down what comes, decrypted."""
    file, parse = path.open("wb"), shortcut.parse

    def keep(data: bytes) -> Media:
        write_packet(file, time.monotonic(), data)
        return parse(data)

    shortcut.parse = keep


async def serve(kind: str, folder: Path) -> None:
    if kind == "capture":
        keep_packets(folder / "capture")
    receiver: Ours | Theirs = Theirs(folder) if kind == "mediarecorder" else Ours(folder)
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=read, daemon=True).start()
    while True:
        told = json.loads(await lines.get())
        if "offer" in told:
            said: dict[str, Any] = {"answer": await receiver.take(told["id"], told["offer"])}
        elif "mark" in told:
            said = figures() | receiver.counts()
        else:
            said = figures() | receiver.counts()
            await receiver.stop()
        print(json.dumps(said), flush=True)
        if "stop" in told:
            return


if __name__ == "__main__":
    gc.freeze()
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
    sys.stdout.flush()
    os._exit(0)  # aiortc leaves threads of its own behind
