"""Files from one to another, to all, cut short and gone on with: in real browsers, and none of it through the server."""

import hashlib
import os
import re
from pathlib import Path

import httpx
import pytest

from tests.journeys.house import Visitor, WholeHouse
from tests.people import eventually

pytestmark = pytest.mark.browser

CHANNELS = (Path(__file__).parent / "channels.js").read_text()
# Without a place to choose, a file goes into the page's own storage and is saved from there: what most browsers do.
NO_PICKER = "delete globalThis.showSaveFilePicker;"
# What a person chooses in the browser's own dialog, which no test can press: a file in the page's own storage.
PICKER = """globalThis.showSaveFilePicker = async ({ suggestedName }) => {
    globalThis.suggested = suggestedName;
    globalThis.place = await (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
    return globalThis.place;
};"""
MB = 1_000_000


@pytest.fixture
def person(visitor):
    """Somebody whose file channels can be cut, and who is asked for no place to save to."""

    def come(script: str = NO_PICKER):
        one = visitor()
        one.context.add_init_script(script + CHANNELS)
        return one

    return come


def together(person, *names: str) -> list:
    """These people in a room, each connected to each; of files, and nothing else to do."""
    return meet([person() for _ in names], *names)


def meet(here: list, *names: str) -> list:
    room = here[0].makes_room("Files")
    for one, name in zip(here, names, strict=True):
        one.joins(room, name)
        one.page.keyboard.press("v")
    for one in here:
        one.is_connected_to(len(names) - 1)
    return here


def path_of(one) -> str:
    return str(one.page.url.removeprefix(one.house.url))


def file_of(folder: Path, size: int, name: str = "Plan 2027.pdf") -> Path:
    (folder / name).write_bytes(os.urandom(size))
    return folder / name


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def gives(one, *paths: Path) -> None:
    one.page.set_input_files("#choose-files", [str(path) for path in paths])


def card(one, name: str = "Plan 2027.pdf"):
    return one.page.locator("[data-testid=file-card]", has=one.page.locator(".file-name", has_text=name))


def is_at(one, state: str, name: str = "Plan 2027.pdf", who: str = "") -> None:
    """Its line in the card says that state; of several lines that of `who`."""
    card(one, name).locator(f"[data-testid=file-way][data-state={state}]", has_text=who).wait_for(state="attached")


def takes(one, name: str = "Plan 2027.pdf") -> None:
    if one.page.is_hidden("#chat"):
        one.page.click("#show-chat")
    card(one, name).locator("[data-do=accept]").click()


def saved(one, name: str = "Plan 2027.pdf") -> Path:
    with one.page.expect_download() as download:
        card(one, name).locator("[data-do=save]").click()
    assert download.value.suggested_filename == name
    return Path(download.value.path())


def test_a_file_cut_short_twice_goes_on_where_it_was_and_arrives_whole(person, tmp_path):
    ana, ben = together(person, "Ana", "Ben")
    plan = file_of(tmp_path, 12 * MB)
    ana.page.evaluate("() => (cuts = [3_000_000, 4_000_000])")
    gives(ana, plan)

    takes(ben)

    is_at(ben, "received")
    is_at(ana, "sent", who="Ben")
    assert digest(saved(ben)) == digest(plan)
    assert ana.page.evaluate("() => fileChannels.length") == 3
    assert ana.complaints == ben.complaints == []


def test_to_everyone_each_as_they_like_a_late_joiner_too_and_one_file_to_one_alone(person, tmp_path):
    ana, ben, cleo = meet([person(), person(PICKER), person()], "Ana", "Ben", "Cleo")
    plan, empty = file_of(tmp_path, 2 * MB), file_of(tmp_path, 0, "empty.txt")

    gives(ana, plan, empty)
    assert ana.page.locator("#send-files li").all_inner_texts() == ["Plan 2027.pdf · 2.0 MB", "empty.txt · 0 KB"]
    ana.page.click("#send-files [data-testid=send-files]")
    for name in ("Plan 2027.pdf", "empty.txt"):
        takes(ben, name)
        is_at(ben, "received", name)
    card(cleo).locator("[data-do=decline]").dispatch_event("click")
    dan = person().joins(path_of(ana), "Dan")
    takes(dan)
    is_at(dan, "received")

    is_at(ana, "sent", who="Ben")
    is_at(ana, "declined", who="Cleo")
    is_at(ana, "sent", who="Dan")
    written = ben.page.evaluate(
        """async () => {
            const root = await navigator.storage.getDirectory();
            const file = await (await root.getFileHandle('Plan 2027.pdf')).getFile();
            return [...new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))];
        }"""
    )
    assert bytes(written).hex() == digest(plan)
    gives(cleo, file_of(tmp_path, 5, "secret.txt"))
    cleo.page.select_option("[data-testid=send-to]", label="Ben")
    cleo.page.click("#send-files [data-testid=send-files]")
    takes(ben, "secret.txt")
    is_at(cleo, "sent", "secret.txt")
    assert card(ana, "secret.txt").count() == card(dan, "secret.txt").count() == 0


def test_a_sender_that_reloads_is_asked_for_the_file_and_it_goes_on_where_it_was(person, tmp_path):
    ana, ben = together(person, "Ana", "Ben")
    plan = file_of(tmp_path, 6 * MB)
    ana.page.evaluate("() => (silentAfter = 3_000_000)")
    gives(ana, plan)
    takes(ben)
    card(ben).locator(".says", has_text="2.9 MB").wait_for()

    ana.page.reload()

    is_at(ben, "gone")
    card(ana).locator("[data-do=choose]").wait_for()
    ana.is_connected_to(1)
    gives(ana, plan)
    is_at(ben, "received")
    is_at(ana, "sent", who="Ben")
    assert digest(saved(ben)) == digest(plan)
    assert ana.page.evaluate("() => fileChannels.length") == 1


def test_who_leaves_or_cancels_in_the_middle_ends_it_and_what_came_is_thrown_away(person, tmp_path):
    ana, ben, cleo = together(person, "Ana", "Ben", "Cleo")
    ana.page.evaluate("() => (silentAfter = 1_000_000)")
    gives(ana, file_of(tmp_path, 6 * MB))
    ana.page.click("#send-files [data-testid=send-files]")
    for one in (ben, cleo):
        takes(one)
        is_at(one, "receiving")

    cleo.page.click("[data-testid=leave]")
    is_at(ana, "gone", who="Cleo")
    card(ben).locator("[data-do=cancel]").click()

    is_at(ana, "cancelled", who="Ben")
    kept = """async () => { let count = 0;
        const files = await (await navigator.storage.getDirectory()).getDirectoryHandle('files');
        for await (const tab of files.values()) for await (const _ of tab.keys()) count += 1;
        return count; }"""
    eventually(lambda: ben.page.evaluate(kept) == 0)


def test_names_are_names_and_never_paths_or_markup(person, tmp_path):
    ana, ben = together(person, "Ana", "Ben")
    odd = file_of(tmp_path, 10, "<img src=x onerror=alert(1)> übergrößenträger 日本 🎉.txt")
    ana.page.evaluate(
        """() => { const drop = name => { const given = new DataTransfer();
            given.items.add(new File(['x'], name));
            dispatchEvent(new DragEvent('drop', { dataTransfer: given, bubbles: true })); };
            drop('../../' + 'long '.repeat(200) + '.tar.gz'); }"""
    )
    gives(ana, odd)
    name = "img src=x onerror=alert(1) übergrößenträger 日本 🎉.txt"
    takes(ben, name)

    assert saved(ben, name).read_bytes() == odd.read_bytes()
    names = ben.page.locator(".file-name").all_inner_texts()
    assert [len(one.encode()) <= 240 and one.endswith(".tar.gz") and "/" not in one for one in names] == [True, False]
    assert ben.page.locator("#messages img").count() == 0


def figure(house, name: str) -> float:
    text = httpx.get(f"{house.url}/metrics").text
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)} ([0-9.e+]+)$", text, re.MULTILINE))


def counted(one, names: tuple[str, ...]) -> list[float]:
    """These figures when all that was done until now is in them: a worker adds up its bytes once a second."""
    found = [figure(one.house, name) for name in names]
    while True:
        one.page.wait_for_timeout(1500)
        before, found = found, [figure(one.house, name) for name in names]
        if found[0] == before[0]:
            return found


@pytest.fixture
def quiet_house(tmp_path):
    """One where nothing else goes on: in the others' a film may still be made of what was recorded before."""
    started = WholeHouse(tmp_path / "data")
    yield started
    started.stop()


def test_chat_and_files_cost_the_server_nothing(browser, quiet_house, tmp_path):
    here = [Visitor(browser, quiet_house) for _ in range(2)]
    for one in here:
        one.context.add_init_script(NO_PICKER + CHANNELS)
    ana, ben = meet(here, "Ana", "Ben")
    # The page loads what files need when there is one: from then on is counted.
    gives(ana, file_of(tmp_path, 10, "first.txt"))
    takes(ben, "first.txt")
    is_at(ana, "sent", "first.txt")
    names = ("letterbox_received_bytes_total", "letterbox_sent_bytes_total", 'letterbox_messages_total{kind="chat"}')
    before = counted(ana, names)
    assert min(before[:2]) > 1000

    gives(ana, file_of(tmp_path, 20 * MB))
    takes(ben)
    for number in range(50):
        ben.page.fill("[data-testid=chat-input]", f"{number} " + "word " * 500)
        ben.page.press("[data-testid=chat-input]", "Enter")
    ana.page.locator("[data-testid=chat-message]", has_text="49 word").wait_for(state="attached")
    is_at(ana, "sent")

    received, sent, chat = (now - was for now, was in zip(counted(ana, names), before, strict=True))
    # Polls that ended, and /metrics itself, are a few thousand bytes; the file alone was twenty million.
    assert chat == 0
    assert received + sent < 50_000, (received, sent)
    for one in here:
        one.leaves()


def test_a_gigabyte_for_a_phone_without_room_is_refused_before_a_byte_is_sent(person, tmp_path):
    ana = person()
    phone = person(NO_PICKER + "navigator.storage.estimate = async () => ({ quota: 600e6, usage: 100e6 });")
    private = person(
        NO_PICKER + "navigator.storage.getDirectory = async () => { throw new DOMException('no', 'SecurityError'); };"
    )
    meet([ana, phone, private], "Ana", "Ben", "Cleo")
    film, note = tmp_path / "film.mp4", file_of(tmp_path, 1000, "note.txt")
    with film.open("wb") as sparse:
        sparse.truncate(1_000_000_000)
    gives(ana, film, note)
    ana.page.click("#send-files [data-testid=send-files]")

    takes(phone, "film.mp4")
    takes(private, "film.mp4")

    assert "500.0 MB" in card(phone, "film.mp4").locator(".problem").inner_text()
    assert "268.4 MB" in card(private, "film.mp4").locator(".problem").inner_text()
    assert ana.page.evaluate("() => fileChannels.length") == 0
    takes(private, "note.txt")
    is_at(private, "received", "note.txt")
    assert digest(saved(private, "note.txt")) == digest(note)


def test_two_tabs_of_one_person_do_not_write_over_each_other(person, tmp_path):
    ana, ben = together(person, "Ana", "Ben")
    tab = ben.context.new_page()
    first, ben.page = ben.page, tab
    ben.joins(path_of(ana), "Ben again")
    ana.is_connected_to(2)
    plan = file_of(tmp_path, 4 * MB)
    gives(ana, plan)
    ana.page.click("#send-files [data-testid=send-files]")

    for page in (first, tab):
        ben.page = page
        takes(ben)
    for page in (first, tab):
        ben.page = page
        is_at(ben, "received")
        assert digest(saved(ben)) == digest(plan)
