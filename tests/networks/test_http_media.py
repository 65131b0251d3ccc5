"""Calls where no WebRTC passes at all: over plain HTTP, through a gateway that keeps whole answers and a proxy that opens TLS."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.house import LIMIT_S, Visitor
from tests.networks import parts
from tests.networks.test_networks import BUFFERING, Call, Network, Side, both
from tests.people import eventually

pytestmark = [pytest.mark.browser, pytest.mark.network]
REQUESTS = Network("a proxy that lets no CONNECT through", **both("proxy only", "requests"), path="")
OPENING = Network("a proxy that opens TLS", **both("proxy only", "opening"), path="")
# What has come of somebody over HTTP so far: pictures shown, packets of sound, and how loud it is just now.
COME = """name => {
    const peer = letterbox.peers().find(p => p.name === name);
    if (peer?.road !== 'http') return null;
    const { shown, packets, heard, picture, upKbit } = peer.http;
    const tile = [...document.querySelectorAll('.tile:not(.mine)')].find(t => t.innerText.includes(name));
    const video = tile?.querySelector('video');
    return { shown, packets, loud: heard?.peak ?? 0, gaps: heard?.gaps ?? 0, height: picture?.height ?? 0, upKbit,
             seen: video?.videoHeight ?? 0, kinds: video?.srcObject?.getTracks().map(t => t.kind).sort() ?? [] };
}"""


def come(one: Visitor, name: str) -> dict[str, Any]:
    """Of `name` at `one`; waits until they speak over HTTP."""
    found: dict[str, Any] = eventually(lambda: one.page.evaluate(COME, name), LIMIT_S)
    return found


def sees_and_hears(one: Visitor, name: str) -> None:
    """From now on, over HTTP, in the tile."""
    before = come(one, name)
    try:
        eventually(lambda: come(one, name)["shown"] > before["shown"] + 10, LIMIT_S)
        eventually(lambda: come(one, name)["packets"] > before["packets"] + 20, LIMIT_S)
        # Chromium's false microphone beeps every second.
        eventually(lambda: come(one, name)["loud"] > 0.05, LIMIT_S)
    except AssertionError as missed:
        seen = one.page.evaluate("() => letterbox.peers().map(p => ({ name: p.name, road: p.road, state: p.state, ...p.http }))")
        raise AssertionError(f"{name} as seen by another: {before} at first, now {come(one, name)}; all: {seen}") from missed
    now = come(one, name)
    assert now["kinds"] == ["audio", "video"], now
    assert now["seen"] > 0, now


def test_two_people_see_and_hear_each_other_through_a_proxy_that_opens_tls(lab, chromium, house):
    with ExitStack() as stack:
        two = Call(lab, chromium, OPENING, house, stack)
        # As other browsers are, which have no way of their own to a track's frames.
        two.ben.page.add_init_script("delete globalThis.MediaStreamTrackProcessor; delete globalThis.MediaStreamTrackGenerator")
        two.begins()

        sees_and_hears(two.ana, "Ben")
        sees_and_hears(two.ben, "Ana")


def test_two_people_see_and_hear_each_other_through_a_proxy_that_refuses_connect(lab, chromium, house):
    with ExitStack() as stack:
        two = Call(lab, chromium, REQUESTS, parts.WithoutTls(house), stack)
        two.begins()

        sees_and_hears(two.ana, "Ben")
        sees_and_hears(two.ben, "Ana")


def test_only_the_pairs_that_need_it_speak_over_http_and_who_cannot_says_so(lab, chromium, house):
    with ExitStack() as stack:
        three = Call(lab, chromium, Network("", Side("proxy only", "buffering"), Side("nat"), path=""), house, stack)
        three.begins()
        cleo = Visitor(three.ben.context.browser, house).joins(three.room, "Cleo")
        old = Visitor(three.ben.context.browser, house)
        old.page.add_init_script("delete globalThis.VideoEncoder")

        for one, name in ((three.ana, "Ben"), (three.ana, "Cleo"), (three.ben, "Ana"), (cleo, "Ana")):
            sees_and_hears(one, name)
        cleo.page.wait_for_function(
            "() => letterbox.peers().some(p => p.name === 'Ben' && p.state === 'connected' && p.road === 'webrtc')"
        )
        old.joins(three.room, "Old")
        three.ana.page.wait_for_function("() => letterbox.peers().find(p => p.name === 'Old')?.road === 'they-are-unable'")
        old.page.wait_for_function("() => letterbox.peers().find(p => p.name === 'Ana')?.road === 'unable'")
        assert "this browser cannot send calls over HTTP" in old.page.inner_text(".tile:not(.mine):has-text('Ana') .state")


# -- one call for the rest, begun only now: the lab has but two sides -------------------------------------------------------


@pytest.fixture(scope="module")
def two(lab, chromium, house) -> Iterator[Call]:
    """Ana and Ben, each behind a gateway that keeps whole answers, in their call."""
    with ExitStack() as stack:
        made = Call(lab, chromium, BUFFERING, house, stack)
        for one in made.people:
            # What is taken is kept by the page until it is saved: no test can press the browser's own dialog.
            one.page.add_init_script("delete globalThis.showSaveFilePicker")
        made.begins()
        yield made


def test_two_people_see_and_hear_each_other_where_only_ordinary_requests_pass(two):
    sees_and_hears(two.ana, "Ben")
    sees_and_hears(two.ben, "Ana")
    sign = two.ana.page.locator(".tile:not(.mine) .link")
    assert sign.get_attribute("aria-label") == "Over HTTP: quality is limited by your network's proxy"


def test_both_can_compare_the_same_code(two):
    codes = []
    for one in two.people:
        sees_and_hears(one, "Ben" if one is two.ana else "Ana")
        one.page.keyboard.press("n")
        one.page.click("#network .comparison summary")
        codes.append(eventually(lambda one=one: one.page.inner_text("#network .code"), LIMIT_S))
        one.page.click("#close-panel")

    assert len(codes[0].replace(" ", "")) == 20
    assert codes[0] == codes[1]


def test_lines_of_chat_take_the_same_road(two):
    sees_and_hears(two.ana, "Ben")

    two.chats(two.ana, "Can you read this?")

    eventually(lambda: "Can you read this?" in two.reads(two.ben), LIMIT_S)


def test_a_file_takes_the_same_road(two, tmp_path):
    sees_and_hears(two.ana, "Ben")
    plan = tmp_path / "Plan 2027.pdf"
    plan.write_bytes(os.urandom(300_000))

    two.ana.page.set_input_files("#choose-files", str(plan))
    if two.ben.page.is_hidden("#chat"):
        two.ben.page.click("#show-chat")
    two.ben.page.click("[data-testid=file-card] [data-do=accept]")
    with two.ben.page.expect_download() as download:
        two.ben.page.click("[data-testid=file-card] [data-do=save]")

    assert Path(download.value.path()).read_bytes() == plan.read_bytes()
    sees_and_hears(two.ben, "Ana")


def test_on_a_narrow_road_the_picture_goes_before_the_sound_and_comes_back(two, lab):
    sees_and_hears(two.ben, "Ana")

    parts.make_road(lab, "a", kbit=70)
    eventually(lambda: come(two.ana, "Ben")["height"] == 0, LIMIT_S)
    before = come(two.ben, "Ana")["packets"]
    eventually(lambda: come(two.ben, "Ana")["packets"] > before + 20, LIMIT_S)
    parts.make_road(lab, "a", kbit=250)

    # Little, but seen and heard.
    sees_and_hears(two.ben, "Ana")
    # More is tried now and then, and found to be too much within a second or two.
    eventually(lambda: come(two.ana, "Ben")["upKbit"] < 400, LIMIT_S)
    parts.make_road(lab, "a")
    sees_and_hears(two.ben, "Ana")


def test_a_proxy_that_dies_in_mid_call_and_comes_back_is_spoken_through_again(two):
    sees_and_hears(two.ben, "Ana")

    parts.stop(two.proxies["a"])
    two.ana.page.wait_for_selector("#connection:not([hidden])")
    two.proxy_starts("a", "buffering")

    two.ana.page.wait_for_selector("#connection", state="hidden")
    sees_and_hears(two.ben, "Ana")
    sees_and_hears(two.ana, "Ben")
