"""Chromium as a sender."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("LETTERBOX_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required", "--disable-features=WebRtcHideLocalIpsWithMdns",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def page_with(browser: Browser, script: str) -> Page:
    """An empty page of a secure origin with one of our scripts."""
    page = browser.new_context().new_page()
    page.route("http://localhost/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto("http://localhost/")
    page.evaluate((Path(__file__).parent / script).read_text())
    return page


def connect(page: Page, receiver: Any, name: str, codec: str = "video/VP8") -> None:
    sdp = page.evaluate("([name, codec]) => offers(name, codec)", [name, codec])
    answer = receiver.ask({"offer": {"type": "offer", "sdp": sdp}, "id": name})["answer"]
    page.evaluate("([name, sdp]) => answered(name, sdp)", [name, answer["sdp"]])
