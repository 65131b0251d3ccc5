"""People call each other: real browsers, a real server, nothing in between but HTTP and their own packets."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys.house import Held, Visitor, WholeHouse
from tests.people import eventually

pytestmark = pytest.mark.browser

Two = tuple[Visitor, Visitor]


@pytest.fixture(scope="module")
def two(browser: Browser, whole_house: WholeHouse) -> Iterator[Two]:
    """Ana and Ben, connected, and so at the end of each test that has them."""
    ana, ben = Visitor(browser, whole_house), Visitor(browser, whole_house)
    room = ana.makes_room("Two")
    for one, name in ((ana, "Ana"), (ben, "Ben")):
        one.joins(room, name)
    for one in (ana, ben):
        one.is_connected_to(1)
    yield ana, ben
    for one in (ana, ben):
        one.leaves()


def lines_through(house: WholeHouse) -> list[str]:
    """How many lines of chat the server has carried, as it counts."""
    with urllib.request.urlopen(f"{house.url}/metrics") as answer:
        return [line for line in answer.read().decode().splitlines() if line.startswith('letterbox_messages_total{kind="chat"}')]


def test_two_people_see_and_hear_each_other(two):
    ana, ben = two

    ana.media_flows_from(1)
    ben.media_flows_from(1)
    assert ana.complaints == ben.complaints == []


def test_four_people_who_come_at_once_all_see_each_other(visitor):
    people = [visitor() for _ in range(4)]
    room = people[0].makes_room("Four")
    for one in people:
        one.page.goto(one.house.url + room)
        one.page.fill("[data-testid=name-input]", "Somebody")

    # All press at once: offers cross, and must not matter.
    for one in people:
        one.page.click("[data-testid=join]", no_wait_after=True)

    for one in people:
        one.is_connected_to(3)
    for one in people:
        one.media_flows_from(3)
    assert [one.complaints for one in people] == [[], [], [], []]


def test_who_leaves_is_gone_from_the_others_at_once_and_can_come_back(two):
    ana, ben = two
    room = ana.page.url.removeprefix(ana.house.url)

    ben.page.click("[data-testid=leave]")

    ana.page.wait_for_function("() => letterbox.peers().length === 0", timeout=5000)
    assert ana.page.locator("[data-testid=tile]").count() == 1
    ben.joins(room, "Ben")
    ana.is_connected_to(1)
    ana.media_flows_from(1)


def test_closing_the_tab_is_seen_by_the_others_without_waiting_for_the_grace_time(two, visitor):
    ana, _ = two
    cleo = visitor().joins(ana.page.url.removeprefix(ana.house.url), "Cleo")
    ana.is_connected_to(2)

    cleo.page.close()

    ana.page.wait_for_function("() => letterbox.peers().length === 1", timeout=5000)


def test_a_reload_in_mid_call_comes_back_to_the_same_seat(two):
    ana, ben = two

    ben.page.reload()

    ben.page.wait_for_selector("#call:not([hidden])")
    ben.is_connected_to(1)
    ana.is_connected_to(1)
    assert ana.page.locator("[data-testid=tile] .name").all_inner_texts() == ["Ana (you)", "Ben"]


def test_muting_is_shown_to_the_others(two):
    ana, ben = two

    ben.page.keyboard.press("m")

    ana.page.wait_for_selector(f"[data-participant={ben.id}] .muted:not([hidden])")
    ben.page.keyboard.press("m")
    ana.page.wait_for_selector(f"[data-participant={ben.id}] .muted", state="hidden")


def test_chat_goes_by_data_channel_and_costs_the_server_nothing(two):
    ana, ben = two
    posted: list[str] = []
    ana.page.on("request", lambda request: posted.append(request.post_data or "") if request.url.endswith("/messages") else None)
    before = lines_through(ana.house)
    ana.page.click("#show-chat")

    ana.page.fill("[data-testid=chat-input]", "<b>Hello</b>, Ben")
    ana.page.click("[data-testid=chat-send]")

    ben.page.wait_for_selector("[data-testid=chat-message]", state="attached")
    assert ben.page.locator("[data-testid=chat-message] .text").text_content() == "<b>Hello</b>, Ben"
    assert not any('"chat"' in body for body in posted)
    assert lines_through(ana.house) == before


def test_signaling_is_only_get_and_post_to_the_server_itself(visitor):
    ana, ben = visitor(), visitor()
    room = ana.makes_room("Plain")
    seen: set[tuple[str, str]] = set()
    sockets: list[str] = []
    ana.page.on("request", lambda request: seen.add((request.method, request.url.split("/")[2])))
    ana.page.on("websocket", lambda socket: sockets.append(socket.url))

    ana.joins(room, "Ana")
    ben.joins(room, "Ben")
    ana.is_connected_to(1)

    host = ana.house.url.split("/")[2]
    assert seen == {("GET", host), ("POST", host)}
    assert sockets == []


def test_the_pages_live_under_their_own_policy(visitor):
    ana = visitor(bypass_csp=False)
    room = ana.makes_room("Policy")

    ana.joins(room, "Ana")
    ana.page.goto(f"{ana.house.url}{room}/recordings")

    assert ana.page.locator("#empty").inner_text()
    assert ana.complaints == []


def test_a_page_weighs_less_than_150_kib_before_media(visitor):
    room, ana = visitor().makes_room("Weight"), visitor()
    loaded = []
    ana.page.on("requestfinished", lambda request: loaded.append(request) if "/api/" not in request.url else None)

    ana.page.goto(ana.house.url + room)
    ana.page.wait_for_load_state("networkidle")

    weights = {request.url: request.sizes()["responseBodySize"] for request in loaded}
    assert 30 * 1024 < sum(weights.values()) < 150 * 1024, weights


def test_the_page_is_painted_before_any_script_has_come(visitor):
    ana = visitor()
    room = ana.makes_room("Paint")
    held = Held(ana.page, "**/*.js")

    ana.page.goto(ana.house.url + room, wait_until="commit")

    ana.page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length === 1")
    ana.page.fill("[data-testid=name-input]", "Ana")
    assert held.waiting != []
    assert ana.page.is_disabled("[data-testid=join]")
    held.let_through()
    ana.page.click("[data-testid=join]")
    ana.page.wait_for_selector("#call:not([hidden])")
    assert ana.page.inner_text("[data-testid=tile] .name") == "Ana (you)"


def test_a_page_that_met_scripts_of_another_version_loads_again_by_itself(visitor):
    ana = visitor()
    room = ana.makes_room("Versions")
    other = "import { neverWas } from './room.js';"
    ana.page.route("**/call/main.js", lambda route: route.fulfill(body=other, content_type="text/javascript"), times=1)

    ana.page.goto(ana.house.url + room)

    ana.page.wait_for_selector("[data-testid=join]:enabled")
    assert any("neverWas" in complaint for complaint in ana.complaints)
    ana.page.wait_for_function("() => sessionStorage.getItem('letterbox.reloads') === null")


def test_without_camera_permission_the_page_says_what_to_do_and_one_can_still_join(browser, whole_house, visitor):
    shy = visitor(permissions=[])
    shy.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));"
    )
    room = visitor().makes_room("Shy")

    shy.page.goto(shy.house.url + room)

    shy.page.wait_for_selector("#device-problem:not([hidden])")
    assert "not allowed" in shy.page.inner_text("#device-problem")
    shy.joins(room, "Shy")
    assert shy.page.locator("[data-testid=tile].no-picture").count() == 1


def test_without_any_device_the_page_says_so(visitor):
    poor = visitor()
    poor.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotFoundError'));"
    )

    poor.page.goto(poor.house.url + visitor().makes_room("No devices"))

    poor.page.wait_for_selector("#device-problem:not([hidden])")
    assert "none found" in poor.page.inner_text("#device-problem")


def test_on_an_insecure_page_the_way_to_a_secure_one_is_told(visitor):
    ana = visitor()
    ana.page.add_init_script("Object.defineProperty(globalThis, 'isSecureContext', { value: false });")

    ana.page.goto(ana.house.url + visitor().makes_room("Insecure"))

    ana.page.wait_for_selector("#device-problem:not([hidden])")
    assert "https://" in ana.page.inner_text("#device-problem")


def test_an_unknown_room_is_a_page_that_says_so(visitor):
    ana = visitor()

    answer = ana.page.goto(ana.house.url + "/r/nope-nope-nope")

    assert answer.status == 404
    assert "no room at this address" in ana.page.inner_text("main")


def test_a_call_survives_the_web_process_being_killed(visitor, whole_house):
    ana, ben = visitor(), visitor()
    room = ana.makes_room("Robust")
    ana.joins(room, "Ana")
    ben.joins(room, "Ben")
    ana.is_connected_to(1)
    printed = len(whole_house.log)

    os.kill(whole_house.pid_of("gunicorn"), signal.SIGKILL)

    eventually(lambda: any("web ended" in line for line in whole_house.log[printed:]), 20)
    eventually(lambda: any("Booting worker" in line for line in whole_house.log[printed:]), 30)
    ana.media_flows_from(1)
    # The server knows them still: a newcomer meets both.
    cleo = visitor().joins(room, "Cleo")
    cleo.is_connected_to(2)
    assert ana.page.evaluate("() => letterbox.mailbox.state") == "connected"


def test_a_rolling_restart_of_the_web_processes_is_not_noticed_by_the_people_in_a_call(visitor, whole_house):
    ana, ben = visitor(), visitor()
    room = ana.makes_room("Rolling")
    ana.joins(room, "Ana")
    ben.joins(room, "Ben")
    ana.is_connected_to(1)
    notices: list[str] = []
    ana.page.expose_function("noticed", lambda what: notices.append(what))
    ana.page.evaluate(
        "() => new MutationObserver(() => document.querySelector('#connection').hidden || noticed('shown'))"
        ".observe(document.querySelector('#connection'), { attributes: true })"
    )
    printed = len(whole_house.log)

    os.kill(whole_house.pid_of("gunicorn"), signal.SIGHUP)

    eventually(lambda: any("Worker exiting" in line for line in whole_house.log[printed:]), 20)
    ana.media_flows_from(1)
    cleo = visitor().joins(room, "Cleo")
    cleo.is_connected_to(2)
    assert ana.page.evaluate("() => letterbox.mailbox.state") == "connected"
    assert notices == []


def test_openapi_is_published(visitor):
    ana = visitor()

    answer = ana.page.goto(ana.house.url + "/api/v1/openapi.json")

    assert json.loads(answer.body())["openapi"].startswith("3.1")
