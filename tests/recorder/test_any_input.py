"""Whatever is sent to a recorder or lies in its files: what makes no sense is passed over or refused, and nothing ends by it."""

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import encoded
import pytest
from aiortc import RTCRtpReceiver, rtcpeerconnection
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from senders import Sender, Voice

from recorder import manifest as manifests
from recorder import passthrough
from recorder.chapters import as_webvtt, chapters
from recorder.ice import IceServers
from recorder.layout import scenes
from recorder.manifest import Manifest
from recorder.peer import Peer
from recorder.quality import judge
from recorder.rtp.frames import Frame
from recorder.shortcut import Path as ShortWay
from recorder.track import TrackWriter
from recorder.waveform import draw

QUICKLY = settings(max_examples=80, deadline=None)

# -- datagrams ----------------------------------------------------------------------------------------------------------------


def short_way(heard: list[Any]) -> ShortWay:
    """Of a connection whose keys change nothing, to one receiver that hears all."""
    receiver = SimpleNamespace(
        take=lambda packet, _now: heard.append(packet), take_report=lambda packet, _at: heard.append(packet)
    )
    clear = SimpleNamespace(unprotect=bytes, unprotect_rtcp=bytes)
    router = SimpleNamespace(route_rtp=lambda _packet: receiver, route_rtcp=lambda _packet: [receiver])
    transport: Any = SimpleNamespace(_rx_srtp=clear, _rtp_router=router)
    return ShortWay(transport)


# Version 2, and any of the bits and types that follow; or anything.
rtp = st.builds(lambda first, rest: bytes([0x80 | first]) + rest, st.integers(0, 63), st.binary(min_size=11, max_size=80))
rtcp = st.builds(
    lambda first, kind, rest: bytes([0x80 | first, kind]) + len(rest).to_bytes(2, "big")[:2] + rest,
    st.integers(0, 63), st.integers(192, 223), st.binary(min_size=8, max_size=80),
)  # fmt: skip
whole_rtcp = st.builds(
    lambda first, kind, words: bytes([0x80 | first, kind]) + (len(words) // 4).to_bytes(2, "big") + words,
    st.integers(0, 31), st.integers(200, 206), st.integers(2, 16).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
)  # fmt: skip


@given(st.lists(rtp | rtcp | whole_rtcp | st.binary(max_size=60), max_size=10))
@QUICKLY
def test_any_datagram_is_taken_or_passed_over_without_a_word(datagrams: list[bytes]) -> None:
    said: list[logging.LogRecord] = []
    ear = logging.Handler(logging.WARNING)
    ear.emit = said.append  # type: ignore[method-assign]
    way, log = short_way([]), logging.getLogger("recorder.shortcut")
    log.addHandler(ear)
    try:
        for data in datagrams:
            assert way.take(data, 0) == (len(data) >= 12 and data[0] >> 6 == 2)
    finally:
        log.removeHandler(ear)
    # Who sends a million of them must not fill the disk with what we say of it.
    assert not said


# -- frames -------------------------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(encoded.HZ)), st.booleans(), st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8))
@QUICKLY
def test_any_frames_become_a_file_or_none(codec: str, begins_well: bool, payloads: list[bytes]) -> None:
    good = encoded.frames(codec, 0.2)
    sent = (good[:1] if begins_well else []) + [Frame(codec, 0, data, True, 0) for data in payloads]
    for number, frame in enumerate(sent):
        frame.timestamp = encoded.FIRST_TICKS + number * 3000
    with tempfile.TemporaryDirectory() as folder:
        try:
            writer = TrackWriter(Path(folder) / "track", encoded.HZ[codec], sent[0])
        except (av.FFmpegError, OSError):
            assert not begins_well
            assert not list(Path(folder).iterdir())
            return
        for frame in sent[1:]:
            writer.write(frame)
        writer.close()
        with av.open(str(writer.path)) as container:
            assert begins_well <= sum(packet.size > 0 for packet in container.demux()) <= len(sent)


# -- the manifest -------------------------------------------------------------------------------------------------------------

us = st.integers(-(1 << 70), 1 << 70) | st.integers(0, 10_000_000)
ids = st.sampled_from(["pana", "pben", "", "../x"])
text = st.text(max_size=12)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
a_track = st.fixed_dictionaries(
    {
        "file": text, "segment": text, "participant": ids, "source": st.sampled_from(["camera", "microphone", "screen", "?"]),
        "kind": st.sampled_from(["audio", "video", "?"]), "codec": st.sampled_from(["Opus", "VP8", "?"]), "start_us": us,
        "duration_us": us,
    }
)  # fmt: skip
a_manifest = st.fixed_dictionaries(
    {"recording": text, "room": text, "started_at_ms": us | anything},
    optional={
        "title": text | anything, "duration_us": us | anything, "tracks": st.lists(a_track, max_size=4) | anything,
        "participants": st.lists(st.fixed_dictionaries({"id": ids, "name": text, "joined_us": us, "left_us": us}), max_size=4),
        "events": st.lists(
            st.fixed_dictionaries(
                {"at_us": us, "kind": st.sampled_from(["mark", "consent", "camera-off", "camera-on"]), "participant": ids,
                 "body": st.dictionaries(st.sampled_from(["label", "answer"]), text)}
            ),
            max_size=6,
        ),
    },
)  # fmt: skip


@given(a_manifest | anything)
@QUICKLY
def test_any_manifest_is_refused_or_can_be_worked_with(said: Any) -> None:
    try:
        whole = Manifest.model_validate_json(json.dumps(said))
    except ValidationError:
        return
    stitched = manifests.stitch([whole, whole])
    manifests.mark_withdrawn(stitched)
    for shown in (stitched, manifests.part_of(stitched, 0, 5_000_000, ["pana"]), manifests.without(stitched, {"pben"})):
        covered = scenes(shown)
        assert sum(scene.end_us - scene.start_us for scene in covered) == max(0, shown.duration_us)
        assert as_webvtt(chapters(shown)).startswith("WEBVTT")
        assert len(draw(shown, []).peaks) <= 10 * manifests.LONGEST_US / 1e6 + 1
        assert judge(shown, [], {}, {}).verdict in ("good", "fair", "poor")


@given(st.binary(max_size=200))
@QUICKLY
def test_any_bytes_in_place_of_a_manifest_are_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.json"
        path.write_bytes(data)
        with pytest.raises(ValidationError):
            manifests.load(path)


# -- offers -------------------------------------------------------------------------------------------------------------------

Change = Callable[[list[str]], list[str]]
place = st.floats(0, 1, exclude_max=True)


def at(where: float, lines: list[str]) -> int:
    return min(int(where * len(lines)), len(lines) - 1)


changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(lambda where: lambda lines: lines[: at(where, lines)] + lines[at(where, lines) + 1 :], place),
    st.builds(lambda where: lambda lines: lines[: at(where, lines)], place),
    st.builds(lambda where, by: lambda lines: [*lines[: at(where, lines)], by, *lines[at(where, lines) + 1 :]], place, text),
    st.builds(lambda where, by: lambda lines: [*lines, "a=" + by, *lines[at(where, lines) :]], place, text),
    st.just(lambda lines: [line.replace("sendonly", "inactive") for line in lines] * 2),
    st.just(lambda lines: lines + ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0"] * 500),
)
bodies = st.dictionaries(st.sampled_from(["sdp", "sources", "type"]), anything, max_size=3)


@given(st.lists(st.lists(changes, min_size=1, max_size=3) | bodies, min_size=1, max_size=3))
@settings(max_examples=15, deadline=None)
def test_after_any_offer_the_next_good_one_is_answered(sent: list[list[Change] | dict[str, Any]]) -> None:
    async def story() -> None:
        answers: list[dict[str, Any]] = []

        async def answer(_kind: str, body: dict[str, Any]) -> None:
            answers.append(body)

        sender, other = Sender(microphone=Voice()), Sender(microphone=Voice())
        peer = Peer("pana", IceServers({"ice_servers": []}, never), answer, lambda *_: None, lambda _: None, lambda _: None)
        good = await sender.offer()
        try:
            for wrong in sent:
                with contextlib.suppress(Exception):  # as whoever reads the mailbox does
                    await asyncio.wait_for(peer.offered(wrong if isinstance(wrong, dict) else changed(good, wrong)), 20)
            answers.clear()
            await asyncio.wait_for(peer.offered(await other.offer()), 20)
            assert "m=audio" in answers[0]["sdp"]
        finally:
            for one in (peer, sender, other):
                await one.close()

    async def never() -> dict[str, Any]:
        raise AssertionError("nothing is to be renewed")

    passthrough.install()
    try:
        asyncio.run(story())
    finally:
        rtcpeerconnection.RTCRtpReceiver = RTCRtpReceiver


def changed(offer: dict[str, Any], changes: list[Change]) -> dict[str, Any]:
    lines = offer["sdp"].splitlines()
    for change in changes:
        lines = change(lines)
    return offer | {"sdp": "\r\n".join([*lines, ""])}
