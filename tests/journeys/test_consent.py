"""Nobody is recorded who has not agreed: not a connection, not a byte; and everybody sees it, in the call and in the film."""

import io
import json

import av
import pytest

from tests.journeys.house import LIMIT_S, Visitor, WholeHouse
from tests.people import eventually

pytestmark = pytest.mark.browser
# Every RTCPeerConnection the page ever makes, before a script of the page could keep one back.
COUNT = """(() => { const Real = RTCPeerConnection; window.connections = [];
    window.RTCPeerConnection = function (...given) { const made = new Real(...given); connections.push(made); return made; };
    RTCPeerConnection.prototype = Real.prototype; })()"""


def recorders(one: Visitor) -> int:
    return int(one.page.evaluate("() => letterbox.peers().filter(p => p.kind === 'recorder').length"))


def reaches(one: Visitor, count: int) -> None:
    """The recorder gets this person's pictures, from now on."""
    before = one.sent_to_recorder()["frames"]
    eventually(lambda: one.sent_to_recorder()["frames"] >= before + count, LIMIT_S)


def finished(host: Visitor, room: str) -> tuple[dict, dict[str, bytes]]:
    """Stop; wait until it is ready: (manifest, artifact name -> bytes)."""
    host.page.click("[data-testid=record-stop]")
    page = host.context.new_page()
    page.goto(f"{host.house.url}{room}/recordings")
    page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)
    page.click("details.tracks summary")
    assert page.locator("[data-testid=withdrawn]:visible").count() == 1
    found = page.evaluate(
        """async room => {
            const key = JSON.parse(localStorage.getItem('letterbox.rooms')).find(one => room.endsWith(one.room));
            const headers = { Authorization: `Bearer ${key.hostKey}` };
            const answer = await fetch(`/api/v1/rooms/${key.room}/recordings`, { headers });
            return (await answer.json()).recordings[0].artifacts;
        }""",
        room,
    )
    files = {one["kind"] + " " + one["name"]: host.context.request.get(host.house.url + one["url"]).body() for one in found}
    return json.loads(next(data for name, data in files.items() if name.startswith("manifest"))), files


@pytest.mark.timeout(300)
def test_who_declines_is_not_sent_until_they_agree_and_no_more_when_they_withdraw(visitor):
    ana, ben, cleo = visitor(), visitor(), visitor()
    cleo.page.add_init_script(COUNT)
    room = ana.makes_room("Consent")
    ana.joins(room, "Ana")
    ben.joins(room, "Ben")
    cleo.joins(room, "Cleo")
    ana.is_connected_to(2)

    ana.page.click("[data-testid=record-start]")
    ana.page.wait_for_selector("[data-testid=recording-banner][data-state=recording]")
    ana.has_answered("given")
    reaches(ana, 30)

    # Asked, and until answered nobody of them is sent; the call goes on beside the question.
    for one in (ben, cleo):
        one.page.wait_for_selector("[data-testid=consent]")
        assert "Ana records this call" in one.page.inner_text("#consent-text")
        assert recorders(one) == 0
    ben.media_flows_from(2)
    ana.page.wait_for_selector(f"[data-participant={ben.id}] .mark >> text=Not recorded yet")
    ben.page.click("[data-testid=consent-no]")
    # By keyboard: to the question, to the second button.
    cleo.page.keyboard.press("r")
    cleo.page.keyboard.press("Tab")
    cleo.page.keyboard.press("Tab")
    cleo.page.keyboard.press("Enter")
    ben.has_answered("declined")
    cleo.has_answered("declined")
    ana.page.wait_for_selector(f"[data-participant={ben.id}] .mark >> text='Not recorded'")
    assert recorders(ben) == 0
    reaches(ana, 60)

    # A change of mind, and back.
    ben.page.click("[data-testid=consent-change]")
    ben.has_answered("given")
    reaches(ben, 60)
    ana.page.wait_for_selector(f"[data-participant={ben.id}] .mark", state="hidden")
    ben.page.evaluate("() => { window.used = letterbox.peers().find(p => p.kind === 'recorder').connection }")
    ben.page.click("[data-testid=consent-change]")
    ben.has_answered("withdrawn")
    assert ben.page.evaluate("() => used.connectionState") == "closed"
    assert recorders(ben) == 0
    reaches(ana, 60)
    # Cleo's page has only ever connected to the two people.
    assert cleo.page.evaluate("() => connections.length") == 2

    manifest, files = finished(ana, room)

    names = {person["id"]: person["name"] for person in manifest["participants"]}
    by_person = {names[track["participant"]] for track in manifest["tracks"]}
    assert by_person == {"Ana", "Ben"}
    said = [(row["name"], row["answer"], row["how"]) for row in manifest["consent"]]
    assert said[0] == ("Ana", "given", "started")
    assert sorted(said[1:3]) == [("Ben", "declined", "asked"), ("Cleo", "declined", "asked")]
    assert said[3:] == [("Ben", "given", "asked"), ("Ben", "withdrawn", "asked")]
    assert manifest["consent"][1]["text"].startswith("Ana records this call. May you be recorded, too?")
    bens = [row for row in manifest["events"] if row["kind"] == "consent" and names[row["participant"]] == "Ben"]
    answers = {row["body"]["answer"]: row["at_us"] for row in bens}
    for track in manifest["tracks"]:
        if names[track["participant"]] == "Ben":
            assert track["withdrawn"]
            assert track["start_us"] >= answers["given"] - 200_000
            assert track["start_us"] + track["duration_us"] <= answers["withdrawn"] + 500_000
        else:
            assert not track["withdrawn"]
    _film_shows(next(data for name, data in files.items() if name.startswith("composed")), answers)


def _film_shows(film: bytes, bens: dict[str, int]) -> None:
    """Ana upper left, Ben upper right, Cleo below: the fake camera is green, a placeholder is not."""
    with av.open(io.BytesIO(film)) as container:
        frames = [(frame.time, frame) for frame in container.decode(video=0)]

    def is_green(second: float, x: int, y: int) -> bool:
        frame = next(frame for at, frame in reversed(frames) if at <= second)
        red, green, blue = frame.to_ndarray(format="rgb24")[y, x].astype(int)
        return bool(green > 90 > max(red, blue))

    before, after = bens["given"] / 1e6 - 0.5, bens["withdrawn"] / 1e6 + 0.5
    during = bens["withdrawn"] / 1e6 - 0.5
    assert [is_green(second, 320, 60) for second in (before, during, after)] == [True, True, True]
    assert [is_green(second, 960, 60) for second in (before, during, after)] == [False, True, False]
    assert [is_green(second, 640, 420) for second in (before, during, after)] == [False, False, False]


@pytest.mark.timeout(240)
def test_who_comes_into_a_recorded_call_is_asked_before_and_a_reload_does_not_ask_again(visitor):
    ana, ben, cleo = visitor(), visitor(), visitor()
    room = ana.makes_room("Before")
    ana.joins(room, "Ana")
    ana.page.click("[data-testid=record-start]")
    ana.page.wait_for_selector("[data-testid=recording-banner][data-state=recording]")

    for one, name, button in ((ben, "Ben", "join-unrecorded"), (cleo, "Cleo", "join")):
        one.page.goto(one.house.url + room)
        one.page.wait_for_selector("#recorded:not([hidden]) >> text=is being recorded by Ana")
        one.page.fill("[data-testid=name-input]", name)
        one.page.click(f"[data-testid={button}]")
        one.page.wait_for_selector("#call:not([hidden])")
    ben.has_answered("declined")
    cleo.has_answered("given")
    reaches(cleo, 20)

    for one in (ben, cleo):
        one.page.reload()
        one.page.wait_for_selector("#call:not([hidden])")
    ben.has_answered("declined")
    cleo.has_answered("given")
    reaches(cleo, 20)
    assert recorders(ben) == 0
    assert not ben.page.is_visible("[data-testid=consent]")
    ana.page.click("[data-testid=record-stop]")
    ben.page.wait_for_selector("[data-testid=recording-banner]", state="hidden")
    assert not ben.page.is_visible("[data-testid=not-recorded]")
    assert ben.complaints == cleo.complaints == []


@pytest.mark.timeout(120)
def test_where_a_notice_is_enough_it_is_said_clearly_and_one_may_still_decline(browser, tmp_path):
    house = WholeHouse(tmp_path, LETTERBOX_CONSENT="notice")
    ana, ben = Visitor(browser, house), Visitor(browser, house)
    try:
        room = ana.makes_room("Notice")
        ana.joins(room, "Ana")
        ben.joins(room, "Ben")

        ana.page.click("[data-testid=record-start]")

        ben.has_answered("given")
        assert "Ana records this call, and you with it" in ben.page.inner_text("#consent-text")
        reaches(ben, 20)
        ben.page.click("[data-testid=consent-no]")
        ben.has_answered("withdrawn")
        assert recorders(ben) == 0
        ana.page.wait_for_selector(f"[data-participant={ben.id}] .mark >> text='Not recorded'")
    finally:
        for one in (ana, ben):
            one.leaves()
        house.stop()
