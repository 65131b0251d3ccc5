"""The page of whoever runs this server, in a real browser, under its real policy: signing in, what it shows, at every width."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.axe import complaints
from tests.journeys.house import Visitor

pytestmark = pytest.mark.browser


def test_an_administrator_signs_in_sees_the_server_makes_a_room_and_signs_out(visitor, whole_house):
    # Their own policy is in force: it is what these pages are tested for.
    here: Visitor = visitor(bypass_csp=False, viewport={"width": 1280, "height": 900})
    page: Page = here.page
    page.goto(f"{whole_house.url}/admin")
    page.fill("[data-testid=admin-key]", "not the key of this house")
    page.click("[data-testid=sign-in]")
    expect(page.get_by_test_id("wrong-key")).to_be_visible()
    assert complaints_of(here) == []
    page.fill("[data-testid=admin-key]", whole_house.admin_key)
    page.click("[data-testid=sign-in]")
    expect(page.get_by_test_id("figure-recorders-free")).to_have_text(re.compile(r"^\d+$"))

    page.fill("[data-testid=admin-room-title]", "Board meeting")
    page.click("[data-testid=admin-make-room]")
    expect(page.get_by_test_id("host-link")).to_have_value(re.compile(r"/r/[a-z0-9-]{14}#host=hk_"))
    # What somebody else does is seen without asking.
    host = visitor().joins(page.get_by_test_id("host-link").input_value().removeprefix(whole_house.url), "Ana <b>Moreno</b>")
    expect(page.locator("#rooms tr", has_text="Board meeting")).to_be_visible()
    host.leaves()
    page.fill("[data-testid=audit-search]", "room-made")
    expect(page.locator("#audit tr").first).to_contain_text("Made a room")

    for scheme in ("light", "dark"):
        for width in (1280, 390):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
            assert complaints_of(here) == [], (scheme, width)
    assert here.complaints == []

    page.click("[data-testid=sign-out]")
    expect(page.get_by_test_id("admin-key")).to_be_visible()


def complaints_of(visitor: Visitor) -> list[str]:
    """Of axe-core, which is let in past the policy by the browser's own hand."""
    return complaints(visitor.page)


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
