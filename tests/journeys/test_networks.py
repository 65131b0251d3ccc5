"""What networks and laptops do to a call, as far as one machine can show it; tests/networks shows the rest with real proxies."""

import os
import signal
from pathlib import Path

import pytest

from tests.journeys.house import CHROMIUM, FLAGS, Visitor, WholeHouse

pytestmark = pytest.mark.browser
CALL = "#call:not([hidden])"


def test_seven_tabs_of_one_browser_are_each_in_their_call(visitor, whole_house):
    """A browser keeps six connections to a server: seven parked polls would leave none for what is sent."""
    ana, ben = visitor(), visitor()
    rooms = [ben.makes_room(f"Tab {n}") for n in range(7)]
    tabs = [ana.page, *(ana.context.new_page() for _ in range(6))]

    for number, (page, room) in enumerate(zip(tabs, rooms, strict=True)):
        page.goto(whole_house.url + room)
        page.fill("[data-testid=name-input]", f"Ana {number}")
        page.click("[data-testid=join]")
        page.wait_for_selector(CALL)

    # Somebody comes into some of them, and those tell so.
    for room, page in list(zip(rooms, tabs, strict=True))[::3]:
        guest = visitor().joins(room, "Guest")
        page.wait_for_function("() => letterbox.peers().some(p => p.connection.connectionState === 'connected')")
        guest.leaves()
    # The tab that polled for all goes: another takes over.
    tabs[0].close()
    guest = visitor().joins(rooms[6], "Late")
    tabs[6].wait_for_function("() => letterbox.peers().some(p => p.name === 'Late')")
    guest.leaves()


def test_turn_credentials_are_renewed_before_they_lapse(browser, tmp_path):
    house = WholeHouse(tmp_path, LETTERBOX_TURN_URLS="turn:127.0.0.1:9", LETTERBOX_TURN_SECRET="s", LETTERBOX_TURN_TTL_S="4")
    try:
        ana, ben = Visitor(browser, house), Visitor(browser, house)
        room = ana.makes_room("Long")
        ana.joins(room, "Ana")
        ben.joins(room, "Ben")
        ana.is_connected_to(1)
        used = "() => letterbox.peers()[0].connection.getConfiguration().iceServers[0].username"
        first = ana.page.evaluate(used)

        ana.page.wait_for_function(f"first => ({used})() !== first", arg=first)

        assert int(ana.page.evaluate(used).split(":")[0]) > int(first.split(":")[0])
        ana.media_flows_from(1)
    finally:
        assert house.stop() == 0


def chromium_processes() -> set[int]:
    """Every process of every browser of ours."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"chromium" in (entry / "cmdline").read_bytes().split(b"\0")[0]:
                found.add(int(entry.name))
        except OSError:
            continue  # ended meanwhile
    return found


def test_back_from_sleep_one_is_in_the_call_again(browser, tmp_path):
    """All processes of a laptop stand still, for so long that the others see it go; then they go on."""
    house = WholeHouse(tmp_path, LETTERBOX_WAIT_S="2", LETTERBOX_GRACE_S="3")
    ben = Visitor(browser, house)
    awake = chromium_processes()
    laptop = browser.browser_type.launch(executable_path=CHROMIUM, args=FLAGS)
    try:
        ana = Visitor(laptop, house)
        room = ben.makes_room("Sleep")
        ben.joins(room, "Ben")
        ana.joins(room, "Ana")
        ben.is_connected_to(1)
        asleep = chromium_processes() - awake
        for process in asleep:
            os.kill(process, signal.SIGSTOP)
        ben.page.wait_for_function("() => letterbox.peers().length === 0")

        for process in asleep:
            os.kill(process, signal.SIGCONT)

        ben.is_connected_to(1)
        ben.media_flows_from(1)
        assert ana.page.wait_for_selector(CALL)
    finally:
        laptop.close()
        ben.leaves()
        assert house.stop() == 0
