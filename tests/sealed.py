"""People whose browser sends over plain HTTP: picture and sound encoded, sealed, posted; written from the contract."""

import asyncio
import base64
import os
import struct
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np
import post
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from people import Person
from post import CAMERA, MICROPHONE

VP8, OPUS = 0, 3
FPS, BATCH_S = 25, 0.08
# Requests under way.
AT_ONCE = 3
# The tone begins with the picture of this number.
TONE_AT = 25


class Sealer:
    """One sender's keys: its own pair, and the key its chunks are sealed with now."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.epoch, self._key = 0, b""
        self.renew()

    def renew(self) -> None:
        self.epoch, self._key = self.epoch + 1, os.urandom(32)

    def wrapped_for(self, public: bytes) -> dict[str, Any]:
        """The body of a `chunk-key` message."""
        iv = os.urandom(12)
        wrapped = iv + self._wrapping(public).encrypt(iv, self._key, None)
        return {"epoch": self.epoch, "wrapped": base64.b64encode(wrapped).decode()}

    def unwrap(self, public: bytes, body: dict[str, Any]) -> bytes:
        """The sender key in a `chunk-key` message. Raises InvalidTag."""
        data = base64.b64decode(body["wrapped"])
        return self._wrapping(public).decrypt(data[:12], data[12:], None)

    def _wrapping(self, public: bytes) -> AESGCM:
        secret = self._private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public))
        salt = b"".join(sorted([self.public, public]))
        return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"letterbox chunk key").derive(secret))

    def seal(self, stream: int, flags: int, n: int, plain: bytes) -> bytes:
        nonce = bytes([stream, 0, 0, 0]) + n.to_bytes(8, "big")
        aad = bytes([stream, flags]) + n.to_bytes(4, "big")
        return self.epoch.to_bytes(4, "big") + AESGCM(self._key).encrypt(nonce, plain, aad)


def plain(kind: int, is_key: bool, timestamp_us: int, wall_us: int, payload: bytes, size: tuple[int, int] = (0, 0)) -> bytes:
    return struct.pack(">BBHqIQHH", kind, int(is_key), 0, timestamp_us, 20_000, wall_us, *size) + payload


class Pictures:
    """VP8 of 320×180; each picture's number is in it (senders.number_in reads it)."""

    def __init__(self) -> None:
        self._encoder: Any = av.CodecContext.create("libvpx", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = 320, 180, "yuv420p"
        self._encoder.time_base, self._encoder.gop_size = Fraction(1, FPS), 3000
        self._encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}

    def encoded(self, number: int, key: bool) -> tuple[bytes, bool]:
        bits = [(number >> bit) & 1 for bit in range(16)]
        row = np.repeat(np.array(bits, np.uint8) * 200 + 30, 20)
        frame = av.VideoFrame.from_ndarray(np.tile(row, (180, 1)), format="gray8").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        if key:
            frame.pict_type = av.video.frame.PictureType.I
        (packet,) = self._encoder.encode(frame)
        return bytes(packet), packet.is_keyframe


class Sounds:
    """Opus packets of 20 ms: silence until the tone begins."""

    def __init__(self) -> None:
        self._encoder: Any = av.CodecContext.create("libopus", "w")
        self._encoder.sample_rate, self._encoder.layout, self._encoder.format = 48_000, "stereo", "s16"
        self._encoder.options = {"application": "lowdelay"}

    def encoded(self, number: int) -> list[bytes]:
        at = number * 960 + np.arange(960)
        tone = np.where(at >= TONE_AT * 48_000 // FPS, 8000 * np.sin(2 * np.pi * 440 * at / 48_000), 0)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone.astype(np.int16), 2)[np.newaxis], format="s16", layout="stereo")
        frame.rate, frame.pts, frame.time_base = 48_000, number * 960, Fraction(1, 48_000)
        return [bytes(packet) for packet in self._encoder.encode(frame)]


class HttpCaller:
    """A person who sends over HTTP to the recorder that comes. sent: pictures until now.

    agrees: to be recorded; else it sends all the same, as an old client does.
    Batches overtake each other, and every third is posted twice.
    """

    def __init__(self, person: Person, agrees: bool = True) -> None:
        self.person, self.agrees = person, agrees
        self.sealer = Sealer()
        self.sent = 0
        self.states: list[str] = []
        self.recorder = ""
        self._leaving = self._is_key_wanted = False
        self._tasks: list[asyncio.Task[None]] = []
        self._post = post.Post(person)

    async def __aenter__(self) -> "HttpCaller":
        self._tasks = [asyncio.create_task(self._poll())]
        return self

    async def __aexit__(self, *_: object) -> None:
        # What is held back is sent, too: nothing is missing when we go.
        self._leaving = True
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)
        self._tasks[0].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _poll(self) -> None:
        while True:
            for message in await asyncio.to_thread(self.person.hear, 2):
                await self._take(message["from"], message["kind"], message["body"])

    async def _take(self, sender: str, kind: str, body: dict[str, Any]) -> None:
        if kind == "joined" and body["participant"]["kind"] == "recorder":
            self.recorder = body["participant"]["id"]
            if self.agrees:
                await asyncio.to_thread(self.person.answers, "given")
            await self.offers()
        elif kind == "over-http" and sender == self.recorder:
            await self.says("chunk-key", self.sealer.wrapped_for(base64.b64decode(body["public"])))
            if len(self._tasks) == 1:
                self._tasks.append(asyncio.create_task(self._send()))
        elif kind == "recording":
            self.states.append(body["recording"]["state"])

    async def offers(self) -> None:
        streams = {str(CAMERA): "camera", str(MICROPHONE): "microphone"}
        await self.says("over-http", {"on": True, "public": base64.b64encode(self.sealer.public).decode(), "streams": streams})

    async def says(self, kind: str, body: dict[str, Any]) -> None:
        await asyncio.to_thread(self.person.say, self.recorder, body, kind)

    async def _send(self) -> None:
        """From when it is wanted; captured in time, whatever posting takes: what comes late was not captured late."""
        while not self._asked.get("wanted") and not self._leaving:
            await asyncio.sleep(BATCH_S)
            await asyncio.to_thread(self._post.calls)
        pictures, sounds, sound_n, held = Pictures(), Sounds(), 0, b""
        began_s, began_us = time.monotonic(), time.time_ns() // 1000
        counts = {CAMERA: 0, MICROPHONE: 0}
        made: asyncio.Queue[bytes | None] = asyncio.Queue()
        posting = [asyncio.create_task(self._post_all(made)) for _ in range(AT_ONCE)]

        def record(stream: int, flags: int, inside: bytes) -> bytes:
            counts[stream] += 1
            return post.record(stream, counts[stream], self.sealer.seal(stream, flags, counts[stream], inside), flags)

        while held or not self._leaving:
            await asyncio.sleep(max(0.0, began_s + self.sent / FPS + BATCH_S - time.monotonic()))
            batch = b""
            for number in range(self.sent, self.sent + 2):
                data, is_key = pictures.encoded(number, self._is_key_wanted)
                self._is_key_wanted = False
                at_us = number * 1_000_000 // FPS
                batch += record(CAMERA, int(is_key), plain(VP8, is_key, at_us, began_us + at_us, data, (320, 180)))
            for _ in range(4):
                for data in sounds.encoded(sound_n):
                    at_us = counts[MICROPHONE] * 20_000
                    batch += record(MICROPHONE, 3, plain(OPUS, True, at_us, began_us + at_us, data))
                sound_n += 1
            self.sent += 2
            # Of four batches the second comes after the third.
            if self.sent % 8 == 4:
                held = batch
                continue
            for body in (batch, held) if self.sent % 6 else (batch, batch, held):
                if body:
                    made.put_nowait(body)
            held = b""
        for _ in posting:
            made.put_nowait(None)
        await asyncio.gather(*posting)

    @property
    def _asked(self) -> dict[str, bool]:
        """What the server said last of who wants the camera."""
        found: dict[str, bool] = self._post.control.get("streams", {}).get(str(CAMERA), {})
        return found

    async def _post_all(self, made: "asyncio.Queue[bytes | None]") -> None:
        while (body := await made.get()) is not None:
            await asyncio.to_thread(self._post.calls, body)
            self._is_key_wanted = self._asked.get("key", False)
