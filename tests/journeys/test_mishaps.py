"""What goes wrong around a call, and what people do that nobody expects: they stay in it, and are told what they can do."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys.house import FAILS, Visitor, WholeHouse, fails
from tests.people import eventually

pytestmark = pytest.mark.browser

SPILLS = """() => [...document.querySelectorAll('body *')]
    .filter(one => one.checkVisibility() && !one.closest('.out-of-sight, .tile video, #messages, #people, #network'))
    .map(one => [one, one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.right > innerWidth + 1 || box.left < -1))
    .map(([one]) => one.outerHTML.slice(0, 120))"""
OUTSIDE = """() => [...document.querySelectorAll('.controls button')].filter(one => one.checkVisibility())
    .map(one => [one.dataset.testid || one.id, one.getBoundingClientRect()])
    .filter(([, box]) => box.bottom > innerHeight + 1 || box.top < 0 || box.right > innerWidth + 1 || box.left < 0)
    .map(([name]) => name)"""
FITS = "() => document.querySelector('#messages').scrollWidth <= document.querySelector('#messages').clientWidth"


@pytest.fixture(scope="module")
def ben(browser: Browser, whole_house: WholeHouse) -> Iterator[Visitor]:
    """Sits in a room all the time; the others come and go."""
    one = Visitor(browser, whole_house)
    one.joins(one.makes_room("Mishaps"), "Ben")
    yield one
    one.leaves()


@pytest.fixture
def path(ben: Visitor) -> Iterator[str]:
    """Of Ben's room; at the end, when the others have left, he is alone in it again. To be named before `visitor`."""
    yield ben.page.url.removeprefix(ben.house.url)
    ben.page.wait_for_function("() => letterbox.peers().length === 0")


def sees(one: Visitor, other: Visitor) -> None:
    """Pictures of the other are decoded, from now on."""
    before = one.received().get(other.id, {}).get("frames", 0)
    eventually(lambda: one.received().get(other.id, {}).get("frames", 0) > before + 5, 40)


def test_who_has_no_device_comes_in_to_look_and_to_write(ben, path, visitor):
    ana = visitor()
    fails(ana, audio="NotFoundError", video="NotFoundError")

    ana.joins(path, "Ana")

    ana.is_connected_to(1)
    sees(ana, ben)
    ben.page.wait_for_selector(f"[data-participant={ana.id}].no-picture .muted:not([hidden])")
    ana.page.keyboard.press("m")
    ana.page.wait_for_selector("#announcements p:has-text('microphone: none found')")


def test_a_camera_that_another_program_uses_leaves_the_microphone_to_one(ben, path, visitor):
    ana = visitor()
    fails(ana, video="NotReadableError")
    ana.page.goto(ana.house.url + path)
    ana.page.wait_for_selector("#device-problem:has-text('Camera: in use elsewhere')")

    ana.joins(path, "Ana")

    ana.is_connected_to(1)
    eventually(lambda: ben.received()[ana.id]["sound"] > 1000, 40)
    assert ben.page.locator(f"[data-participant={ana.id}] .muted").is_hidden()


def test_a_permission_revoked_in_mid_call_is_told_and_the_call_goes_on(ben, path, visitor):
    ana = visitor().joins(path, "Ana")
    ana.is_connected_to(1)
    sent = "letterbox.peers()[0].connection.getSenders().map(sender => sender.track).filter(track => track)"

    ana.page.evaluate(f"({FAILS})([['audio', 'NotAllowedError'], ['video', 'NotAllowedError']])")
    ana.page.evaluate(f"() => {sent}.forEach(track => {{ track.stop(); track.dispatchEvent(new Event('ended')); }})")

    ben.page.wait_for_selector(f"[data-participant={ana.id}].no-picture .muted:not([hidden])")
    ana.page.wait_for_selector("#announcements p:has-text('not allowed')")
    sees(ana, ben)


def test_one_person_in_two_tabs_is_there_twice_and_each_can_go_alone(ben, path, visitor):
    ana = visitor().joins(path, "Ana")
    ana.is_connected_to(1)

    with ana.context.expect_page() as opened:
        ana.page.evaluate("() => { open(location.href) }")
    second = opened.value

    # It begins with a copy of what its opener keeps (HTML: an auxiliary browsing context), the seat too: it comes in by itself.
    second.wait_for_selector("#call:not([hidden])")
    ben.is_connected_to(2)
    second.close()
    ben.is_connected_to(1)
    sees(ben, ana)


def test_the_back_button_leaves_and_forward_is_back_in_the_call(ben, path, visitor):
    ana = visitor()
    ana.page.goto(ana.house.url)
    ana.joins(path, "Ana")
    ana.is_connected_to(1)

    ana.page.go_back()
    ben.page.wait_for_function("() => letterbox.peers().length === 0", timeout=5000)
    ana.page.go_forward()

    ana.page.wait_for_selector("#call:not([hidden])")
    ben.is_connected_to(1)
    sees(ben, ana)


def test_very_long_names_and_messages_with_html_break_nothing_on_a_phone(ben, path, visitor):
    upright, *turned = [(390, 844), (844, 390), (320, 568)]
    ana = visitor(viewport={"width": upright[0], "height": upright[1]}, has_touch=True)
    name = "<img src=x onerror=alert(1)>" + "W" * 52
    text = "<script>alert(1)</script> https://a.example/" + "x" * 3900

    ana.joins(path, name)
    ana.is_connected_to(1)
    ana.page.keyboard.press("t")
    ana.page.keyboard.press("c")
    ana.page.fill("[data-testid=chat-input]", text)
    ana.page.keyboard.press("Enter")

    ben.page.wait_for_selector(f"[data-testid=chat-message] .who:text-is({name!r})", state="attached")
    said = ben.page.locator("[data-testid=chat-message]", has_text=name).last
    assert said.locator(".text").text_content() == text
    assert ben.page.locator("#call img, #call script").count() == 0
    assert ben.page.locator(f"[data-participant={ana.id}] .name").text_content() == name
    for width, height in (upright, *turned):
        ana.page.set_viewport_size({"width": width, "height": height})
        ana.page.wait_for_function(FITS)
        ana.page.wait_for_function(f"() => ({SPILLS})().length === 0")
        ana.page.keyboard.press("Escape")
        ana.page.wait_for_function(f"() => ({OUTSIDE})().length === 0")
        ana.page.wait_for_function(f"() => ({SPILLS})().length === 0")
        ana.page.click("#show-more")
        ana.page.wait_for_selector("#more-menu:popover-open")
        box = ana.page.locator("#more-menu").bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
        ana.page.keyboard.press("Escape")
        ana.page.click("#show-chat")
