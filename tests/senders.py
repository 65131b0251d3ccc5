"""People whose browser is aiortc: they join over HTTP, and send picture and sound to the recorder as static/call/peer.js does."""

import asyncio
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from people import Person

HZ = {"video": 90_000, "audio": 48_000}


class Picture(MediaStreamTrack):
    """25 frames a second; `sent`: how many were asked for so far, `began_s`: when the first was.

    Its number is in the picture: bright columns are ones.
    """

    kind = "video"

    def __init__(self, size: tuple[int, int] = (320, 180), fps: int = 25) -> None:
        super().__init__()
        self.size, self.fps, self.sent, self.began_s = size, fps, 0, 0.0

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self.began_s = self.began_s or loop.time()
        await asyncio.sleep(max(0.0, self.began_s + self.sent / self.fps - loop.time()))
        width, height = self.size
        bits = [(self.sent >> bit) & 1 for bit in range(16)]
        row = np.repeat(np.array(bits, np.uint8) * 200 + 30, width // 16)
        frame = av.VideoFrame.from_ndarray(np.tile(row, (height, 1)), format="gray8").reformat(format="yuv420p")
        frame.pts, frame.time_base = self.sent * HZ["video"] // self.fps, Fraction(1, HZ["video"])
        self.sent += 1
        return frame


def number_in(frame: Any) -> int:
    """What Picture wrote into it."""
    grey = frame.to_ndarray(format="gray8").astype(int)
    width = grey.shape[1] // 16
    return sum(1 << bit for bit in range(16) if grey[:, bit * width + 4 : (bit + 1) * width - 4].mean() > 130)


class Voice(MediaStreamTrack):
    """A tone, in frames of 20 ms."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.began_s = 0, 0.0

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self.began_s = self.began_s or loop.time()
        await asyncio.sleep(max(0.0, self.began_s + self.sent / 50 - loop.time()))
        tone = 8000 * np.sin(2 * np.pi * 440 * (self.sent * 960 + np.arange(960)) / HZ["audio"])
        frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = HZ["audio"], self.sent * 960, Fraction(1, HZ["audio"])
        self.sent += 1
        return frame


class Sender:
    """One person's side of the connection to the recorder. tracks: source → track."""

    def __init__(self, **tracks: MediaStreamTrack) -> None:
        self.tracks = tracks
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for track in tracks.values():
            self.connection.addTransceiver(track, direction="sendonly")

    async def offer(self) -> dict[str, Any]:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sent = {transceiver.mid: transceiver.sender.track for transceiver in self.connection.getTransceivers()}
        by_track = {track: source for source, track in self.tracks.items()}
        sources = {mid: by_track[track] for mid, track in sent.items() if track in by_track}
        return {"type": "offer", "sdp": self.connection.localDescription.sdp, "sources": sources}

    async def answered(self, body: dict[str, Any]) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))

    async def close(self) -> None:
        await self.connection.close()


class Caller:
    """A person in the room, who agrees to be recorded, and sends to each recorder that comes."""

    def __init__(self, person: Person, **tracks: Any) -> None:
        self.person = person
        self.makes = tracks
        self.senders: dict[str, Sender] = {}
        self.states: list[str] = []
        self._polling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Caller":
        self._polling = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._polling is not None
        self._polling.cancel()
        await asyncio.gather(self._polling, return_exceptions=True)
        for sender in self.senders.values():
            await sender.close()

    async def _poll(self) -> None:
        while True:
            for message in await asyncio.to_thread(self.person.hear, 2):
                await self._take(message["from"], message["kind"], message["body"])

    async def _take(self, sender: str, kind: str, body: dict[str, Any]) -> None:
        if kind == "joined" and body["participant"]["kind"] == "recorder":
            recorder = body["participant"]["id"]
            self.senders[recorder] = Sender(**{source: make() for source, make in self.makes.items()})
            await self.offers(recorder)
        elif kind == "answer":
            await self.senders[sender].answered(body)
        elif kind == "left" and body["participant"] in self.senders:
            await self.senders.pop(body["participant"]).close()
        elif kind == "recording":
            self.states.append(body["recording"]["state"])

    async def offers(self, recorder: str) -> None:
        await asyncio.to_thread(self.person.answers, "given")
        await self.offers_anyway(recorder)

    async def offers_anyway(self, recorder: str) -> None:
        """As an old client does, that knows nothing of consent."""
        body = await self.senders[recorder].offer()
        await asyncio.to_thread(self.person.say, recorder, body, "offer")

    @property
    def newest(self) -> Sender:
        return list(self.senders.values())[-1]


async def until(fact: Any, limit_s: float = 30) -> Any:
    """Wait for a fact, in a loop that goes on meanwhile."""
    async with asyncio.timeout(limit_s):
        while not (found := fact()):
            await asyncio.sleep(0.02)
        return found
