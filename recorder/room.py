"""One recording from the claim to the end: joins the room, takes in every person in it, closes the files, hands them in.

The server may be away, people may come and go: what is on disk is what counts, everything else is reported when it can be.
"""

import asyncio
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import av

from recorder import naming, segment
from recorder.api import Away, Refused, Server
from recorder.config import Settings
from recorder.mailbox import Gone, Mailbox
from recorder.manifest import Manifest
from recorder.passthrough import Stream
from recorder.peer import Peer
from recorder.publish import Library
from recorder.rtp.frames import Frame
from recorder.segment import LiveEvent, LivePerson, LiveSegment, LiveTrack
from recorder.track import TrackWriter

log = logging.getLogger(__name__)

REPORT_S = 2.0
# With nobody there to record for so long, the recording ends by itself.
EMPTY_S = 30.0


def now_us() -> int:
    return time.time_ns() // 1000


class Tracks:
    """The files of a segment: a frame goes to its track's file, and to a new one when a stream begins anew."""

    def __init__(self, live: LiveSegment, folder: Path) -> None:
        self._live, self._folder = live, folder
        self._writers: dict[tuple[str, str, Stream], tuple[TrackWriter, LiveTrack, Stream]] = {}
        self._before: dict[str, int] = {}
        self._awaiting_key: set[Stream] = set()
        self.paused = False
        (folder / "live").mkdir(parents=True, exist_ok=True)

    def take(self, participant: str, source: str, stream: Stream, frame: Frame) -> None:
        """One encoded frame of one participant's source."""
        if self.paused:
            self._awaiting_key.add(stream)
            return
        known = self._writers.get((participant, source, stream))
        if known is None or stream in self._awaiting_key:
            if not frame.is_key:
                stream.intake.needs_key()
                return
            self._awaiting_key.discard(stream)
        if known is None:
            try:
                self._writers[participant, source, stream] = self._begin(participant, source, stream, frame)
            except (av.FFmpegError, OSError) as error:
                log.warning("recording=%s participant=%s %s cannot begin: %s", self._live.recording, participant, source, error)
                stream.intake.needs_key()
        else:
            known[0].write(frame)

    def _begin(self, participant: str, source: str, stream: Stream, frame: Frame) -> tuple[TrackWriter, LiveTrack, Stream]:
        base = self._folder / "live" / f"{participant}-{source}-{len(self._writers) + 1}"
        writer = TrackWriter(base, stream.intake.clock_hz, frame)
        track = LiveTrack(
            file=writer.path.name, participant=participant, source=source, kind="audio" if frame.codec == "opus" else "video",
            codec=frame.codec, clock_hz=stream.intake.clock_hz,
            first_timestamp=frame.timestamp, first_arrival_us=frame.arrival_ms * 1000,
        )  # fmt: skip
        self._live.tracks.append(track)
        log.info("recording=%s participant=%s %s (%s) has begun", self._live.recording, participant, source, frame.codec)
        return writer, track, stream

    def note_clocks(self) -> None:
        """Bring the sender reports into what is saved."""
        for writer, track, stream in self._writers.values():
            track.clock = [(report.timestamp, report.ntp_us, report.arrival_us) for report in stream.clock]
            track.lost_packets = writer.lost

    def health(self, period_s: float) -> list[dict[str, Any]]:
        """Per track: bytes a second since the last look, age of the last frame, packets lost."""
        found, now_ms = [], now_us() // 1000
        for writer, track, stream in self._writers.values():
            written = writer.bytes - self._before.get(track.file, 0)
            self._before[track.file] = writer.bytes
            found.append(
                {
                    "participant": track.participant, "source": track.source, "bytes_per_s": round(written / period_s),
                    "frame_age_ms": now_ms - stream.intake.last_frame_ms, "lost": stream.intake.buffer.lost,
                    "frames": writer.frames,
                }
            )  # fmt: skip
        return found

    def close(self) -> None:
        for writer, track, _ in self._writers.values():
            try:
                writer.close()
            except (av.FFmpegError, OSError):
                log.exception("recording=%s %s could not be closed; what is on the disk counts", self._live.recording, track.file)


class RoomRecorder:
    """claim: the server's answer to ours: recording, room, title, segment, lease_s."""

    def __init__(self, settings: Settings, server: Server, claim: dict[str, Any]) -> None:
        self._settings, self._server = settings, server
        self.recording, self._room, self._segment = str(claim["recording"]), str(claim["room"]), str(claim["segment"])
        self._folder = segment.folder_of(settings.work_dir, self.recording, self._segment)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._live = LiveSegment(
            recording=self.recording,
            segment=self._segment,
            room=self._room,
            title=str(claim["title"]),
            started_us=now_us(),
            seen_us=now_us(),
        )
        self._tracks = Tracks(self._live, self._folder)
        self._peers: dict[str, Peer] = {}
        self._people: dict[str, LivePerson] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._mailbox: Mailbox | None = None
        self._token = ""
        self._ice_servers: list[dict[str, Any]] = []
        self._stopping = asyncio.Event()
        self._reason = "stopped"
        self._alone_since = time.monotonic()

    def stop(self, reason: str) -> None:
        """End soon, with everything that was sent until now."""
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()

    async def run(self) -> None:
        """Until stopped: then close, finalise, upload, tell. Never raises for what the world does."""
        segment.save_live(self._live, self._folder)
        listening = asyncio.create_task(self._listen())
        reporting = asyncio.create_task(self._report())
        try:
            await self._stopping.wait()
        finally:
            for task in (listening, reporting):
                task.cancel()
            await asyncio.gather(listening, reporting, return_exceptions=True)
            await self._close()
        await self.hand_in()

    # -- the room ---------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Join, and follow the mailbox; when the server forgot us, join again."""
        while not self._stopping.is_set():
            try:
                await self._join()
                assert self._mailbox is not None
                async for message in self._mailbox.messages():
                    await self._take(message)
            except Gone:
                log.info("recording=%s the room has forgotten us; joining again", self.recording)
                await self._close_peers()
            except Refused as refusal:
                self.stop("the room was closed" if refusal.status == 410 else f"the server refused: {refusal}")

    async def _join(self) -> None:
        wish = {"name": "Recorder", "kind": "recorder", "recording": self.recording}
        entered = await self._server.insist("POST", f"/rooms/{self._room}/participants", wish)
        self._token, self._ice_servers = entered["token"], entered["ice_servers"]
        self._mailbox = Mailbox(self._server, self._token, entered["wait_s"], entered["after"])
        for other in entered["participants"]:
            self._person_came(other)
        log.info("recording=%s room=%s joined, %d people there", self.recording, self._room, len(self._people))

    async def _take(self, message: dict[str, Any]) -> None:
        """One message. A broken one is somebody else's fault and ends nothing."""
        sender, kind, body = message["from"], message["kind"], message["body"]
        try:
            if sender == "server":
                self._take_from_server(kind, body)
                if kind == "left":
                    await self._person_left(body["participant"])
            elif kind == "offer":
                await self._peer(sender).offered(body)
            elif kind == "candidate":
                await self._peer(sender).candidates(body)
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
            self._event("paused" if self._tracks.paused else "resumed")
            log.info("recording=%s %s", self.recording, "paused" if self._tracks.paused else "resumed")

    def _person_came(self, participant: dict[str, Any]) -> None:
        if participant["kind"] == "person" and participant["id"] not in self._people:
            person = LivePerson(id=participant["id"], name=participant["name"], joined_us=now_us())
            self._people[person.id] = person
            self._live.people.append(person)
            self._event("joined", person.id)

    async def _person_left(self, participant: str) -> None:
        person = self._people.pop(participant, None)
        if person is not None:
            person.left_us = now_us()
            self._event("left", participant)
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

    def _peer(self, participant: str) -> Peer:
        peer = self._peers.get(participant)
        if peer is None:
            assert self._mailbox is not None
            send = partial(self._mailbox.send, participant)
            peer = Peer(participant, self._ice_servers, send, partial(self._tracks.take, participant))
            self._peers[participant] = peer
        return peer

    # -- the server's view of us ------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        """The heartbeat. When the server is away the recording goes on."""
        while True:
            state = "paused" if self._tracks.paused else "recording" if self._mailbox is not None else "starting"
            news = {"segment": self._segment, "state": state, "tracks": self._tracks.health(REPORT_S)}
            try:
                answer = await self._server.call("POST", f"/recordings/{self.recording}/report", news)
                self._wanted(answer["wanted"])
            except Away as error:
                log.warning("recording=%s the server is away (%s); recording goes on", self.recording, error)
            except Refused as refusal:
                self.stop("lease lost" if refusal.code == "lease-lost" else str(refusal))
            self._save()
            self._watch_for_emptiness()
            # A new recorder reports at once that it has joined; then in its own rhythm.
            await asyncio.sleep(REPORT_S if state != "starting" else 0.1)

    def _save(self) -> None:
        self._tracks.note_clocks()
        self._live.seen_us = now_us()
        segment.save_live(self._live, self._folder)

    def _watch_for_emptiness(self) -> None:
        if self._people:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > EMPTY_S:
            self.stop("everybody had left")

    # -- the end ------------------------------------------------------------------------------------------------------------

    async def _close_peers(self) -> None:
        peers, self._peers = list(self._peers.values()), {}
        await asyncio.gather(*(peer.close() for peer in peers), return_exceptions=True)

    async def _close(self) -> None:
        await self._close_peers()
        for person in self._people.values():
            person.left_us = now_us()
        self._tracks.close()
        self._save()
        if self._token:
            try:
                await self._server.call("POST", "/leave", {}, self._token)
            except (Away, Refused):
                pass  # the server notices by itself

    async def hand_in(self) -> None:
        """Finalise, upload, and say that it is done."""
        described = await asyncio.to_thread(publish_segment, self._settings, self._folder)
        await end(self._server, described, self._segment, self._reason)


def publish_segment(settings: Settings, folder: Path) -> Manifest:
    """Finalise a segment's folder and upload all of it. Repeatable: what is there already is replaced by the same."""
    described = segment.finalise(folder)
    library = Library(settings)
    try:
        date = naming.date_of(described.started_at_ms)
        used = _parts_elsewhere(library, described.recording, folder.name)
        for track in described.tracks:
            person = described.name_of(track.participant)
            part = used[person, track.source] = used.get((person, track.source), 0) + 1
            name = naming.track_name(date, described.title, person, track.source, Path(track.file).suffix, part)
            meta = track.model_dump(exclude_none=True) | {"person": person}
            library.upload(described.recording, folder / track.file, name, "track", meta)
        library.upload(
            described.recording, folder / "segment.json", f"segment-{folder.name}.json", "segment", {"segment": folder.name}
        )
    finally:
        library.close()
    (folder / "published").touch()
    return described


def _parts_elsewhere(library: Library, recording: str, segment_id: str) -> dict[tuple[str, str], int]:
    """(person, source) → how many files of it other segments have handed in: ours must not take their names."""
    used: dict[tuple[str, str], int] = {}
    for artifact in library.describe(recording)["artifacts"]:
        meta = artifact["meta"]
        if artifact["kind"] == "track" and meta.get("segment") != segment_id:
            key = (str(meta.get("person")), str(meta.get("source")))
            used[key] = used.get(key, 0) + 1
    return used


async def end(server: Server, described: Manifest, segment_id: str, reason: str) -> None:
    """Tell the server that this segment's recorder is done, and begin the pipeline."""
    news = {"segment": segment_id, "reason": reason, "duration_ms": described.duration_us // 1000}
    try:
        answer = await server.insist("POST", f"/recordings/{described.recording}/end", news)
    except Refused as refusal:
        log.info(
            "recording=%s segment %s is handed in; the recording goes on elsewhere (%s)",
            described.recording,
            segment_id,
            refusal.code,
        )
        return
    from recorder import jobs

    for step in answer["next"]:
        await asyncio.to_thread(jobs.enqueue, described.recording, step)
    log.info("recording=%s handed in: %d tracks, %.1f s", described.recording, len(described.tracks), described.duration_us / 1e6)
