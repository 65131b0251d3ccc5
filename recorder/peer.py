"""Our end of one RTCPeerConnection, with one participant. We never offer: each offer is answered, and only received."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from recorder.answer import completed
from recorder.ice import IceServers
from recorder.passthrough import PassthroughReceiver, Stream
from recorder.rtp.frames import Frame

log = logging.getLogger(__name__)

# (source, stream, frame): source is microphone, camera, screen or screen-sound.
FrameSink = Callable[[str, Stream, Frame], None]
Send = Callable[[str, dict[str, Any]], Awaitable[None]]
Hear = Callable[[str], None]
# None: all of this participant's sources.
Ended = Callable[[str | None], None]
# Longer than any page lets one write, characters.
MOST_TEXT = 4000
# Microphone, camera, screen, its sound and chat are five, and browsers use them again. Each unbundled one is sockets of its own.
MOST_SECTIONS = 32
# Before their offer.
MOST_EARLY = 200
_FINGERPRINT = re.compile(r"^a=fingerprint:(\S+ \S+)", re.MULTILINE)
_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)


def session_of(sdp: str) -> tuple[str, str]:
    """What tells one RTCPeerConnection of the other side from its next: its certificate and ICE's ufrag (RFC 8839 section 5.4).

    The session id of the o= line would say it too, but not every sender keeps it from offer to offer.
    """
    fingerprint, ufrag = _FINGERPRINT.search(sdp), _UFRAG.search(sdp)
    return fingerprint[1] if fingerprint else "", ufrag[1] if ufrag else ""


def line_in(data: str | bytes) -> str:
    """What anybody writes into the channel `chat`; only what the page sends is a line, anything else is ""."""
    try:
        text = json.loads(data)["text"]
    except (ValueError, KeyError, TypeError):
        return ""
    return text[:MOST_TEXT] if isinstance(text, str) and text.strip() else ""


class Peer:
    """send(kind, body) → to this participant's mailbox. sink: every frame it sends us. ended: a source is sent no more.
    hear: every line of chat, by the data channel `chat`.

    What it tells us is taken in one thing after the other, and beside what others tell: one whose candidates take long to
    gather, or whose answer cannot be delivered yet, keeps nobody waiting.
    """

    def __init__(self, participant: str, ice: IceServers, send: Send, sink: FrameSink, ended: Ended, hear: Hear) -> None:
        self.participant = participant
        self._ice, self._send, self._sink, self._ended, self._hear = ice, send, sink, ended, hear
        self._inbox: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._working: asyncio.Task[None] | None = None
        self._connection: RTCPeerConnection | None = None
        self._session: tuple[str, str] | None = None
        self._sources: dict[str, str] = {}
        self._early: list[dict[str, Any]] = []

    def take(self, kind: str, body: dict[str, Any]) -> None:
        """An offer or candidates of this participant, in the order they came."""
        self._inbox.put_nowait((kind, body))
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while True:
            kind, body = await self._inbox.get()
            try:
                await (self.offered(body) if kind == "offer" else self.candidates(body))
            except Exception:
                # A broken message is somebody else's fault and ends nothing.
                log.exception("participant=%s %s could not be taken in", self.participant, kind)

    async def offered(self, body: dict[str, Any]) -> None:
        """Answer an offer. One of a new connection (the page's own, after a failure) replaces the one we had.

        Raises what aiortc makes of one that is none; ValueError for one that wants more than any page.
        """
        if body["sdp"].count("\nm=") > MOST_SECTIONS:
            raise ValueError("an offer of more sections than any page makes")
        session = session_of(body["sdp"])
        if self._connection is not None and session != self._session:
            await self._disconnect()
        if self._connection is None:
            self._connection = self._connect(await self._ice.now())
        self._session = session
        sources = {str(mid): str(source) for mid, source in body.get("sources", {}).items()}
        self._end({mid: source for mid, source in self._sources.items() if source not in sources.values()})
        self._sources = sources
        await self._connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "offer"))
        self._listen(self._connection)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self._ice.gathered(self._connection.localDescription.sdp)
        for candidate in self._early:
            await self._add(self._connection, candidate)
        self._early = []
        await self._send("answer", {"type": "answer", "sdp": completed(self._connection.localDescription.sdp), "sources": {}})

    def _end(self, sources: dict[str, str]) -> None:
        """These (mid → source) are not in the newest offer: hand on what is still in their buffers, then say so."""
        for transceiver in self._connection.getTransceivers() if self._connection else ():
            if transceiver.mid in sources and isinstance(transceiver.receiver, PassthroughReceiver):
                transceiver.receiver.drain()
        for source in sources.values():
            self._ended(source)

    def _connect(self, servers: list[RTCIceServer]) -> RTCPeerConnection:
        # Without a list aiortc would ask a public STUN server.
        connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))

        @connection.on("connectionstatechange")
        def changed() -> None:
            log.info("participant=%s peer %s", self.participant, connection.connectionState)

        @connection.on("datachannel")
        def opened(channel: Any) -> None:
            if channel.label == "chat":
                channel.on("message", self._said)

        return connection

    def _said(self, data: str | bytes) -> None:
        text = line_in(data)
        if text:
            self._hear(text)

    def _listen(self, connection: RTCPeerConnection) -> None:
        for transceiver in connection.getTransceivers():
            receiver = transceiver.receiver
            if isinstance(receiver, PassthroughReceiver) and receiver.sink is None:
                receiver.sink = self._sink_of(transceiver)

    def _sink_of(self, transceiver: Any) -> Callable[[Stream, Frame], None]:
        usual = "microphone" if transceiver.kind == "audio" else "camera"

        def take(stream: Stream, frame: Frame) -> None:
            self._sink(self._sources.get(str(transceiver.mid), usual), stream, frame)

        return take

    async def candidates(self, body: dict[str, Any]) -> None:
        """Take in trickled candidates (RFC 8838); those that come before their offer wait for it."""
        for candidate in body.get("candidates", []):
            if self._connection is None or self._connection.remoteDescription is None:
                self._early = [*self._early, candidate][-MOST_EARLY:]
            else:
                await self._add(self._connection, candidate)

    async def _add(self, connection: RTCPeerConnection, body: dict[str, Any]) -> None:
        line = str(body.get("candidate") or "").removeprefix("candidate:")
        # ICE over TCP to a host candidate is not spoken by aioice; TURN over TCP arrives as udp.
        if not line or " tcp " in line.lower():
            return
        try:
            candidate = candidate_from_sdp(line)
            candidate.sdpMid, candidate.sdpMLineIndex = body.get("sdpMid"), body.get("sdpMLineIndex")
            await connection.addIceCandidate(candidate)
        except (ValueError, IndexError, AssertionError, OSError) as error:
            log.debug("participant=%s candidate not taken: %s", self.participant, error)

    @property
    def receivers(self) -> list[PassthroughReceiver]:
        """The receivers there are, with their streams and clocks."""
        if self._connection is None:
            return []
        return [t.receiver for t in self._connection.getTransceivers() if isinstance(t.receiver, PassthroughReceiver)]

    async def close(self) -> None:
        """Hand on what the buffers hold, and end."""
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        await self._disconnect()

    async def _disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            for receiver in self.receivers:
                receiver.drain()
            self._connection = None
            await connection.close()
        self._sources = {}
        self._ended(None)
