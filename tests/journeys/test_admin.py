"""The page of whoever runs this server, in a real browser, under its real policy: signing in, what it shows, at every width."""

import pytest
from playwright.sync_api import Page

from tests.journeys.axe import complaints
from tests.journeys.house import Visitor

pytestmark = pytest.mark.browser


def signs_in(here: Visitor, key: str) -> Page:
    here.page.goto(f"{here.house.url}/admin")
    here.page.fill("[data-testid=admin-key]", key)
    here.page.click("[data-testid=sign-in]")
    return here.page


def test_the_admin_page_lives_under_its_own_policy(visitor, whole_house):
    here = visitor(bypass_csp=False)
    signs_in(here, "not the key of this house").locator("[data-testid=wrong-key]").wait_for()

    page = signs_in(here, whole_house.admin_key)
    page.locator("#list-audit tr").first.wait_for()
    page.click("[data-testid=sign-out]")
    page.locator("[data-testid=admin-key]").wait_for()

    assert here.complaints == []


def test_an_administrator_makes_a_room_and_sees_who_comes_into_it(visitor, whole_house):
    here = visitor()
    here.page.goto(f"{whole_house.url}/admin")
    assert complaints(here.page) == []
    page = signs_in(here, whole_house.admin_key)

    page.fill("[data-testid=admin-room-title]", "Board meeting")
    page.click("[data-testid=admin-make-room]")
    page.locator("#made:not([hidden])").wait_for()
    link = page.input_value("[data-testid=host-link]")
    host = visitor().joins(link.removeprefix(whole_house.url), "Ana <b>Moreno</b>")
    # Without asking for it: the page looks by itself.
    page.locator("#list-rooms tr").filter(has_text="Board meeting").wait_for()
    host.leaves()
    page.fill("[data-testid=audit-search]", "room-made")
    page.locator("#list-audit tr").filter(has_text="Made a room").first.wait_for()

    for scheme in ("light", "dark"):
        for width in (1280, 390):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
            assert complaints(page) == [], (scheme, width)


def test_a_call_leaves_no_secret_and_no_description_in_any_log(visitor, whole_house):
    ana, ben = visitor(), visitor()
    said: set[str] = set()
    for one in (ana, ben):
        one.page.on("request", lambda request: said.add(request.headers.get("authorization", "")))
    path = ana.makes_room("Board meeting")
    host_key = ana.page.evaluate("() => JSON.parse(localStorage.getItem('letterbox.rooms'))[0].hostKey")
    ana.joins(path, "Ana")
    ben.joins(path, "Ben")
    ana.is_connected_to(1)
    ben.is_connected_to(1)
    tokens = {token.removeprefix("Bearer ") for token in said if token.startswith("Bearer pt_")}

    log = "\n".join(whole_house.log)

    assert "joined as host" in log
    assert host_key.startswith("hk_")
    assert len(tokens) == 2
    for secret in (host_key, *tokens, whole_house.admin_key, "v=0", "a=fingerprint", "a=candidate", "candidate:"):
        assert secret not in log
