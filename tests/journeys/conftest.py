from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.journeys.house import CHROMIUM, FLAGS, Visitor, WholeHouse


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def whole_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHouse]:
    started = WholeHouse(tmp_path_factory.mktemp("data"))
    yield started
    started.stop()


@pytest.fixture
def visitor(browser: Browser, whole_house: WholeHouse) -> Iterator[Callable[..., Visitor]]:
    """Make people at browsers; they leave at the end."""
    here: list[Visitor] = []

    def come(**options: object) -> Visitor:
        here.append(Visitor(browser, whole_house, **options))
        return here[-1]

    yield come
    for one in here:
        one.leaves()
