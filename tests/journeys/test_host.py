"""The host's powers in real browsers: the door, the menu beside a name, the end for all."""

import pytest

from tests.journeys.house import Visitor

pytestmark = pytest.mark.browser


def comes_to_the_door(one: Visitor, path: str, name: str) -> Visitor:
    one.page.goto(one.house.url + path)
    one.page.fill("[data-testid=name-input]", name)
    one.page.click("[data-testid=join]")
    return one


def setting(host: Visitor, testid: str) -> None:
    """Switch a setting of the room, and wait until the server has it."""
    with host.page.expect_response(lambda answer: answer.url.endswith("/settings")):
        host.page.locator(f"[data-testid={testid}]").click()


def menu(host: Visitor, name: str, deed: str) -> None:
    row = host.page.locator("[data-testid=roster-item]", has_text=name)
    row.locator("[data-testid=person-more]").click()
    host.page.click(f"#person-menu [data-deed={deed}]")


def test_guests_wait_at_the_door_until_the_host_answers(visitor):
    ana, ben, cleo = visitor(), visitor(), visitor()
    room = ana.makes_room("Lobby")
    ana.joins(room, "Ana")
    ana.page.click("#show-people")
    setting(ana, "lobby")

    comes_to_the_door(ben, room, "Ben <b>")
    ben.page.wait_for_selector("[data-testid=waiting]:not([hidden])")
    assert ana.page.inner_text("[data-testid=knock] span") == "Ben <b> would like to come in"
    ana.page.click("[data-testid=admit]")
    ben.page.wait_for_selector("#call:not([hidden])")
    ben.is_connected_to(1)
    ana.page.wait_for_selector("#knocks", state="hidden")

    comes_to_the_door(cleo, room, "Cleo")
    ana.page.click("[data-testid=deny]")
    cleo.page.wait_for_selector("#ended:not([hidden])")
    assert cleo.page.inner_text("#ended-title") == "You were not let in"

    ben.page.reload()
    ben.page.wait_for_selector("#call:not([hidden])")
    ben.is_connected_to(1)


def test_a_new_host_link_makes_a_host_and_the_old_one_no_more(visitor):
    ana, ben, cleo = visitor(), visitor(), visitor()
    room = ana.makes_room("Keys")
    old = ana.page.evaluate("() => JSON.parse(localStorage['letterbox.rooms'])[0].hostKey")
    ana.joins(room, "Ana")
    ana.page.click("#show-people")

    ana.page.click("[data-testid=new-host-link]")
    ana.page.wait_for_selector("[data-testid=host-link]:not([hidden])")

    new = ana.page.input_value("[data-testid=host-link]").removeprefix(ana.house.url)
    ben.joins(new, "Ben")
    assert ben.page.evaluate("() => letterbox.participant.role") == "host"
    comes_to_the_door(cleo, f"{room}#host={old}", "Cleo")
    cleo.page.wait_for_selector("#device-problem:has-text('This host key is not, or no longer')")


def test_a_code_is_asked_for_and_a_locked_room_says_so(visitor):
    ana, ben, cleo = visitor(), visitor(), visitor()
    room = ana.makes_room("Code")
    ana.joins(room, "Ana")
    ana.page.click("#show-people")
    ana.page.fill("[data-testid=code]", "sesame")
    with ana.page.expect_response(lambda answer: answer.url.endswith("/settings")):
        ana.page.click("#code-form button >> nth=0")

    comes_to_the_door(ben, room, "Ben")
    ben.page.fill("[data-testid=code-input]", "open")
    ben.page.click("[data-testid=join]")
    ben.page.wait_for_selector("#device-problem:has-text('Not the code')")
    ben.page.fill("[data-testid=code-input]", "sesame")
    ben.page.click("[data-testid=join]")
    ben.page.wait_for_selector("#call:not([hidden])")

    setting(ana, "lock")
    comes_to_the_door(cleo, room, "Cleo")
    cleo.page.wait_for_selector("#device-problem:has-text('This room is locked')")


def test_a_host_mutes_asks_hands_over_removes_and_ends(visitor):
    ana, ben, cleo = visitor(), visitor(), visitor()
    room = ana.makes_room("Powers")
    for one, name in ((ana, "Ana"), (ben, "Ben"), (cleo, "Cleo")):
        one.joins(room, name)
    ana.is_connected_to(2)
    ana.page.click("#show-people")
    assert not ben.page.locator("#end-for-all").is_visible()

    menu(ana, "Ben", "mute")
    ana.page.wait_for_selector(f"[data-participant={ben.id}] .muted:not([hidden])")
    menu(ana, "Ben", "unmute")
    ben.page.click("[data-testid=asked-yes]")
    ana.page.wait_for_selector(f"[data-participant={ben.id}] .muted", state="hidden")

    menu(ana, "Ben", "host")
    ben.page.click("#show-people")
    ben.page.wait_for_selector("#room-settings:not([hidden])")
    menu(ben, "Cleo", "remove")
    ben.page.click("[data-testid=remove-yes]")
    cleo.page.wait_for_selector("#ended:not([hidden])")
    assert cleo.page.inner_text("#ended-title") == "You were removed from the call"
    ana.is_connected_to(1)

    ben.page.click("#show-more")
    ben.page.click("#end-for-all")
    ben.page.click("[data-testid=end-yes]")
    for one in (ana, ben):
        one.page.wait_for_selector("#ended:not([hidden])")
        assert one.page.inner_text("#ended-title") == "The call has ended"
