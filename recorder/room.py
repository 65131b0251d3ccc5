"""One recording from the claim to the end: joins the room, takes in every person in it, closes the files, hands them in.

The server may be away, people may come and go: what is on disk is what counts, everything else is reported when it can be.
"""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from recorder import handin, publish, segment, watch
from recorder.api import Away, Refused, Server
from recorder.chunks import people as over_http
from recorder.chunks.people import HttpPeople
from recorder.clock import now_us
from recorder.config import Settings
from recorder.ice import IceServers
from recorder.mailbox import Gone, Mailbox
from recorder.peer import Peer, line_in
from recorder.segment import LiveEvent, LivePerson, LiveSaid, LiveSegment
from recorder.tracks import Tracks

log = logging.getLogger(__name__)

REPORT_S = 2.0
SAVE_S = 2.0
# With nobody there to record for so long, the recording ends by itself.
EMPTY_S = 30.0
# How long another recorder is waited for when this one is shut down, and how often it is asked whether one has come.
HAND_OVER_S, ASK_S = 15.0, 0.25
# Lines of chat kept of one run: far more than people write, and no way to fill the disk.
MOST_SAID = 10_000
HANDED_OVER = "the recorder was shut down"


class RoomRecorder:
    """claim: the server's answer to ours: recording, room, title, segment and its number, lease_s.

    earlier: waits until what a dead run of ours left of this recording is handed in; it must be there before the pipeline begins.
    """

    def __init__(self, settings: Settings, server: Server, claim: dict[str, Any], earlier: Callable[[], Awaitable[None]]) -> None:
        self._settings, self._server, self._earlier = settings, server, earlier
        self.recording, self._room, self._segment = str(claim["recording"]), str(claim["room"]), str(claim["segment"])
        self._folder = segment.folder_of(settings.work_dir, self.recording, self._segment)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._live = LiveSegment(
            recording=self.recording,
            segment=self._segment,
            number=int(claim["number"]),
            room=self._room,
            title=str(claim["title"]),
            started_us=now_us(),
            seen_us=now_us(),
        )
        self._tracks = Tracks(self._live, self._folder, self._save)
        self._peers: dict[str, Peer] = {}
        self._over_http: HttpPeople | None = None
        self._people: dict[str, LivePerson] = {}
        self._states: dict[str, dict[str, Any]] = {}
        # What each has answered last to being recorded. Only the offers of who has agreed are taken.
        self._answers: dict[str, str | None] = {}
        self._mailbox: Mailbox | None = None
        self._token = ""
        self._ice: IceServers | None = None
        self._stopping = asyncio.Event()
        self._report_now = asyncio.Event()
        self._reason = "stopped"
        self._leaving_s: float | None = None
        self._alone_since = self._heard_s = time.monotonic()

    def stop(self, reason: str) -> None:
        """End soon, with everything that was sent until now."""
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()

    def hand_over(self) -> None:
        """Go on until another recorder has it, if there is one; then end, with everything that was sent until now."""
        if self._leaving_s is None:
            self._leaving_s = time.monotonic()
            self._report_now.set()

    @property
    def _is_leaving(self) -> bool:
        # Who was told to stop is not to be followed by another: what is there is handed in.
        return self._leaving_s is not None and not self._stopping.is_set()

    @property
    def people(self) -> int:
        """How many persons are in the room."""
        return len(self._people)

    @property
    def sending(self) -> int:
        """How many of them are being recorded."""
        return len(self._peers) + (len(self._over_http) if self._over_http else 0)

    @property
    def is_paused(self) -> bool:
        """Whether nothing is kept at the moment."""
        return self._tracks.paused

    @property
    def bytes(self) -> int:
        """Written until now."""
        return self._tracks.bytes

    async def run(self) -> None:
        """Until stopped: then close, finalise, upload, tell. Never raises for what the world does."""
        self._save()
        # The lease is ours until everything is handed in: an hour takes longer to upload than a lease lasts.
        reporting = asyncio.create_task(self._guarded(self._report()))
        following = [asyncio.create_task(self._guarded(work)) for work in (self._listen(), self._keep())]
        try:
            await self._stopping.wait()
            await _cancel(*following)
            await self._close()
            await self._hand_in()
        finally:
            await _cancel(reporting, *following)
            self._tracks.close()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """An error of ours in one of the tasks ends the recording, with all that it has, rather than making it deaf."""
        try:
            await work
        except Exception:
            log.exception("recording=%s an error in the recorder", self.recording)
            self.stop("The recorder had an error; this is what it had recorded until then.")

    # -- the room ---------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Join, and follow the mailbox; when the server forgot us, join again."""
        while not self._stopping.is_set():
            try:
                mailbox = await self._join()
                async for message in mailbox.messages():
                    await self._take(message)
            except Gone:
                log.info("recording=%s the room has forgotten us; joining again", self.recording)
                await self._close_peers()
            except Refused as refusal:
                self.stop("the room was closed" if refusal.status == 410 else f"the server refused: {refusal}")
                return

    async def _join(self) -> Mailbox:
        wish = {"name": "Recorder", "kind": "recorder", "recording": self.recording}
        entered = await self._server.insist("POST", f"/rooms/{self._room}/participants", wish)
        self._token = entered["token"]
        self._ice = IceServers(entered, partial(self._server.call, "GET", "/ice-servers", token=self._token))
        self._mailbox = Mailbox(self._server, self._token, entered["wait_s"], entered["after"])
        ended = partial(self._tracks.end, road="http")
        us = str(entered["participant"]["id"])
        self._over_http = HttpPeople(self._server, us, self._token, self._mailbox.send, self._tracks.take, ended, self._wrote)
        for gone in self._people.keys() - {other["id"] for other in entered["participants"]}:
            await self._person_left(gone)
        for other in entered["participants"]:
            self._person_came(other)
            await self._answered(other["id"], other.get("consent"))
        log.info("recording=%s room=%s joined, %d people there", self.recording, self._room, len(self._people))
        return self._mailbox

    async def _take(self, message: dict[str, Any]) -> None:
        """One message. A broken one is somebody else's fault and ends nothing."""
        sender, kind, body = message["from"], message["kind"], message["body"]
        try:
            if sender == "server":
                self._take_from_server(kind, body)
                if kind == "left":
                    await self._person_left(body["participant"])
                elif kind == "consent" and body["recording"] == self.recording:
                    await self._answered(body["participant"], body["answer"])
            elif kind in (*over_http.KINDS, "offer", "candidate") and self._answers.get(sender) != "given":
                log.info("recording=%s participant=%s has not agreed to be recorded: %s not taken", self.recording, sender, kind)
            elif kind in ("offer", "candidate"):
                self._peer(sender).take(kind, body)
            elif kind in over_http.KINDS and self._over_http is not None:
                await self._over_http.take(sender, kind, body)
            elif kind == "state":
                self._note_state(sender, body)
        except Exception:
            log.exception("recording=%s participant=%s %s could not be taken in", self.recording, sender, kind)

    def _take_from_server(self, kind: str, body: dict[str, Any]) -> None:
        if kind == "joined":
            self._person_came(body["participant"])
        elif kind == "recording" and body["recording"]["id"] == self.recording:
            self._wanted(body["recording"]["wanted"])
            if "mark" in body:
                self._event("mark", body=body["mark"])

    def _wanted(self, wanted: str) -> None:
        if wanted == "stopped":
            self.stop("stopped")
        elif (wanted == "paused") != self._tracks.paused:
            self._tracks.paused = wanted == "paused"
            if self._over_http is not None and not self._tracks.paused:
                self._over_http.begin_anew()
            self._event("paused" if self._tracks.paused else "resumed")
            log.info("recording=%s %s", self.recording, "paused" if self._tracks.paused else "resumed")

    def _person_came(self, participant: dict[str, Any]) -> None:
        if participant["kind"] == "person" and participant["id"] not in self._people:
            person = LivePerson(id=participant["id"], name=participant["name"], joined_us=now_us())
            self._people[person.id] = person
            self._live.people.append(person)
            self._event("joined", person.id)

    async def _answered(self, participant: str, answer: str | None) -> None:
        """What a person says of being recorded; from anything but `given` on, nothing of theirs is taken in."""
        before, self._answers[participant] = self._answers.get(participant), answer
        if answer != before and participant in self._people:
            self._event("consent", participant, {"answer": answer})
        if answer != "given":
            await self._close_peer(participant)

    async def _person_left(self, participant: str) -> None:
        person = self._people.pop(participant, None)
        if person is not None:
            person.left_us = now_us()
            self._event("left", participant)
        self._answers.pop(participant, None)
        await self._close_peer(participant)

    async def _close_peer(self, participant: str) -> None:
        if self._over_http is not None:
            self._over_http.close(participant)
        peer = self._peers.pop(participant, None)
        if peer is not None:
            await peer.close()

    def _note_state(self, participant: str, body: dict[str, Any]) -> None:
        """Muted and shown, as events: only what changed."""
        before, self._states[participant] = self._states.get(participant, {}), body
        for source in ("microphone", "camera", "screen"):
            if source in body and body[source] != before.get(source):
                self._event(f"{source}-{'on' if body[source] else 'off'}", participant)

    def _event(self, kind: str, participant: str = "", body: dict[str, Any] | None = None) -> None:
        self._live.events.append(LiveEvent(at_us=now_us(), kind=kind, participant=participant, body=body or {}))

    def _wrote(self, participant: str, message: str) -> None:
        text = line_in(message)
        if text:
            self._said(participant, text)

    def _said(self, participant: str, text: str) -> None:
        if not self._tracks.paused and len(self._live.chat) < MOST_SAID:
            self._live.chat.append(LiveSaid(at_us=now_us(), participant=participant, text=text))

    def _peer(self, participant: str) -> Peer:
        peer = self._peers.get(participant)
        if peer is None:
            assert self._mailbox is not None
            assert self._ice is not None
            send = partial(self._mailbox.send, participant)
            sink, ended = partial(self._tracks.take, participant), partial(self._tracks.end, participant)
            peer = Peer(participant, self._ice, send, sink, ended, partial(self._said, participant))
            self._peers[participant] = peer
        return peer

    # -- the server's view of us ------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        """The heartbeat. When the server is away the recording goes on."""
        looked_s = time.monotonic()
        while not (self._stopping.is_set() and self._reason == HANDED_OVER):
            state = "paused" if self._tracks.paused else "recording" if self._mailbox is not None else "starting"
            now_s = time.monotonic()
            news = self._news(state, now_s - looked_s)
            looked_s = now_s
            try:
                answer = await self._server.call("POST", f"/recordings/{self.recording}/report", news)
                self._wanted(answer["wanted"])
                self._watch_the_handing_over(answer.get("others", 0))
            except Away as error:
                log.warning("recording=%s the server is away (%s); recording goes on", self.recording, error)
                self._watch_the_handing_over(0)
            except Refused as refusal:
                self.stop("lease lost" if refusal.code == "lease-lost" else str(refusal))
                return
            await self._pause(state)

    async def _pause(self, state: str) -> None:
        """Until the next report: in its own rhythm, but at once when it has joined or is to go."""
        if self._is_leaving:
            await asyncio.sleep(ASK_S)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._report_now.wait(), REPORT_S if state != "starting" else 0.1)
            self._report_now.clear()

    def _watch_the_handing_over(self, others: int) -> None:
        """Without another to take over, or after a while, it ends here; it goes on when a recorder is back."""
        if self._leaving_s is None or self._stopping.is_set():
            return
        if others == 0 or time.monotonic() - self._leaving_s > HAND_OVER_S:
            self.stop(HANDED_OVER)

    def _news(self, state: str, period_s: float) -> dict[str, Any]:
        """How it goes, and what the host should know."""
        tracks = self._tracks.health(period_s)
        if any(track["frame_age_ms"] < 1000 for track in tracks) or self._tracks.paused:
            self._heard_s = time.monotonic()
        free, rate = shutil.disk_usage(self._folder).free, sum(track["bytes_per_s"] for track in tracks)
        alarms = watch.alarms(tracks, self._states, now_us() // 1000, self._tracks.paused)
        if self._tracks.sound_only:
            alarms.append({"kind": "sound-only"})
        hours = watch.hours_left(free, self._tracks.bytes, rate)
        if hours is not None and hours < watch.LOW_HOURS:
            alarms.append({"kind": "disk"})
        return {"segment": self._segment, "state": state, "tracks": tracks, "alarms": alarms, "disk_hours": hours} | (
            {"leaving": True} if self._is_leaving else {}
        )

    async def _keep(self) -> None:
        """Whatever the server does: save what is known, and see whether to go on."""
        while True:
            self._save()
            self._watch_for_emptiness()
            self._watch_for_silence()
            self._watch_the_disk()
            await asyncio.sleep(SAVE_S)

    def _save(self) -> None:
        self._tracks.note_clocks()
        self._live.seen_us = now_us()
        segment.save_live(self._live, self._folder)

    def _watch_the_disk(self) -> None:
        """When room runs short sound goes on without picture; then it ends cleanly, while there is still room to finish."""
        room = watch.room_on_disk(shutil.disk_usage(self._folder).free, self._tracks.bytes)
        if self._tracks.trouble:
            self.stop(self._tracks.trouble)
        elif room == "none":
            self.stop("The recorder's disk is nearly full; everything until now is kept.")
        elif room == "sound only" and not self._tracks.sound_only:
            self._tracks.sound_only = True
            self._event("sound-only")
            log.warning("recording=%s the disk is nearly full: from now on sound only", self.recording)

    def _watch_for_silence(self) -> None:
        if time.monotonic() - self._heard_s > self._settings.idle_s:
            self.stop(f"nobody had sent sound or picture for {self._settings.idle_s // 60} minutes")

    def _watch_for_emptiness(self) -> None:
        if self._people or self._mailbox is None:  # nobody is known to be away before we are there
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > EMPTY_S:
            self.stop("everybody had left")

    # -- the end ------------------------------------------------------------------------------------------------------------

    async def _close_peers(self) -> None:
        if self._over_http is not None:
            await self._over_http.stop()
        peers, self._peers = list(self._peers.values()), {}
        await asyncio.gather(*(peer.close() for peer in peers), return_exceptions=True)

    async def _close(self) -> None:
        await self._close_peers()
        for person in self._people.values():
            person.left_us = now_us()
        self._tracks.close()
        with contextlib.suppress(OSError):  # a full disk: what was saved last describes all but the end
            self._save()
        if self._token:
            with contextlib.suppress(Away, Refused):  # the server notices by itself
                await self._server.call("POST", "/leave", {}, self._token)

    async def _hand_in(self) -> None:
        """Finalise, upload, and say that it is done."""
        try:
            described = await handin.hand_in(self._settings, self._folder)
        except publish.Refused as refusal:
            log.error("recording=%s the server does not take it: %s", self.recording, refusal)
            return
        if self._reason == HANDED_OVER:
            log.info("recording=%s is left to the recorder that comes next", self.recording)
        else:
            await self._earlier()
            await handin.end(self._server, described, self._segment, self._reason)
        handin.settle(self._folder)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
