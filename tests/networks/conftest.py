import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserType, sync_playwright

from tests.networks import lab as wires
from tests.networks import parts
from tests.networks.seen import Seen


@pytest.fixture(scope="package")
def lab() -> Iterator[wires.Lab]:
    why_not = wires.missing()
    if why_not:
        pytest.skip(why_not)
    # Where squid and coturn can read it, whoever they become.
    with tempfile.TemporaryDirectory(prefix="letterbox-lab-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        opened = wires.Lab(folder)
        try:
            parts.make_certificates(folder)
            yield opened
        finally:
            opened.close()


@pytest.fixture(scope="package", autouse=True)
def turn(lab: wires.Lab) -> parts.Turn:
    return parts.Turn(lab)


@pytest.fixture(scope="package")
def house(lab: wires.Lab) -> Iterator[parts.LabHouse]:
    started = parts.LabHouse(lab, with_turn=True)
    yield started
    started.stop()


@pytest.fixture(scope="package")
def house_without_turn(lab: wires.Lab) -> Iterator[parts.LabHouse]:
    started = parts.LabHouse(lab, with_turn=False)
    yield started
    started.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[BrowserType]:
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="package")
def seen() -> Iterator[Seen]:
    table = Seen()
    yield table
    table.write()
