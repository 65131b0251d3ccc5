"""A recording from claim to end, in a room whose server is turned by hand: what ends it, and what does not."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from senders import until

from recorder import handin, publish, room
from recorder.api import Away, Refused
from recorder.config import Settings
from recorder.manifest import Manifest
from recorder.room import RoomRecorder
from recorder.segment import LiveSegment

CLAIM = {"recording": "r1", "room": "k3f9-xq2m-7pdw", "title": "Board meeting", "segment": "s1", "number": 1, "lease_s": 10}


def person(who: str) -> dict[str, Any]:
    return {"id": who, "name": who.title(), "kind": "person", "role": "guest", "joined_at_ms": 0}


class FakeServer:
    """Answers as PROTOCOL.md says. messages: what comes in the mailbox, or how its poll fails."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[tuple[str, str, dict[str, Any]] | Exception] = asyncio.Queue()
        self.here: list[dict[str, Any]] = []
        self.wanted = "recording"
        self.refusal: Exception | None = None
        self.reports: list[dict[str, Any]] = []
        self.joins = self.others = 0
        self.ended: dict[str, Any] | None = None
        self._seq = 0

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "", wait_s: float = 0
    ) -> dict[str, Any]:
        if path.startswith("/mailbox"):
            return await self._mailbox()
        if path.endswith("/report"):
            assert body is not None
            self.reports.append(body)
            if self.refusal is not None:
                raise self.refusal
            return {"wanted": self.wanted, "lease_s": 10} | ({"others": self.others} if body.get("leaving") else {})
        if path.endswith("/participants"):
            self.joins, self._seq = self.joins + 1, 0
            us = {"participant": person("rec"), "token": "pt_1"}
            return us | {"ice_servers": [], "wait_s": 25, "after": 0, "participants": self.here}
        if path.endswith("/end"):
            self.ended = body
            return {"next": []}
        return {}

    insist = call

    async def _mailbox(self) -> dict[str, Any]:
        found = await self.messages.get()
        if isinstance(found, Exception):
            raise found
        self._seq += 1
        sender, kind, body = found
        return {"messages": [{"seq": self._seq, "from": sender, "kind": kind, "body": body}]}

    def tells(self, kind: str, sender: str = "server", **body: Any) -> None:
        self.messages.put_nowait((sender, kind, body))


class Scene(NamedTuple):
    """A running recording. folder: its segment's."""

    server: FakeServer
    recorder: RoomRecorder
    folder: Path
    running: "asyncio.Task[None]"

    def live(self) -> LiveSegment:
        return LiveSegment.model_validate_json((self.folder / "live.json").read_bytes())


Begin = Callable[..., Any]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """async with begin(server): a recording that has joined, or has ended; at the end it is stopped and handed in."""
    monkeypatch.setattr(room, "REPORT_S", 0.02)
    monkeypatch.setattr(room, "SAVE_S", 0.02)

    async def handed_in(settings: Settings, folder: Path) -> Manifest:
        return Manifest(recording="r1", room="x", started_at_ms=0, duration_us=1_000_000)

    monkeypatch.setattr(handin, "hand_in", handed_in)

    @asynccontextmanager
    async def run(server: FakeServer, earlier: Callable[[], Any] | None = None, idle_s: float = 300) -> AsyncIterator[Scene]:
        settings = Settings("http://nowhere", "rk", tmp_path, None, "Rec", 1, idle_s, "")  # type: ignore[arg-type]

        async def nothing() -> None:
            pass

        recorder = RoomRecorder(settings, server, CLAIM, earlier or nothing)  # type: ignore[arg-type]
        scene = Scene(server, recorder, tmp_path / "r1" / "s1", asyncio.create_task(recorder.run()))
        await until(lambda: server.ended or any(report["state"] == "recording" for report in server.reports))
        yield scene
        recorder.stop("stopped")
        await asyncio.wait_for(scene.running, 10)

    return run


def test_who_was_there_who_came_and_who_left_is_kept(begin: Begin) -> None:
    async def story() -> None:
        server = FakeServer()
        server.here = [person("pana"), {**person("prec"), "kind": "recorder"}]
        async with begin(server) as scene:
            server.tells("joined", participant=person("pben"))
            server.tells("state", "pana", microphone=True, camera=True)
            server.tells("state", "pana", microphone=False, camera=True)
            server.tells("left", participant="pben", reason="left")
            server.tells("recording", recording={"id": "r1", "wanted": "recording"}, mark={"label": "vote", "by": "Ana"})
            await until(lambda: scene.live().events and scene.live().events[-1].kind == "mark")
        live = scene.live()
        assert [(event.kind, event.participant) for event in live.events] == [
            ("joined", "pana"), ("joined", "pben"), ("microphone-on", "pana"), ("camera-on", "pana"),
            ("microphone-off", "pana"), ("left", "pben"), ("mark", ""),
        ]  # fmt: skip
        assert live.events[-1].body["label"] == "vote"
        assert all(one.left_us is not None for one in live.people)
        assert server.ended == {"segment": "s1", "reason": "stopped", "duration_ms": 1000}

    asyncio.run(story())


class FakePeer:
    """What a Peer is told, and whether it is there."""

    made: ClassVar[list["FakePeer"]] = []

    def __init__(self, participant: str, *_: Any) -> None:
        self.participant, self.closed = participant, False
        self.taken: list[str] = []
        FakePeer.made.append(self)

    def take(self, kind: str, body: dict[str, Any]) -> None:
        self.taken.append(kind)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> list[FakePeer]:
    monkeypatch.setattr(room, "Peer", FakePeer)
    monkeypatch.setattr(FakePeer, "made", [])
    return FakePeer.made


async def heard(scene: Scene) -> None:
    """Everything told before this has been taken in."""
    scene.server.tells("joined", participant=person(f"p{len(scene.live().people)}"))
    count = len(scene.live().people)
    await until(lambda: len(scene.live().people) > count)


def test_nobody_is_taken_in_who_has_not_agreed(begin: Begin, peers: list[FakePeer]) -> None:
    async def story() -> None:
        server = FakeServer()
        server.here = [
            person("pana") | {"consent": "given"}, person("pben") | {"consent": "declined"}, person("pcleo") | {"consent": None},
        ]  # fmt: skip
        async with begin(server) as scene:
            for who in ("pana", "pben", "pcleo", "pnobody"):
                server.tells("offer", who, sdp="")
                server.tells("candidate", who, candidates=[])
            await heard(scene)
            assert [(peer.participant, peer.taken) for peer in peers] == [("pana", ["offer", "candidate"])]

    asyncio.run(story())


def test_who_withdraws_is_dropped_at_once_and_may_come_again(begin: Begin, peers: list[FakePeer]) -> None:
    async def story() -> None:
        server = FakeServer()
        server.here = [person("pana")]
        async with begin(server) as scene:
            for answer in ("given", "withdrawn", "given"):
                server.tells("consent", recording="r1", participant="pana", answer=answer)
                server.tells("offer", "pana", sdp="")
            await heard(scene)
            assert [(peer.taken, peer.closed) for peer in peers] == [(["offer"], True), (["offer"], False)]
            said = [event.body["answer"] for event in scene.live().events if event.kind == "consent"]
            assert said == ["given", "withdrawn", "given"]

    asyncio.run(story())


def test_consent_to_another_recording_is_none_to_this(begin: Begin, peers: list[FakePeer]) -> None:
    async def story() -> None:
        server = FakeServer()
        server.here = [person("pana")]
        async with begin(server) as scene:
            server.tells("consent", recording="r0", participant="pana", answer="given")
            server.tells("offer", "pana", sdp="")
            await heard(scene)
            assert peers == []

    asyncio.run(story())


def test_what_was_answered_while_we_were_away_counts_when_we_are_back(begin: Begin, peers: list[FakePeer]) -> None:
    async def story() -> None:
        server = FakeServer()
        server.here = [person("pana") | {"consent": "given"}, person("pben")]
        async with begin(server) as scene:
            server.here = [person("pana") | {"consent": "withdrawn"}, person("pben") | {"consent": "given"}]
            server.messages.put_nowait(Refused(410, "participant-gone", "Join again."))
            await until(lambda: server.joins == 2)
            for who in ("pana", "pben"):
                server.tells("offer", who, sdp="")
            await heard(scene)
            assert [peer.participant for peer in peers] == ["pben"]

    asyncio.run(story())


def test_the_lease_is_kept_until_everything_is_handed_in(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        uploaded, earlier = asyncio.Event(), asyncio.Event()

        async def slowly(settings: Settings, folder: Path) -> Manifest:
            await uploaded.wait()
            return Manifest(recording="r1", room="x", started_at_ms=0)

        monkeypatch.setattr(handin, "hand_in", slowly)
        server = FakeServer()
        async with begin(server, earlier.wait) as scene:
            server.wanted = "stopped"
            for gate in (uploaded, earlier):
                seen = len(server.reports)
                await until(lambda seen=seen: len(server.reports) > seen + 5)
                assert server.ended is None, "an earlier segment that is still being uploaded belongs to the film too"
                assert not scene.running.done()
                gate.set()
            await until(lambda: server.ended)

    asyncio.run(story())


def test_a_server_that_is_away_ends_nothing(begin: Begin) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server) as scene:
            server.refusal = Away("no route to host")
            server.messages.put_nowait(Away("no route to host"))
            seen, seen_us = len(server.reports), scene.live().seen_us
            await until(lambda: len(server.reports) > seen + 5)
            assert scene.live().seen_us > seen_us
            assert not scene.running.done()
            server.refusal = None

    asyncio.run(story())


@pytest.mark.parametrize("wish", ["report", "message"])
def test_it_stops_when_told_either_way(begin: Begin, wish: str) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server):
            if wish == "report":
                server.wanted = "stopped"
            else:
                server.tells("recording", recording={"id": "r1", "wanted": "stopped"})
            await until(lambda: server.ended)
            assert server.ended is not None
            assert server.ended["reason"] == "stopped"

    asyncio.run(story())


def test_a_recording_that_somebody_else_has_by_now_is_stopped(begin: Begin) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server) as scene:
            server.refusal = Refused(409, "lease-lost", "Stop.")
            await asyncio.wait_for(scene.running, 10)

    asyncio.run(story())


def test_when_shut_down_it_goes_on_until_another_recorder_has_it(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server) as scene:
            server.others = 1
            scene.recorder.hand_over()
            seen = len(server.reports)
            await until(lambda: len(server.reports) > seen + 3)
            assert server.reports[-1]["leaving"]
            assert not scene.running.done()
            server.refusal = Refused(409, "lease-lost", "Stop.")
            await asyncio.wait_for(scene.running, 10)

    monkeypatch.setattr(room, "ASK_S", 0.02)
    asyncio.run(story())


@pytest.mark.parametrize("server_is", ["alone", "away"])
def test_when_shut_down_with_no_other_it_ends_here_and_the_recording_is_left_open(begin: Begin, server_is: str) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server) as scene:
            if server_is == "away":
                server.refusal = Away("no route to host")
            scene.recorder.hand_over()
            await asyncio.wait_for(scene.running, 10)
            assert server.ended is None

    asyncio.run(story())


def test_who_is_shut_down_after_the_stop_hands_in_as_ever(begin: Begin) -> None:
    async def story() -> None:
        server = FakeServer()
        server.others = 1
        async with begin(server) as scene:
            server.wanted = "stopped"
            scene.recorder.hand_over()
            await until(lambda: server.ended)
            assert server.ended is not None
            assert server.ended["reason"] == "stopped"

    asyncio.run(story())


def test_where_nobody_sends_the_recording_ends_by_itself(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SAVE_S", 0.02)

    async def story() -> None:
        server = FakeServer()
        server.here = [person("pana")]
        async with begin(server, idle_s=0.1):
            await until(lambda: server.ended)
            assert server.ended is not None
            assert "nobody had sent" in server.ended["reason"]

    asyncio.run(story())


def test_an_empty_room_ends_the_recording(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        server = FakeServer()
        server.here = [person("pana")]
        async with begin(server) as scene:
            monkeypatch.setattr(room, "EMPTY_S", 0.1)
            seen = len(server.reports)
            await until(lambda: len(server.reports) > seen + 10)
            assert not scene.running.done(), "Ana is there, if silent"
            server.tells("left", participant="pana", reason="left")
            await until(lambda: server.ended)
            assert server.ended is not None
            assert server.ended["reason"] == "everybody had left"

    asyncio.run(story())


def test_a_server_that_is_slow_to_let_it_in_is_no_empty_room(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EMPTY_S", 0.1)

    class Slow(FakeServer):
        async def insist(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
            await until(lambda: self.ended or len(self.reports) > 5)
            return await self.call(method, path, body)

    async def story() -> None:
        server = Slow()
        server.here = [person("pana")]
        async with begin(server):
            assert server.ended is None

    asyncio.run(story())


def test_a_nearly_full_disk_ends_it_while_there_is_room_to_finish(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server):
            monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
            await until(lambda: server.ended)
            assert server.ended is not None
            assert "disk is nearly full" in server.ended["reason"]

    asyncio.run(story())


def test_an_error_of_ours_ends_it_with_what_there_is_instead_of_making_it_deaf(begin: Begin) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server):
            server.messages.put_nowait(KeyError("seq"))
            await until(lambda: server.ended)
            assert server.ended is not None
            assert server.ended["reason"].startswith("The recorder had an error")

    asyncio.run(story())


def test_when_the_room_has_forgotten_us_we_join_again_and_know_who_has_left_meanwhile(begin: Begin) -> None:
    async def story() -> None:
        server = FakeServer()
        server.here = [person("pana"), person("pben")]
        async with begin(server) as scene:
            server.here = [person("pben"), person("pcleo")]
            server.messages.put_nowait(Refused(410, "participant-gone", "Join again."))
            await until(lambda: server.joins == 2)
            await until(lambda: len(scene.live().people) == 3)
            assert [one.id for one in scene.live().people if one.left_us is not None] == ["pana"]
            server.tells("joined", participant=person("pdan"))
            await until(lambda: len(scene.live().people) == 4)

    asyncio.run(story())


def test_a_message_that_makes_no_sense_ends_nothing(begin: Begin) -> None:
    async def story() -> None:
        server = FakeServer()
        async with begin(server) as scene:
            server.tells("offer", "pana", sdp=7)
            server.tells("candidate", "pana", candidates="no list")
            server.tells("state", "pana", microphone=[])
            server.tells("left")
            server.tells("joined", participant=person("pana"))
            await until(lambda: scene.live().people)
            assert not scene.running.done()

    asyncio.run(story())


def test_a_deleted_recording_is_not_ended(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(settings: Settings, folder: Path) -> Manifest:
        raise publish.Refused(404, "no-such-recording", "It may have been deleted.", {})

    monkeypatch.setattr(handin, "hand_in", gone)

    async def story() -> None:
        server = FakeServer()
        async with begin(server):
            server.wanted = "stopped"
        assert server.ended is None

    asyncio.run(story())
