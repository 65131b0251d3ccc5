"""Everybody in the room whose media comes over HTTP: their keys, their streams, and the requests that fetch their chunks.

A recorder is in no hurry: it asks a few times a second for all that has come, rather than waiting at the door for each chunk.
"""

import asyncio
import base64
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from recorder.api import Away, Refused, Server
from recorder.chunks import wire
from recorder.chunks.chat import DATA, HttpChat
from recorder.chunks.seal import KeyPair, Keys
from recorder.chunks.stream import HttpIntake, HttpStream
from recorder.chunks.wire import SOURCES, TAKES, Chunk, Inside
from recorder.clock import now_us
from recorder.rtp.frames import Frame

log = logging.getLogger(__name__)

KINDS = frozenset({"over-http", "chunk-key"})
# The server keeps sound for two seconds.
PERIOD_S, AGAIN_S, TIMEOUT_S = 0.2, 0.1, 3.0
# How long the last question of all may take.
LAST_S = 2.0
# An answer of this size may not have been everything.
LARGE_BYTES = 40_000

# What is captured comes within so long, or its clock is not to be believed.
MOST_BEHIND_US = 2_000_000

# (participant, kind, body)
Send = Callable[[str, str, dict[str, Any]], Awaitable[None]]
# (participant, source, stream, frame)
Sink = Callable[[str, str, HttpStream, Frame], None]
# (participant, source); None: all of its sources
Ended = Callable[[str, str | None], None]
# (participant, what came by the channel `chat`)
Hear = Callable[[str, str], None]


class Person:
    """One who sends over HTTP. us: the recorder's id; intakes: by stream number."""

    def __init__(self, keys: Keys, us: str) -> None:
        self.keys = keys
        self.chat = HttpChat(us, keys.unseal)
        self.sources: dict[int, str] = {}
        self.intakes: dict[int, HttpIntake] = {}
        self.streams: dict[int, HttpStream] = {}


class HttpPeople:
    """us, token: ours as a participant; send: to somebody's mailbox; sink: every frame; ended: what comes no more; hear: chat."""

    def __init__(self, server: Server, us: str, token: str, send: Send, sink: Sink, ended: Ended, hear: Hear) -> None:
        self._server, self._us, self._token = server, us, token
        self._send, self._sink, self._ended, self._hear = send, sink, ended, hear
        self._ours = KeyPair()
        self._people: dict[str, Person] = {}
        self._news = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        # Of whom something may come that was captured while nothing was recorded; and until when that was.
        self._behind: set[HttpIntake] = set()
        self._from_us = 0

    def __len__(self) -> int:
        return len(self._people)

    # -- what they tell us -------------------------------------------------------------------------------------------------

    async def take(self, participant: str, kind: str, body: dict[str, Any]) -> None:
        """A message of somebody who has agreed to be recorded. Raises ValueError for a broken one."""
        if kind == "chunk-key":
            if participant in self._people:
                self._people[participant].keys.add(int(body["epoch"]), str(body["wrapped"]))
                self._news.set()
        elif body.get("on"):
            await self._begin(participant, str(body["public"]), body.get("streams") or {})
        else:
            self.close(participant)

    async def _begin(self, participant: str, public: str, streams: dict[str, str]) -> None:
        person = self._people.get(participant)
        is_new = person is None or person.keys.public != public
        if person is None or is_new:
            self.close(participant)
            person = self._people[participant] = Person(Keys(self._ours, public), self._us)
            log.info("participant=%s sends over HTTP", participant)
        named = {int(number): source for number, source in streams.items() if int(number) in SOURCES}
        for number in person.intakes.keys() - named.keys():
            self._end(participant, number)
        for number in named.keys() - person.intakes.keys():
            person.intakes[number] = HttpIntake(number, person.keys.unseal)
        person.sources = named
        self._news.set()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        ours = base64.b64encode(self._ours.public).decode()
        await self._send(participant, "over-http", {"on": True, "public": ours, "streams": {}, "takes": TAKES})
        if is_new:
            await self._send(participant, "chunk-key", person.keys.ours())

    def _end(self, participant: str, number: int) -> None:
        person = self._people[participant]
        intake = person.intakes.pop(number)
        person.streams.pop(number, None)
        self._hand_on(participant, person, number, intake, to_the_end=True)
        self._ended(participant, person.sources.get(number, SOURCES[number]))

    def close(self, participant: str) -> None:
        """This one sends over HTTP no more, or may not be taken in: hand on what is here, and want nothing of it."""
        person = self._people.get(participant)
        if person is None:
            return
        for number, intake in person.intakes.items():
            self._hand_on(participant, person, number, intake, to_the_end=True)
        del self._people[participant]
        self._ended(participant, None)
        self._news.set()

    def begin_anew(self) -> None:
        """What was captured until now and comes later is not to be taken in: nothing was recorded then."""
        self._from_us = now_us()
        self._behind = {intake for person in self._people.values() for intake in person.intakes.values()}

    async def stop(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await self._ask_once_more()
        for participant in list(self._people):
            self.close(participant)

    # -- what they send ----------------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """For as long as we are in the room."""
        while True:
            if not self._people:
                await self._news.wait()
            self._news.clear()
            try:
                body = await self._one_answer()
                self._take(body)
            except Refused as refusal:
                if refusal.status == 410:
                    return  # the mailbox hears of it, too
                log.warning("chunks are refused: %s", refusal)
                await asyncio.sleep(1)
                continue
            except ValueError as error:
                log.warning("what came in place of chunks cannot be read: %s", error)
                body = b""
            if len(body) < LARGE_BYTES:
                try:
                    await asyncio.wait_for(self._news.wait(), PERIOD_S)
                except TimeoutError:
                    pass

    async def _ask_once_more(self) -> None:
        """What was sent until now has come to the server; a server that is away keeps nobody from ending."""
        with contextlib.suppress(TimeoutError, Refused, ValueError):
            self._take(await asyncio.wait_for(self._one_answer(), LAST_S))

    async def _one_answer(self) -> bytes:
        """The same question until it is answered: what an answer that was lost carried is in the next. Raises Refused."""
        nonce = secrets.token_hex(8)
        while True:
            query = f"nonce={nonce}&wait_ms=0&want={self._want(now_us() // 1000)}"
            try:
                return await self._server.octets("POST", f"/chunks?{query}", b"", self._token, TIMEOUT_S)
            except Away as error:
                log.debug("chunks do not come: %s", error)
                await asyncio.sleep(AGAIN_S)

    def _want(self, now_ms: int) -> str:
        wishes = []
        for participant, person in self._people.items():
            for number, intake in person.intakes.items():
                wishes.append(f"{participant}.{number}.{intake.after}{'k' if intake.wants_key(now_ms) else ''}")
            wishes.append(f"{participant}.{DATA}.{person.chat.after}")
        return ",".join(wishes)

    def _take(self, body: bytes) -> None:
        control, chunks = wire.read(body)
        at_us = now_us()
        for name, n in control.get("skipped", {}).items():
            participant, _, number = name.partition(".")
            intake = self._intake(participant, int(number))
            if intake is not None:
                intake.skip(int(n))
        for chunk in chunks:
            self._take_one(chunk, at_us)
        for participant, person in self._people.items():
            for number, intake in person.intakes.items():
                self._hand_on(participant, person, number, intake)
            for message in person.chat.take(at_us):
                self._hear(participant, message)

    def _intake(self, participant: str, number: int) -> HttpIntake | HttpChat | None:
        person = self._people.get(participant)
        if person is None:
            return None
        return person.chat if number == DATA else person.intakes.get(number)

    def _take_one(self, chunk: Chunk, at_us: int) -> None:
        intake = self._intake(chunk.sender, chunk.stream)
        if intake is not None:
            intake.add(chunk, at_us)

    def _hand_on(self, participant: str, person: Person, number: int, intake: HttpIntake, to_the_end: bool = False) -> None:
        for frame, inside in intake.take(now_us(), to_the_end):
            stream = self._stream(participant, person, number, intake, frame, inside)
            stream.note(inside, frame.arrival_ms * 1000)
            if intake in self._behind and not (frame.is_key and self._is_new(stream, frame, inside)):
                intake.needs_key()
                continue
            self._behind.discard(intake)
            self._sink(participant, person.sources[number], stream, frame)

    def _is_new(self, stream: HttpStream, frame: Frame, inside: Inside) -> bool:
        """Whether this was captured since recording goes on. A clock that was set must not keep anybody out."""
        return stream.shown_us(inside) >= self._from_us or frame.arrival_ms * 1000 > self._from_us + MOST_BEHIND_US

    def _stream(
        self, participant: str, person: Person, number: int, intake: HttpIntake, frame: Frame, inside: Inside
    ) -> HttpStream:
        stream = person.streams.get(number)
        if stream is None or not stream.suits(frame, inside):
            if stream is not None:
                self._ended(participant, person.sources[number])
            stream = person.streams[number] = HttpStream(intake, frame.codec, inside.wall_us - inside.timestamp_us)
        return stream
