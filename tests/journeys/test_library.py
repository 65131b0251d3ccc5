"""After the call: a recording is looked at, searched, and taken along, through the page."""

import contextlib
import hashlib
import io
import sqlite3
import zipfile

import pytest

from tests.journeys.axe import complaints
from tests.journeys.house import Visitor
from tests.journeys.test_recording import download, reaches, two_recorded
from tests.lines import CuttingLine
from tests.people import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def recorded(browser, whole_house):
    """The host's recordings page, with one recording of two people in which somebody wrote and a moment was marked."""
    here = []

    def visitor():
        here.append(Visitor(browser, whole_house))
        return here[-1]

    ana, ben, room = two_recorded(visitor, "Library")
    reaches(ana, 90)
    ben.page.click("#show-chat")
    ben.page.fill("[data-testid=chat-input]", "Here are the figures")
    ben.page.click("[data-testid=chat-send]")
    ana.page.keyboard.press("k")
    reaches(ana, 150)
    ana.page.click("[data-testid=record-stop]")
    ana.page.goto(f"{ana.house.url}{room}/recordings")
    ana.page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)
    yield ana.page
    for one in here:
        one.leaves()


@pytest.fixture
def library(recorded):
    """The same page, opened anew."""
    recorded.reload()
    recorded.wait_for_selector("[data-testid=chapters] button")
    return recorded


def seconds(page) -> float:
    return page.evaluate("() => document.querySelector('[data-testid=player]').currentTime")


@pytest.mark.timeout(240)
def test_a_recording_is_searched_by_chapter_waveform_and_keys_and_taken_along_whole(library):
    page = library
    page.wait_for_function("() => document.querySelector('[data-testid=player]').readyState >= 1")
    assert page.locator(".speaking li .name").all_text_contents() == ["Ana", "Ben"]
    assert page.locator("[data-testid=quality]").get_attribute("data-verdict") in ("good", "fair")

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert complaints(page) == [], scheme

    page.evaluate("() => { document.querySelector('.chapters .title').textContent = 'The vote on the playground '.repeat(6) }")
    for width in (820, 640, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
    page.set_viewport_size({"width": 1280, "height": 720})

    page.click("[data-testid=chapters] button:has-text('Mark 1')")
    marked = seconds(page)
    assert marked > 1
    assert page.locator("[data-testid=chapters] [aria-current]").inner_text().endswith("Mark 1")

    page.focus("[data-testid=seek]")
    page.keyboard.press("0")
    assert seconds(page) == 0
    page.keyboard.press("5")
    assert seconds(page) > 1
    page.locator("[data-testid=seek]").fill("0.5")
    assert seconds(page) == pytest.approx(0.5, abs=0.1)

    box = page.locator(".seeking").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 20)
    page.wait_for_selector(".preview:not([hidden]) .picture:not([hidden])")
    assert "thumbnails.jpg" in page.evaluate("() => document.querySelector('.preview .picture').style.backgroundImage")
    assert "Mark 1" in page.inner_text(".preview .time")

    page.click("[data-testid=speed]")
    assert page.evaluate("() => document.querySelector('[data-testid=player]').playbackRate") == 1.25
    page.keyboard.press("k")
    eventually(lambda: seconds(page) > 1, 20)

    name, data = download(page, page.locator("[data-testid=download-all]"))
    assert name.endswith(" Library.zip")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
    assert any(one.endswith("Library.mp4") for one in names)
    assert sum(one.endswith(".webm") for one in names) == 4
    assert {"chapters.vtt", "manifest.json", "quality.json", "waveform.json"} <= set(names)


@pytest.mark.timeout(240)
def test_a_link_with_a_password_shows_the_recording_until_it_is_taken_back(library, visitor):
    host, guest = library, visitor().page
    host.click("[data-testid=share]")
    host.fill("[data-testid=share-name]", "Cleo")
    host.fill("[data-testid=share-password]", "sesame")
    host.uncheck("[data-testid=share-downloads]")
    host.click("[data-testid=make-share]")
    host.wait_for_selector("#made-share:not([hidden])")
    link = host.input_value("[data-testid=share-link]")
    assert "#sh_" in link

    guest.goto(link)
    guest.fill("[data-testid=password]", "open")
    guest.click("[data-testid=unlock]")
    guest.wait_for_selector("#problem:not([hidden])")
    guest.fill("[data-testid=password]", "sesame")
    guest.click("[data-testid=unlock]")
    guest.wait_for_selector("[data-testid=chapters] button")
    guest.wait_for_function("() => document.querySelector('[data-testid=player]').readyState >= 1")
    assert guest.inner_text("#title") == "Library"
    for absent in ("download-composed", "download-all", "delete-recording", "share", "retry"):
        assert not guest.is_visible(f"[data-testid={absent}]"), absent
    assert guest.locator("[data-testid=download-track]").count() == 0

    host.keyboard.press("Escape")
    host.click("[data-testid=share]")
    row = host.locator("[data-testid=share-row]")
    row.wait_for()
    assert "Cleo" in row.inner_text()
    row.locator("[data-testid=revoke-share]").click()
    row.wait_for(state="detached")

    guest.reload()
    guest.wait_for_selector("#problem:not([hidden])")
    assert not guest.is_visible("[data-testid=recording-item]")


def shared(host, visitor) -> tuple:
    """(someone with a link that lapses, the link): the recording is open before them."""
    host.click("[data-testid=share]")
    host.click("[data-testid=make-share]")
    host.wait_for_selector("#made-share:not([hidden])")
    return visitor().page, host.input_value("[data-testid=share-link]")


@pytest.mark.timeout(240)
def test_a_download_that_is_cut_again_and_again_arrives_whole(library, visitor, whole_house):
    guest, link = shared(library, visitor)
    line = CuttingLine(whole_house.port)
    guest.goto(link.replace(f":{whole_house.port}/", f":{line.port}/"))
    film = guest.locator("[data-testid=download-composed]")
    film.wait_for()
    asked = "async url => Object.fromEntries((await fetch(url, { method: 'HEAD' })).headers)"
    told = guest.evaluate(asked, film.get_attribute("href"))

    line.after_bytes, line.way, line.cuts_left = int(told["content-length"]) // 4, "down", 3
    _, data = download(guest, film)

    assert line.cut == 3
    assert told["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    line.close()


@pytest.mark.timeout(240)
def test_a_link_opens_nothing_after_its_end(library, visitor, whole_house):
    guest, link = shared(library, visitor)
    guest.goto(link)
    guest.wait_for_selector("[data-testid=recording-item]")

    with contextlib.closing(sqlite3.connect(whole_house.data / "letterbox.db")) as database, database:
        database.execute("UPDATE share SET expires_at_ms = expires_at_ms - 8 * 86400 * 1000 WHERE expires_at_ms IS NOT NULL")
    guest.reload()

    guest.wait_for_selector("#problem:not([hidden])")
    assert not guest.is_visible("[data-testid=recording-item]")


@pytest.mark.timeout(240)
def test_the_film_is_played_silenced_and_enlarged_by_hand(library):
    page = library
    film = "document.querySelector('[data-testid=player]')"

    page.click("[data-testid=player]")
    page.wait_for_function(f"() => !{film}.paused")
    page.click("[data-testid=player]")
    page.wait_for_function(f"() => {film}.paused")

    page.click("[data-testid=sound]")
    assert page.evaluate(f"() => {film}.muted")
    page.locator(".volume").fill("0.5")
    assert page.evaluate(f"() => [{film}.muted, {film}.volume]") == [False, 0.5]

    page.click("[data-testid=full-screen]")
    page.wait_for_function(f"() => document.fullscreenElement && {film}.controls")
    page.keyboard.press("Escape")
    page.evaluate("() => document.fullscreenElement && document.exitFullscreen()")
    page.wait_for_function(f"() => !document.fullscreenElement && !{film}.controls")


CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:09.000\nGood morning\n"


def plays(page) -> None:
    page.evaluate("() => document.querySelector('[data-testid=player]').play()")
    page.wait_for_function("() => document.querySelector('[data-testid=player]').currentTime > 0.5")


@pytest.mark.timeout(300)
def test_chat_captions_and_single_people_run_beside_the_film_on_its_time(library, tmp_path):
    page = library
    line = page.locator("[data-testid=chat-beside] li")
    assert "Ben" in line.inner_text()
    assert "Here are the figures" in line.inner_text()
    line.locator("button").click()
    assert seconds(page) > 0.5
    assert line.get_attribute("aria-current") == "true"

    (tmp_path / "words.vtt").write_text(CAPTIONS)
    page.click("[data-testid=captions]")
    page.set_input_files("[data-testid=captions-file]", tmp_path / "words.vtt")
    page.click("[data-testid=bring-captions]")
    shown = "document.querySelector('[data-testid=player]').textTracks[0]?.cues?.[0]?.text"
    page.wait_for_function(f"() => {shown} === 'Good morning'")
    captions = page.locator("[data-testid=show-captions]")
    before = captions.get_attribute("aria-pressed")
    captions.click()
    page.wait_for_function("before => document.querySelector('[data-testid=show-captions]').ariaPressed !== before", arg=before)

    page.locator("[data-testid=people] button", has_text="Ben").click()
    page.locator("[data-testid=seek]").fill("0")
    plays(page)
    page.wait_for_function("() => document.querySelectorAll('[data-testid=together] figure:not([hidden])').length === 1")
    assert page.inner_text("[data-testid=together] figcaption") == "Ben"
    page.locator("[data-testid=people] button", has_text="Ana").click()
    page.wait_for_function("() => document.querySelectorAll('[data-testid=together] figure:not([hidden])').length === 2")
    own = "[...document.querySelectorAll('[data-testid=together] :is(video, audio)')]"
    apart = f"() => Math.max(...{own}.map((one) => Math.abs(one.playbackRate - 1)))"
    # Less than 45 ms from the film (ITU-R BT.1359 notices more): so little faster or slower are they played.
    page.wait_for_function(f"() => ({apart})() < 0.045")
    # What is heard are the tracks: so it is they that are silenced, and the film stays so.
    heard = "() => [...document.querySelectorAll('[data-testid=together] audio')].some((one) => !one.muted)"
    assert page.evaluate(heard)
    page.click("[data-testid=sound]")
    assert not page.evaluate(heard)
    page.click("[data-testid=sound]")
    assert page.evaluate(heard)
    assert page.evaluate("() => document.querySelector('[data-testid=player]').muted")
    page.locator("[data-testid=people] button", has_text="Ana").click()
    page.locator("[data-testid=people] button", has_text="Ben").click()
    assert not page.is_visible("[data-testid=together]")
    assert not page.evaluate("() => document.querySelector('[data-testid=player]').muted")


@pytest.mark.timeout(300)
def test_another_film_is_made_watched_and_deleted_and_a_person_is_taken_out(library):
    page = library
    page.click("[data-testid=another-film]")
    page.click("[data-testid=versions] label:has-text('Speaker')")
    page.uncheck("[data-testid=versions] label:has-text('Ana') input")
    page.fill("[data-testid=version-to]", "nine")
    page.fill("[data-testid=version-title]", "Only Ben")
    page.click("[data-testid=make-version]")
    assert page.is_visible("#version-problem")
    page.fill("[data-testid=version-to]", "0:02")
    page.click("[data-testid=make-version]")

    film = page.locator("[data-testid=film][data-version='2']")
    film.locator("[data-testid=download-version]").wait_for(timeout=60_000)
    assert "Ben" in film.locator(".facts").inner_text()
    film.locator("[data-testid=watch-film]").click()
    page.wait_for_function("() => Math.abs(document.querySelector('[data-testid=player]').duration - 2) < 0.3")
    assert page.locator(".speaking li .name").all_text_contents() == ["Ben"]
    name, _ = download(page, film.locator("[data-testid=download-version]"))
    assert name.endswith("Library – Only Ben.mp4")
    film.locator("[data-testid=delete-version]").click()
    film.wait_for(state="detached")

    page.locator(".track-count").click()
    page.locator(".track-list > li", has_text="Ben").locator("[data-testid=remove-person]").click()
    page.click("[data-testid=confirm-delete]")
    page.wait_for_selector("[data-testid=removed]:not([hidden])")
    page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=120_000)
    page.wait_for_function("() => document.querySelectorAll('.track-list > li').length === 1")
    assert page.inner_text(".track-list .person") == "Ana"
