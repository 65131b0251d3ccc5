"""Our end of a connection: which offers belong to it, and how one slow person keeps nobody waiting."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiortc import RTCRtpReceiver, rtcpeerconnection
from senders import Picture, Sender, Voice, until

from recorder import passthrough
from recorder.ice import IceServers
from recorder.peer import Peer, session_of


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    passthrough.install()
    yield
    rtcpeerconnection.RTCRtpReceiver = RTCRtpReceiver


class Line:
    """A peer and one who sends to it. frames: how many came of each source; ended: what is sent no more."""

    def __init__(self, **tracks: Any) -> None:
        self.frames: dict[str, int] = {}
        self.ended: list[str | None] = []
        self.answers: list[dict[str, Any]] = []
        self.sender = Sender(**tracks)
        self.heard: list[str] = []
        ice = IceServers({"ice_servers": []}, self._never)
        self.peer = Peer("pana", ice, self._answer, self._take, self.ended.append, self.heard.append)

    async def _never(self) -> dict[str, Any]:
        raise AssertionError("nothing is to be renewed")

    async def _answer(self, kind: str, body: dict[str, Any]) -> None:
        assert kind == "answer"
        self.answers.append(body)
        await self.sender.answered(body)

    def _take(self, source: str, stream: Any, frame: Any) -> None:
        self.frames[source] = self.frames.get(source, 0) + 1

    async def offers(self) -> None:
        self.peer.take("offer", await self.sender.offer())

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.peer.close()
        await self.sender.close()


def test_offers_of_one_connection_are_told_from_those_of_the_next() -> None:
    one = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=fingerprint:sha-256 AA:BB\r\n"
    assert session_of(one) == session_of(one.replace("o=- 1 2", "o=- 7 3"))
    assert session_of(one) != session_of(one.replace("abcd", "efgh"))
    assert session_of(one) != session_of(one.replace("AA:BB", "AA:CC"))


def test_a_source_that_comes_later_and_goes_again_is_told_apart() -> None:
    async def story() -> Line:
        async with Line(camera=Picture()) as line:
            await line.offers()
            await until(lambda: line.frames.get("camera", 0) > 5)
            shown = line.sender.tracks["screen"] = Picture((640, 360), 10)
            transceiver = line.sender.connection.addTransceiver(shown, direction="sendonly")
            await line.offers()
            await until(lambda: line.frames.get("screen", 0) > 5)
            del line.sender.tracks["screen"]
            transceiver.direction = "inactive"
            await line.offers()
            await until(lambda: line.ended)
            seen = line.frames["camera"]
            await until(lambda: line.frames["camera"] > seen + 5)
            assert line.ended == ["screen"]
        return line

    line = asyncio.run(story())
    assert line.ended == ["screen", None]
    assert len(line.answers) == 3


def test_a_new_connection_of_the_same_person_replaces_the_old_one() -> None:
    async def story() -> None:
        async with Line(microphone=Voice()) as line:
            await line.offers()
            await until(lambda: line.frames.get("microphone", 0) > 5)
            old, line.sender = line.sender, Sender(microphone=Voice())
            await line.offers()
            await until(lambda: line.ended == [None])
            seen = line.frames["microphone"]
            await until(lambda: line.frames["microphone"] > seen + 10)
            await old.close()

    asyncio.run(story())


def test_a_broken_offer_ends_nothing() -> None:
    async def story() -> None:
        async with Line(microphone=Voice()) as line:
            line.peer.take("offer", {"type": "offer", "sdp": "v=0\r\nm=nonsense"})
            line.peer.take("offer", {"type": "offer"})
            line.peer.take("candidate", {"candidates": [{"candidate": "candidate:1 1 udp"}, {}, {"candidate": ""}]})
            await line.offers()
            await until(lambda: line.frames.get("microphone", 0) > 5)

    asyncio.run(story())


def test_an_answer_that_cannot_be_delivered_keeps_nobody_else_waiting() -> None:
    async def story() -> None:
        async with Line(microphone=Voice()) as line, Line(microphone=Voice()) as stuck:
            forever = asyncio.Event()

            async def away(kind: str, body: dict[str, Any]) -> None:
                await forever.wait()

            stuck.peer._send = away
            await stuck.offers()
            await line.offers()
            await until(lambda: line.frames.get("microphone", 0) > 5)
            assert stuck.frames == {}

    asyncio.run(story())


def test_what_is_written_into_the_chat_channel_is_heard_and_nothing_else() -> None:
    async def story() -> list[str]:
        async with Line(microphone=Voice()) as line:
            chat = line.sender.connection.createDataChannel("chat")
            files = line.sender.connection.createDataChannel("files")
            await line.offers()
            await until(lambda: chat.readyState == files.readyState == "open")
            files.send('{"text": "a file"}')
            for text in ('{"text": "Hello"}', "[]", "no json", '{"text": 7}', '{"text": "  "}', '{"text": "Bye"}'):
                chat.send(text)
            await until(lambda: "Bye" in line.heard)
            return line.heard

    assert asyncio.run(story()) == ["Hello", "Bye"]
