"""For everybody: every page and state of it without a single complaint of axe-core (WCAG 2.2 A and AA), by day and by night."""

import pytest

from tests.journeys.axe import complaints
from tests.journeys.house import Visitor
from tests.journeys.test_host import comes_to_the_door, menu, setting
from tests.journeys.test_room import dictates

pytestmark = pytest.mark.browser


@pytest.fixture(params=["light", "dark"])
def somebody(request, visitor):
    one = visitor(color_scheme=request.param, reduced_motion="reduce")
    one.scheme = request.param
    return one


def test_the_pages_without_a_call(somebody):
    page = somebody.page
    for path in ("/", "/check", "/r/none-such-room"):
        page.goto(somebody.house.url + path)
        assert complaints(page) == [], path

    room = somebody.makes_room("Reach")
    assert complaints(page) == []
    page.goto(f"{somebody.house.url}{room}/recordings")
    page.wait_for_selector("#empty")
    assert complaints(page) == []


def test_the_room_in_each_of_its_states(somebody, visitor):
    page = somebody.page
    room = somebody.makes_room("Reach")
    page.goto(somebody.house.url + room)
    page.wait_for_selector("#prejoin:not([hidden])")
    assert complaints(page) == [], "before the call"

    somebody.joins(room, "Ana")
    ben = visitor().joins(room, "Ben")
    somebody.is_connected_to(1)
    ben.page.keyboard.press("h")
    ben.page.keyboard.press("m")
    page.wait_for_selector(f"[data-participant={ben.id}] .hand:not([hidden])")
    for key, shown in (("", "#call"), ("l", "#call"), ("c", "#chat"), ("p", "#people"), ("n", "#network")):
        if key:
            page.keyboard.press(key)
        page.wait_for_selector(f"{shown}:not([hidden])")
        if key == "c":
            page.fill("[data-testid=chat-input]", "https://a.example")
            page.keyboard.press("Enter")
            page.keyboard.press("Escape")
            page.click("#show-chat")
        assert complaints(page) == [], f"after {key}"
        if key == "c":
            page.keyboard.press("Escape")

    for opener, closes in (("#show-more", "#more-menu"), ("#show-reactions", "#reactions")):
        page.click(opener)
        page.wait_for_selector(f"{closes}:popover-open")
        assert complaints(page) == [], closes
        page.keyboard.press("Escape")
    for key, dialog in (("d", "#devices"), ("?", "#help")):
        page.keyboard.press(key)
        page.wait_for_selector(f"{dialog}[open]")
        assert complaints(page) == [], dialog
        page.keyboard.press("Escape")

    page.keyboard.press("t")
    assert complaints(page) == [], "captions, before anybody is written"
    ben.page.keyboard.press("m")
    dictates(ben)
    ben.page.evaluate("() => { hear('Good morning.', true); hear('How are', false) }")
    page.wait_for_selector("#captions li[aria-hidden]")
    assert complaints(page) == [], "captions"

    page.click("[data-testid=record-start]")
    page.wait_for_selector("[data-testid=recording-banner][data-state=recording]")
    ben.page.wait_for_selector("[data-testid=consent]:not([hidden])")
    assert complaints(page) == [], "recording"
    assert complaints(ben.page) == [], "asked for consent"

    page.click("[data-testid=leave]")
    page.wait_for_selector("#ended:not([hidden])")
    assert complaints(page) == [], "ended"


def test_the_door_and_what_a_host_may_do(somebody, visitor):
    def guest() -> Visitor:
        return visitor(color_scheme=somebody.scheme, reduced_motion="reduce")

    page, ben, cleo = somebody.page, guest(), guest()
    room = somebody.makes_room("Reach")
    somebody.joins(room, "Ana")
    ben.joins(room, "Ben")
    somebody.is_connected_to(1)
    page.click("#show-people")
    setting(somebody, "lobby")
    comes_to_the_door(cleo, room, "Cleo")
    page.wait_for_selector("[data-testid=knock]")
    cleo.page.wait_for_selector("[data-testid=waiting]:not([hidden])")
    assert complaints(page) == [], "somebody knocks"
    assert complaints(cleo.page) == [], "waiting before the door"

    page.locator("[data-testid=roster-item]", has_text="Ben").locator("[data-testid=person-more]").click()
    page.wait_for_selector("#person-menu:popover-open")
    assert complaints(page) == [], "the menu of a person"
    page.click("#person-menu [data-deed=remove]")
    assert complaints(page) == [], "remove?"
    page.keyboard.press("Escape")

    ben.page.keyboard.press("m")
    page.wait_for_selector(f"[data-participant={ben.id}] .muted:not([hidden])")
    menu(somebody, "Ben", "unmute")
    ben.page.wait_for_selector("#asked:not([hidden])")
    assert complaints(ben.page) == [], "asked to speak"

    page.click("#show-more")
    page.click("#end-for-all")
    assert complaints(page) == [], "end for all?"


def test_the_page_of_the_http_api(somebody):
    page = somebody.page
    page.goto(f"{somebody.house.url}/api")
    assert complaints(page) == []

    page.fill("#filter", "consent")
    page.wait_for_function("() => document.querySelectorAll('.api-call:not([hidden])').length < 10")
    for call in page.locator(".api-call:not([hidden]) summary").all():
        call.click()
    assert complaints(page) == [], "opened"

    page.fill("#filter", "xyzzy")
    page.wait_for_selector("#filter-none:not([hidden])")
    assert complaints(page) == [], "nothing found"


def test_the_room_as_it_is_in_a_frame(somebody):
    room = somebody.makes_room("Reach")

    somebody.page.goto(f"{somebody.house.url}{room}?embed=1&chat=off&recording=off")
    somebody.page.fill("[data-testid=name-input]", "Ana")
    assert complaints(somebody.page) == [], "before the call"
    somebody.page.click("[data-testid=join]")
    somebody.page.wait_for_selector("#call:not([hidden])")
    assert complaints(somebody.page) == [], "in the call"
