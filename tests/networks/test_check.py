"""The connection check says what a network blocks: each verdict in the network it is about."""

import re
from contextlib import ExitStack

import pytest

from tests.journeys.house import Visitor
from tests.networks import parts

pytestmark = [pytest.mark.browser, pytest.mark.network]


@pytest.fixture
def check(lab, chromium):
    """Open the page from one network; returns it when the verdict is there."""
    with ExitStack() as stack:

        def run(house, gateway, proxy=""):
            lab.be("a", gateway)
            stack.callback(parts.stop, parts.start_names(lab, "a"))
            if proxy:
                start = parts.start_buffering_proxy if proxy == "buffering" else parts.start_squid
                stack.callback(parts.stop, start(lab, "a"))
            browser = parts.open_browser(chromium, lab, "a", parts.proxy_of("a") if proxy else None)
            stack.callback(browser.close)
            ana = Visitor(browser, house)
            ana.page.goto(f"{house.url}/check")
            ana.page.wait_for_selector("[data-testid=check-again]:not([hidden])")
            return ana.page

        yield run


def verdict(page) -> str:
    return page.get_attribute("[data-testid=check-verdict]", "data-verdict")


def states(page) -> dict[str, str]:
    return dict(page.eval_on_selector_all(".step", "items => items.map(item => [item.dataset.step, item.dataset.state])"))


def test_in_an_open_network_every_step_is_well(check, house):
    page = check(house, "open")

    assert verdict(page) == "good"
    assert set(states(page).values()) == {"ok"}
    order = ["secure", "signaling", "quiet", "stun", "turn-udp", "turn-tcp", "turn-443", "channel", "media"]
    assert list(states(page)) == order


def test_behind_a_proxy_port_443_is_the_road_that_is_left(check, house):
    page = check(house, "proxy only", "plain")

    assert verdict(page) == "relay-443"
    found = states(page)
    assert (found["stun"], found["turn-udp"], found["turn-tcp"]) == ("failed", "failed", "failed")
    assert (found["turn-443"], found["channel"], found["media"]) == ("ok", "ok", "ok")


def test_where_no_media_passes_the_administrator_is_told_what_to_open(check, house):
    page = check(house, "proxy only", "buffering")

    assert verdict(page) == "no-media"
    assert states(page)["signaling"] == "ok"
    # Something keeps whole answers there.
    assert states(page)["quiet"] == "warning"
    text = page.inner_text(".administrator pre")
    assert re.search(r"turn\.test, port 443/TCP, without opening its TLS", text)
    assert parts.SECRET not in text


def test_a_server_without_a_relay_says_so(check, house_without_turn):
    page = check(house_without_turn, "nat")

    assert verdict(page) == "no-relay-set-up"


def test_a_relay_that_does_not_accept_us_is_told_from_a_network_that_blocks_it(check, house, turn):
    turn.stop()
    turn.start(secret="another")
    try:
        page = check(house, "nat")

        assert verdict(page) == "credentials"
    finally:
        turn.stop()
        turn.start()


def test_in_a_call_the_panel_says_which_way_packets_take_and_runs_the_same_check(check, house, lab, chromium):
    page = check(house, "symmetric")
    page.goto(house.url)
    page.fill("[data-testid=room-title-input]", "Panel")
    page.click("[data-testid=create-room]")
    page.click("[data-testid=enter-room]")
    with ExitStack() as stack:
        lab.be("b", "symmetric")
        stack.callback(parts.stop, parts.start_names(lab, "b"))
        browser = parts.open_browser(chromium, lab, "b")
        stack.callback(browser.close)
        page.wait_for_selector("[data-testid=name-input]")
        ben = Visitor(browser, house).joins(page.url.removeprefix(house.url), "Ben")
        page.fill("[data-testid=name-input]", "Ana")
        page.click("[data-testid=join]")
        ben.is_connected_to(1)

        page.keyboard.press("n")

        page.wait_for_selector("[data-testid=path]:has-text('Over the relay, by UDP')")
        assert "25 s" in page.inner_text("[data-testid=network] .hold")
        page.click("[data-testid=check-here]")
        page.wait_for_selector("[data-testid=network] [data-verdict=good]")
