"""A call between two people through each kind of network, recorded."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import av
import pytest

from tests.journeys.house import LIMIT_S, Visitor
from tests.networks import parts
from tests.networks.lab import Lab
from tests.people import eventually

pytestmark = [pytest.mark.browser, pytest.mark.network]

# The selected pair of this connection, once it has one: how far from direct it is, and how we reach the relay.
PATH = """async () => {
    const [peer] = letterbox.peers().filter(p => p.kind === 'person');
    const reports = [...(await peer.connection.getStats()).values()];
    const transport = reports.find(r => r.type === 'transport');
    const pair = reports.find(r => r.id === transport?.selectedCandidatePairId);
    const [ours, theirs] = [pair?.localCandidateId, pair?.remoteCandidateId].map(id => reports.find(r => r.id === id));
    return { ours: ours?.candidateType, theirs: theirs?.candidateType, by: ours?.relayProtocol ?? null, url: ours?.url ?? null };
}"""
# Every track of the room's newest recording, as it is downloaded.
TRACKS = """async () => {
    const [{ hostKey, room }] = JSON.parse(localStorage['letterbox.rooms']);
    const answer = await fetch(`/api/v1/rooms/${room}/recordings`, { headers: { Authorization: `Bearer ${hostKey}` } });
    const [recording] = (await answer.json()).recordings;
    if (!['processing', 'ready'].includes(recording.state)) return null;
    const tracks = recording.artifacts.filter(a => a.kind === 'track' && a.name.includes('amera'));
    return Promise.all(tracks.map(async track => {
        const bytes = new Uint8Array(await (await fetch(track.url)).arrayBuffer());
        let text = '';
        for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
        return { name: track.name, data: btoa(text) };
    }));
}"""
# A browser whose encoder of pictures knows one codec alone.
ENCODES = """(() => {
    const ask = VideoEncoder.isConfigSupported.bind(VideoEncoder);
    VideoEncoder.isConfigSupported = async how => how.codec.startsWith('%s') ? ask(how) : { supported: false };
})()"""


@dataclass(frozen=True)
class Side:
    """What stands between one person and the world. proxy: a variant of squid's, `buffering`, or none."""

    gateway: str
    proxy: str = ""
    names: bool = True


@dataclass(frozen=True)
class Network:
    name: str
    ana: Side
    ben: Side
    path: str  # direct, translated (both behind NAT), relay
    by: tuple[str, ...] = ()
    with_turn: bool = True


def both(gateway: str, proxy: str = "", names: bool = True) -> dict[str, Side]:
    return {"ana": Side(gateway, proxy, names), "ben": Side(gateway, proxy, names)}


STREAMS = ("tcp", "tls")
NETWORKS = [
    Network("open", **both("open"), path="direct"),
    Network("two NATs, STUN only", **both("nat"), path="translated", with_turn=False),
    Network("symmetric NAT", **both("symmetric"), path="relay", by=("udp",)),
    Network("UDP blocked", **both("udp blocked"), path="relay", by=STREAMS),
    Network("only an HTTP proxy, CONNECT to 443", **both("proxy only", "plain"), path="relay", by=STREAMS),
    Network("the same with a password", **both("proxy only", "password"), path="relay", by=STREAMS),
    Network("the same, names not resolved", **both("proxy only", "plain", names=False), path="relay", by=STREAMS),
    Network("a proxy that cuts quiet requests after 10 s", **both("proxy only", "idle"), path="relay", by=STREAMS),
    Network("only one side behind the proxy", Side("proxy only", "plain"), Side("nat"), path="relay"),
]


RESTRICTED = Network("", **both("proxy only", "plain"), path="relay")
BUFFERING = Network("a gateway that opens TLS and keeps whole answers", **both("proxy only", "buffering"), path="")


class Call:
    """Ana and Ben in their networks, each at a browser of their own."""

    def __init__(self, lab: Lab, chromium: Any, network: Network, house: parts.LabHouse, stack: ExitStack) -> None:
        self.house, self.people = house, []
        for side, what in (("a", network.ana), ("b", network.ben)):
            lab.be(side, what.gateway)
            self.lab, self.stack, self.proxies = lab, stack, getattr(self, "proxies", {})
            stack.callback(parts.stop, parts.start_names(lab, side, silent=not what.names))
            self.proxy_starts(side, what.proxy)
            proxy = parts.proxy_of(side, what.proxy == "password") if what.proxy else None
            browser = parts.open_browser(chromium, lab, side, proxy)
            stack.callback(browser.close)
            self.people.append(Visitor(browser, house))
        self.ana, self.ben = self.people

    def proxy_starts(self, side: str, variant: str) -> None:
        if variant:
            start = parts.start_buffering_proxy if variant == "buffering" else partial(parts.start_squid, variant=variant)
            self.proxies[side] = start(self.lab, side)
            self.stack.callback(parts.stop, self.proxies[side])

    def begins(self) -> None:
        self.room = self.ana.makes_room("Board meeting")
        self.ana.joins(self.room, "Ana")
        self.ben.joins(self.room, "Ben")

    def chats(self, sender: Visitor, text: str) -> None:
        if not sender.page.is_visible("[data-testid=chat-input]"):
            sender.page.click("#show-chat")
        sender.page.fill("[data-testid=chat-input]", text)
        sender.page.click("[data-testid=chat-send]")

    def reads(self, reader: Visitor) -> list[str]:
        return reader.page.evaluate(
            "() => [...document.querySelectorAll('[data-testid=chat-message] .text')].map(e => e.textContent)"
        )

    def is_recorded(self) -> dict[str, int]:
        """Some seconds of both; person → frames in the file."""
        self.ana.page.click("[data-testid=record-start]")
        for one in self.people:
            eventually(lambda one=one: one.sent_to_recorder()["frames"] > 40, LIMIT_S)
        return {track["name"]: track["frames"] for track in self._recorded()}

    def is_recorded_over_http(self) -> dict[str, int]:
        """Some hundred pictures of both, seen by each other meanwhile; codec → frames in the file."""
        shown = "() => letterbox.peers().find(p => p.kind === 'person').http?.shown ?? 0"
        self.ana.page.click("[data-testid=record-start]")
        for one in self.people:
            one.page.wait_for_function("() => letterbox.peers().some(p => p.kind === 'recorder' && p.road === 'http')")
            before = one.page.evaluate(shown)
            eventually(lambda one=one, before=before: one.page.evaluate(shown) > before + 100, LIMIT_S * 2)
        return {track["codec"]: track["frames"] for track in self._recorded()}

    def _recorded(self) -> list[dict[str, Any]]:
        self.ana.page.click("[data-testid=record-stop]")
        tracks = eventually(self._both_tracks, LIMIT_S * 2)
        return [{"name": track["name"]} | read(base64.b64decode(track["data"])) for track in tracks]

    def _both_tracks(self) -> list[dict[str, str]] | None:
        found = self.ana.page.evaluate(TRACKS)
        return found if found and len(found) >= 2 else None


def read(data: bytes) -> dict[str, Any]:
    with av.open(io.BytesIO(data)) as file:
        return {"codec": file.streams.video[0].codec_context.name, "frames": sum(1 for _ in file.decode(video=0))}


@pytest.fixture
def call(lab, chromium, request) -> Iterator[Callable[[Network], Call]]:
    with ExitStack() as stack:

        def begin(network: Network) -> Call:
            house = request.getfixturevalue("house" if network.with_turn else "house_without_turn")
            return Call(lab, chromium, network, house, stack)

        yield begin


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_two_people_see_hear_and_record_each_other(network, call, seen):
    two = call(network)

    two.begins()

    two.ana.is_connected_to(1)
    two.ben.is_connected_to(1)
    took_s = two.ben.page.evaluate("() => letterbox.peers()[0].connectedMs") / 1000
    two.ana.media_flows_from(1)
    two.ben.media_flows_from(1)
    paths = [one.page.evaluate(PATH) for one in two.people]
    kinds = {path[end] for path in paths for end in ("ours", "theirs")}
    assert how(kinds) == network.path, paths
    if network.by:
        assert {path["by"] for path in paths if path["ours"] == "relay"} <= set(network.by), paths
    frames = two.is_recorded()
    assert len(frames) == 2, frames
    assert min(frames.values()) > 20, frames
    by = " and ".join(sorted({str(path["by"]).upper() for path in paths if path["ours"] == "relay"}))
    seen.note(network.name, "yes", "yes", f"{network.path}{f', over {by}' if by else ''}", took_s, "yes")


def test_where_no_webrtc_passes_the_page_says_so_and_media_chat_and_recording_go_over_http(call, seen):
    two = call(BUFFERING)
    # Each as a browser that encodes nothing else; all decode both.
    two.ana.page.add_init_script(ENCODES % "vp09")
    two.ben.page.add_init_script(ENCODES % "avc1")

    two.begins()

    for one in two.people:
        one.page.wait_for_function("() => letterbox.peers()[0]?.state === 'no-path'")
        one.page.wait_for_function("() => letterbox.peers()[0].road === 'http' && letterbox.peers()[0].http.shown > 0")
        assert (
            one.page.get_attribute(".tile:not(.mine) .link", "aria-label")
            == "Over HTTP: quality is limited by your network's proxy"
        )
    two.chats(two.ana, "Can you read this?")
    eventually(lambda: two.reads(two.ben) == ["Can you read this?"], LIMIT_S)
    frames = two.is_recorded_over_http()
    assert frames.keys() == {"vp9", "h264"}, frames
    assert min(frames.values()) > 20, frames
    seen.note(BUFFERING.name, "yes", "yes", "over HTTP", None, "yes")


def test_who_opens_the_page_where_no_media_passes_is_told_before_joining(call):
    two = call(BUFFERING)
    room = two.ana.makes_room("Board meeting")

    two.ben.page.goto(two.house.url + room)

    two.ben.page.wait_for_selector("#path-problem:not([hidden])")


def test_a_proxy_that_dies_and_comes_back_loses_no_message(call):
    two = call(BUFFERING)
    two.begins()
    two.chats(two.ben, "one")
    eventually(lambda: two.reads(two.ana) == ["one"], LIMIT_S)

    parts.stop(two.proxies["a"])
    two.chats(two.ben, "two")
    two.chats(two.ana, "three")
    two.ana.page.wait_for_selector("#connection:not([hidden])")
    two.proxy_starts("a", "buffering")

    eventually(lambda: two.reads(two.ana) == ["one", "three", "two"], LIMIT_S)
    eventually(lambda: two.reads(two.ben) == ["one", "two", "three"], LIMIT_S)
    two.ana.page.wait_for_selector("#connection", state="hidden")


def test_a_proxy_that_cuts_quiet_requests_is_asked_for_less(call):
    two = call(Network("", **both("proxy only", "idle"), path="relay"))

    two.begins()

    # It cuts after 10 s: nobody sees it but the server, to which the same poll comes twice.
    two.ana.page.wait_for_function("() => letterbox.mailbox.waitS >= 7 && letterbox.mailbox.waitS <= 9")
    assert two.ana.page.is_hidden("#connection")


def test_a_tunnel_that_is_cut_in_mid_call_is_dug_again(call):
    two = call(RESTRICTED)
    two.begins()
    two.ana.is_connected_to(1)

    parts.stop(two.proxies["a"])
    two.ana.page.wait_for_function("() => letterbox.peers()[0]?.state !== 'connected'")
    two.proxy_starts("a", "plain")

    two.ana.page.wait_for_function("() => letterbox.peers()[0]?.state === 'connected'")
    two.ana.media_flows_from(1)
    two.ben.media_flows_from(1)


def test_a_relay_that_is_down_is_tried_until_it_is_back_and_http_is_left_for_it(call, lab, turn):
    two = call(Network("", **both("symmetric"), path="relay"))
    turn.stop()
    two.begins()
    two.ana.page.wait_for_function("() => letterbox.peers()[0]?.road === 'http'")

    turn.start()

    two.ana.is_connected_to(1)
    for one in two.people:
        one.page.wait_for_function("() => letterbox.peers()[0].road === 'webrtc'")
    two.ana.media_flows_from(1)


def how(kinds: set[str]) -> str:
    if "relay" in kinds:
        return "relay"
    return "translated" if "srflx" in kinds or kinds == {"prflx"} else "direct"
