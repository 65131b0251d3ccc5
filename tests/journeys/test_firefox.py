"""Firefox and Chromium in one call, and both in its recording."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.journeys.house import LIMIT_S, Visitor, WholeHouse
from tests.journeys.test_recording import begin, decode, download, reaches
from tests.networks.test_http_media import sees_and_hears
from tests.people import eventually

pytestmark = pytest.mark.browser

FIREFOX = os.environ.get("LETTERBOX_FIREFOX", "/usr/bin/firefox-esr")
PREFERENCES = {
    "media.navigator.streams.fake": True, "media.navigator.permission.disabled": True,
    # Two browsers of one machine: names that only its own mDNS knows would not be found in a container.
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0, "media.autoplay.blocking_policy": 0,
}  # fmt: skip
# How many pictures of somebody's camera the recorder has written.
WRITTEN = """async id => {
    const [{ hostKey, room }] = JSON.parse(localStorage['letterbox.rooms']);
    const answer = await fetch(`/api/v1/rooms/${room}/recordings`, { headers: { Authorization: `Bearer ${hostKey}` } });
    const { live } = (await answer.json()).recordings[0];
    return live.tracks?.find(one => one.participant === id && one.source === 'camera')?.frames;
}"""
# Playwright sets these by means that Debian's Firefox does not have.
UNSET = {"color_scheme": "null", "reduced_motion": "null", "forced_colors": "null", "contrast": "null"}


@pytest.fixture(scope="module")
def loudspeaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A sound device nobody hears: without any, Firefox's audio graphs stand still. The environment it is found in."""
    if not shutil.which("pulseaudio"):
        pytest.skip("no pulseaudio: apt-get install pulseaudio")
    folder = tmp_path_factory.mktemp("sound")
    environ = os.environ | {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    modules = ("-L", "module-null-sink", "-L", "module-native-protocol-unix auth-anonymous=1")
    process = subprocess.Popen(["pulseaudio", "-n", *modules, "--exit-idle-time=-1"], env=environ, stderr=subprocess.DEVNULL)
    try:
        eventually((folder / "pulse" / "native").exists)
        yield environ
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def fox(
    request: pytest.FixtureRequest, playwright: Playwright, whole_house: WholeHouse, loudspeaker: dict[str, str]
) -> Iterator[Visitor]:
    """request.param: preferences beside the usual ones."""
    if not Path(FIREFOX).exists():
        pytest.skip(f"no Firefox at {FIREFOX}: apt-get install firefox-esr")
    opened = playwright.firefox.launch(
        channel="moz-firefox", executable_path=FIREFOX, env=dict(loudspeaker),
        firefox_user_prefs=PREFERENCES | getattr(request, "param", {}),
    )  # fmt: skip
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
    both_are_recorded(ana, room)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fox", [{"media.peerconnection.ice.relay_only": True}], indirect=True, ids=["without a relay"])
def test_where_webrtc_does_not_pass_they_do_it_over_http(visitor, fox):
    ana = visitor()
    room = ana.makes_room("Both")
    ana.joins(room, "Ana")
    fox.joins(room, "Fox")

    sees_and_hears(ana, "Fox")
    sees_and_hears(fox, "Ana")

    begin(ana, fox)
    fox.page.wait_for_function("() => letterbox.peers().some(p => p.kind === 'recorder' && p.road === 'http')")
    reaches(ana, 60)
    eventually(lambda: (ana.page.evaluate(WRITTEN, fox.id) or 0) > 60, LIMIT_S)
    both_are_recorded(ana, room)


def both_are_recorded(ana: Visitor, room: str) -> None:
    """Stops the recording, and looks at what is there of each."""
    ana.page.click("[data-testid=record-stop]")
    ana.page.goto(f"{ana.house.url}{room}/recordings")
    ana.page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)

    ana.page.click(".tracks summary")
    links = ana.page.locator("[data-testid=download-track]")
    files = dict(download(ana.page, links.nth(index)) for index in range(links.count()))
    # Two of one camera, where its codec was changed.
    assert {name.partition(" – ")[2].partition(")")[0] for name in files} == {
        f"{name} ({source}" for name in ("Ana", "Fox") for source in ("camera", "microphone")
    }
    for name, data in files.items():
        kind = "video" if "camera" in name else "audio"
        assert len(decode(data, kind)) > (30 if len(files) == 4 else 0), name
