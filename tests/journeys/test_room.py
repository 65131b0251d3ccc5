"""In the room: who is seen how large, other devices in mid-call, what is said without a voice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.journeys.house import CHROMIUM, FLAGS, Held, Visitor, fails

pytestmark = pytest.mark.browser

LARGEST = """() => [...document.querySelectorAll('.tile:not(.out-of-sight)')]
    .toSorted((one, other) => other.clientWidth * other.clientHeight - one.clientWidth * one.clientHeight)[0]
    .querySelector('.name').textContent"""

# A microphone that hears a tone.
LOUD = """const asked = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async wanted => {
        const stream = await asked(wanted);
        if (!wanted.audio) return stream;
        const context = new AudioContext(), tone = context.createOscillator(), out = context.createMediaStreamDestination();
        tone.connect(out);
        tone.start();
        return new MediaStream([...stream.getVideoTracks(), ...out.stream.getAudioTracks()]);
    }"""
# Whether what a page plays, in no element of its own, was to be heard.
RUNG = """() => {
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () {
        if (!this.isConnected && this.srcObject) {
            const context = new AudioContext(), ear = context.createAnalyser(), samples = new Float32Array(2048);
            context.createMediaStreamSource(this.srcObject).connect(ear);
            const timer = setInterval(() => {
                ear.getFloatTimeDomainData(samples);
                if (samples.every(one => Math.abs(one) < 0.01)) return;
                globalThis.rung = true;
                clearInterval(timer);
            }, 20);
        }
        return play.call(this);
    };
}"""


def together(visitor, title: str, *names: str) -> list:
    """These people in a room, each connected to each."""
    here = [visitor() for _ in names]
    room = here[0].makes_room(title)
    for one, name in zip(here, names, strict=True):
        one.joins(room, name)
    for one in here:
        one.is_connected_to(len(names) - 1)
    return here


def largest(one, name: str) -> None:
    one.page.wait_for_function(f"name => ({LARGEST})() === name", arg=name)


def sends_camera_to(one, other) -> str:
    """A JavaScript expression: what `one` sends to `other` of its camera."""
    return (
        f"letterbox.peers().find(p => p.participant === '{other.id}').connection.getSenders()"
        ".find(s => s.track?.kind === 'video').getParameters().encodings[0]"
    )


def test_who_speaks_is_seen_large_and_a_pin_goes_before(visitor):
    ana, _, cleo = together(visitor, "Layouts", "Ana", "Ben", "Cleo")
    for quiet in (ana, cleo):
        quiet.page.keyboard.press("m")

    ana.page.keyboard.press("l")

    ana.page.wait_for_selector("[data-participant].speaks")
    largest(ana, "Ben")
    ana.page.hover(f"[data-participant={cleo.id}]")
    ana.page.click(f"[data-participant={cleo.id}] [data-testid=pin]")
    largest(ana, "Cleo")
    ana.page.click(f"[data-participant={cleo.id}] [data-testid=pin]")
    largest(ana, "Ben")
    ana.page.reload()
    ana.is_connected_to(2)
    largest(ana, "Ben")


def test_nobody_sends_more_than_is_shown_and_sound_only_is_no_picture_at_all(visitor):
    ana, ben = together(visitor, "Data", "Ana", "Ben")
    to_ana = sends_camera_to(ben, ana)
    ben.page.wait_for_function(f"() => {to_ana}.active")

    ana.page.keyboard.press("d")
    ana.page.check("#devices [name=data][value=low]")
    ben.page.wait_for_function(f"() => {to_ana}.scaleResolutionDownBy > 2")
    ana.page.wait_for_function(f"() => {sends_camera_to(ana, ben)}.maxBitrate <= 120000")
    ana.page.check("#devices [name=data][value=sound]")
    ben.page.wait_for_function(f"() => !{to_ana}.active")
    ben.page.wait_for_selector(f"[data-participant={ana.id}].no-picture")

    ana.page.check("#devices [name=data][value=full]")
    ben.page.wait_for_function(f"() => {to_ana}.active")


def test_another_microphone_in_mid_call_and_one_that_is_unplugged_are_heard_on(visitor):
    ana, ben = together(visitor, "Devices", "Ana", "Ben")
    sent = "letterbox.peers()[0].connection.getSenders().map(sender => sender.track)"
    microphone = f"{sent}.find(track => track?.kind === 'audio' && track.readyState === 'live')"
    first = ana.page.evaluate(f"() => {microphone}.getSettings().deviceId")
    ana.page.keyboard.press("d")
    other = ana.page.locator(f"[data-device=audio] option:not([value='{first}'])").first.get_attribute("value")

    ana.page.select_option("[data-device=audio]", other)
    ana.page.wait_for_function(f"other => {microphone}?.getSettings().deviceId === other", arg=other)
    ana.page.evaluate(f"() => {{ const t = {microphone}; t.stop(); t.dispatchEvent(new Event('ended')); }}")

    ana.page.wait_for_function(f"() => {microphone}?.readyState === 'live'")
    heard = ben.received()[ana.id]["sound"]
    ben.page.wait_for_function(
        """async before => { let sound = 0;
            for (const r of (await letterbox.peers()[0].connection.getStats()).values())
                if (r.type === 'inbound-rtp' && r.kind === 'audio') sound += r.bytesReceived;
            return sound > before; }""",
        arg=heard,
    )
    assert ana.page.locator("[data-participant].mine .muted").is_hidden()


def test_hands_reactions_and_chat_reach_everybody_and_what_was_said_before_a_late_joiner(visitor):
    ana, ben = together(visitor, "Talk", "Ana", "Ben")
    room = ana.page.url
    ana.page.keyboard.press("h")
    ben.page.wait_for_selector(f"[data-participant={ana.id}] .hand:not([hidden])")
    ben.page.keyboard.press("c")
    ben.page.fill("[data-testid=chat-input]", "See https://a.example/plan. <b>Bye</b>")
    ben.page.keyboard.press("Enter")
    ana.page.wait_for_selector("[data-testid=chat-message]", state="attached")

    cleo = visitor().joins(room.removeprefix(ana.house.url), "Cleo")
    cleo.is_connected_to(2)
    cleo.page.keyboard.press("c")

    cleo.page.wait_for_selector("[data-testid=chat-message].old")
    assert cleo.page.inner_text("[data-testid=chat-message] .who") == "Ben"
    assert cleo.page.inner_text("[data-testid=chat-message] .text") == "See https://a.example/plan. <b>Bye</b>"
    assert cleo.page.get_attribute("[data-testid=chat-message] a", "href") == "https://a.example/plan"
    cleo.page.wait_for_selector(f"[data-participant={ana.id}] .hand:not([hidden])")
    cleo.page.keyboard.press("Escape")
    cleo.page.click("#show-people")
    assert cleo.page.locator("[data-testid=roster-item] .name").first.inner_text() == "Ana"

    ben.page.click("#show-reactions")
    ben.page.click("#reactions .choices button >> nth=1")
    cleo.page.wait_for_selector(f"[data-participant={ben.id}] [data-testid=reaction]")


@pytest.fixture
def small_cameras(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    """Eight cameras, and 56 encoders, in one machine: small pictures, five a second."""
    picture = b"FRAME\n" + bytes([120]) * (96 * 54) + bytes([90]) * (48 * 27) + bytes([160]) * (48 * 27)
    camera = tmp_path / "camera.y4m"
    camera.write_bytes(b"YUV4MPEG2 W96 H54 F5:1 Ip A1:1 C420jpeg\n" + picture * 10)
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera}"]
    opened = browser.browser_type.launch(executable_path=CHROMIUM, args=flags)
    yield opened
    opened.close()


ALL_MOVE = """() => [...document.querySelectorAll('.tile:not(.out-of-sight) video')]
    .every(video => video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 5)"""


@pytest.mark.timeout(300)
def test_eight_people_on_video_all_see_each_other(small_cameras, whole_house):
    here: list[Visitor] = []
    room = ""
    for name in ("Ana", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal"):
        one = Visitor(small_cameras, whole_house, viewport={"width": 480, "height": 360})
        one.context.add_init_script("localStorage.setItem('letterbox.devices', '{\"data\": \"low\"}')")
        if len(here) >= 2:
            # Two cores carry 56 connections with pictures, not 56 encoders for sound besides: most only look and listen.
            fails(one, audio="NotFoundError")
        room = room or one.makes_room("Eight")
        here.append(one.joins(room, name))
        for other in here:
            other.is_connected_to(len(here) - 1)

    for one in here:
        assert one.page.locator(".tile:not(.mine):not(.out-of-sight) video").count() == 7
        one.page.wait_for_function(ALL_MOVE)


DICTATION = """() => {
    globalThis.SpeechRecognition = class {
        start() { globalThis.dictation = this; }
        abort() { globalThis.dictation = null; }
    };
    globalThis.hear = (transcript, isFinal) =>
        dictation.onresult({ resultIndex: 0, results: [Object.assign([{ transcript }], { isFinal })] });
}"""


def dictates(one: Visitor) -> None:
    """Its browser can write what is said (what the test's `hear` says), and is asked to."""
    one.page.evaluate(f"({DICTATION})()")
    one.page.evaluate("() => document.querySelector('#dictation').hidden = false")
    one.page.click("#show-more")
    one.page.check("[name=dictation]")
    one.page.keyboard.press("Escape")
    one.page.wait_for_function("() => globalThis.dictation?.onresult")


def test_what_one_says_is_read_by_the_others_while_one_wishes_it_and_is_not_muted(visitor):
    ana, ben = together(visitor, "Captions", "Ana", "Ben")
    ben.page.evaluate(f"({DICTATION})()")

    ana.page.keyboard.press("t")
    ben.page.wait_for_selector("#announcements p:has-text('Ana would like to read')")
    dictates(ben)
    ben.page.evaluate("() => hear('Good <b>mor', false)")
    ana.page.wait_for_selector("#captions li[aria-hidden] .text:text-is('Good <b>mor')")
    ben.page.evaluate("() => hear('Good <b>morning</b>.', true)")

    ana.page.wait_for_selector("#captions li:not([aria-hidden]) .text:text-is('Good <b>morning</b>.')")
    assert ana.page.inner_text("#captions .who") == "Ben"
    ben.page.keyboard.press("m")
    ben.page.wait_for_function("() => globalThis.dictation === null")


def test_a_line_that_came_too_late_for_one_who_left_says_so_to_who_wrote_it(visitor):
    ana, ben = together(visitor, "Too late", "Ana", "Ben")
    # No way but the mailbox, and that one slow.
    ana.page.evaluate("() => Object.defineProperty(RTCDataChannel.prototype, 'readyState', { get: () => 'closing' })")
    held = Held(ana.page, "**/messages")
    ana.page.keyboard.press("c")

    ana.page.fill("[data-testid=chat-input]", "Are you there?")
    ana.page.keyboard.press("Enter")
    ben.leaves()
    ana.page.wait_for_function("() => letterbox.peers().length === 0")
    held.let_through()

    assert ana.page.inner_text("[data-testid=chat-message] .undelivered") == "Ben has left and did not get this"


def test_who_speaks_while_muted_is_told(visitor):
    ana = visitor()
    ana.page.add_init_script(LOUD)
    ana.joins(ana.makes_room("Muted"), "Ana")

    ana.page.keyboard.press("m")

    ana.page.wait_for_selector("#announcements p:has-text('You are muted. Press M to speak.')")


def test_the_loudspeaker_is_tried_before_joining(visitor):
    ana = visitor()
    ana.page.goto(ana.house.url + ana.makes_room("Loud"))
    ana.page.evaluate(RUNG)

    ana.page.click("[data-testid=ring]")

    ana.page.wait_for_function("() => globalThis.rung")


def test_somebody_is_taken_out_into_a_window_of_their_own_and_back(visitor):
    ana, _ = together(visitor, "Small window", "Ana", "Ben")
    ana.page.wait_for_function("() => document.querySelector('.tile:not(.mine) video').videoWidth > 0")

    ana.page.keyboard.press("i")
    ana.page.wait_for_function("() => document.pictureInPictureElement?.closest('.tile').innerText.includes('Ben')")
    ana.page.keyboard.press("i")

    ana.page.wait_for_function("() => !document.pictureInPictureElement")
