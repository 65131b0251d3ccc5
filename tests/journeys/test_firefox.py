"""Firefox and Chromium in one call, and both in its recording."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.journeys.house import Visitor, WholeHouse
from tests.journeys.test_recording import begin, decode, download, reaches

pytestmark = pytest.mark.browser

FIREFOX = os.environ.get("LETTERBOX_FIREFOX", "/usr/bin/firefox-esr")
PREFERENCES = {
    "media.navigator.streams.fake": True, "media.navigator.permission.disabled": True,
    # Two browsers of one machine: names that only its own mDNS knows would not be found in a container.
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0, "media.autoplay.blocking_policy": 0,
}  # fmt: skip
# Playwright sets these by means that Debian's Firefox does not have.
UNSET = {"color_scheme": "null", "reduced_motion": "null", "forced_colors": "null", "contrast": "null"}


@pytest.fixture
def fox(playwright: Playwright, whole_house: WholeHouse) -> Iterator[Visitor]:
    if not Path(FIREFOX).exists():
        pytest.skip(f"no Firefox at {FIREFOX}: apt-get install firefox-esr")
    opened = playwright.firefox.launch(channel="moz-firefox", executable_path=FIREFOX, firefox_user_prefs=PREFERENCES)
    here = Visitor(opened, whole_house, **UNSET, permissions=None, bypass_csp=False)
    yield here
    here.leaves()
    opened.close()


@pytest.mark.timeout(240)
def test_firefox_and_chromium_see_hear_write_to_and_record_each_other(visitor, fox):
    ana = visitor()
    room = ana.makes_room("Both")
    ana.joins(room, "Ana")
    fox.joins(room, "Fox")
    for one in (ana, fox):
        one.is_connected_to(1)
    for one, other in ((ana, fox), (fox, ana)):
        one.page.wait_for_function(
            """async id => { let frames = 0, sound = 0;
                for (const r of (await letterbox.peers().find(p => p.participant === id).connection.getStats()).values()) {
                    if (r.type !== 'inbound-rtp') continue;
                    if (r.kind === 'video') frames += r.framesDecoded || 0; else sound += r.bytesReceived || 0;
                }
                return frames > 20 && sound > 1000; }""",
            arg=other.id,
        )
    fox.page.keyboard.press("c")
    fox.page.fill("[data-testid=chat-input]", "Hello from Gecko")
    fox.page.keyboard.press("Enter")
    ana.page.wait_for_selector("[data-testid=chat-message] .text:text('Hello from Gecko')", state="attached")

    begin(ana, fox)
    for one in (ana, fox):
        reaches(one, 60)
    ana.page.click("[data-testid=record-stop]")
    ana.page.goto(f"{ana.house.url}{room}/recordings")
    ana.page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)

    ana.page.click(".tracks summary")
    links = ana.page.locator("[data-testid=download-track]")
    files = dict(download(ana.page, links.nth(index)) for index in range(links.count()))
    assert len(files) == 4
    for name, data in files.items():
        kind = "video" if "camera" in name else "audio"
        assert len(decode(data, kind)) > 30, name
