"""A whole Letterbox, started as people start it (`python app.py run`), and people in real browsers."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.people import eventually, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = os.environ.get("LETTERBOX_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
# Connecting, with every core busy: not a measure of speed. More, on a machine that does much else.
LIMIT_S = float(os.environ.get("LETTERBOX_TEST_LIMIT_S", "40"))


class WholeHouse:
    """Web, recorder and worker under the supervisor; what they print is kept in `log`."""

    def __init__(self, data: Path, within: tuple[str, ...] = (), **environ: str) -> None:
        """within: what its command line begins with, to run it somewhere else."""
        self.port = int(environ.get("PORT") or free_port())
        self.data = data
        self.log: list[str] = []
        told = {key: value for key, value in os.environ.items() if not key.startswith("LETTERBOX_")}
        self.admin_key = "ak_of_the_house_0123456789"
        told |= {"PORT": str(self.port), "LETTERBOX_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}
        # All of a run's rooms come from one address.
        told |= {"LETTERBOX_ADMIN_KEY": self.admin_key, "LETTERBOX_ROOMS_PER_ADDRESS": "2000/hour"} | environ
        self.process = subprocess.Popen(
            [*within, sys.executable, "app.py", "run"], cwd=ROOT, env=told,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for("waiting for recordings")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line.rstrip())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, text: str, limit_s: float = LIMIT_S) -> str:
        """The first printed line with this text."""
        return eventually(lambda: next((line for line in self.log if text in line), None), limit_s)

    def pid_of(self, pattern: str) -> int:
        """The main process of one part."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if re.search(pattern, command):
                return int(child)
        raise AssertionError(f"no part runs {pattern}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=40)


class Visitor:
    """One person at one browser. complaints: what the page's console said as an error."""

    def __init__(self, browser: Browser, house: WholeHouse, **options: Any) -> None:
        self.house = house
        # Playwright's own waiting evaluates text; that the pages live under their policy is a test of its own.
        defaults: dict[str, Any] = {"permissions": ["camera", "microphone"], "bypass_csp": True, "locale": "en-GB"}
        self.context: BrowserContext = browser.new_context(**(defaults | options))
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(LIMIT_S * 1000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)

    def makes_room(self, title: str) -> str:
        """Through the start page; returns the room's path."""
        self.page.goto(self.house.url)
        self.page.fill("[data-testid=room-title-input]", title)
        self.page.click("[data-testid=create-room]")
        self.page.wait_for_selector("#made:not([hidden])")
        path = self.page.get_attribute("[data-testid=enter-room]", "href")
        assert path is not None
        return path

    def joins(self, path: str, name: str) -> "Visitor":
        self.page.goto(self.house.url + path)
        self.page.fill("[data-testid=name-input]", name)
        self.page.click("[data-testid=join]")
        self.page.wait_for_selector("#call:not([hidden])")
        return self

    def agrees(self) -> "Visitor":
        """To be recorded, if the page asks; waits until the server has it."""
        self.page.wait_for_function(
            "() => letterbox.consent === 'given' || !document.querySelector('[data-testid=consent]').hidden"
        )
        if self.page.is_visible("[data-testid=consent-yes]"):
            self.page.click("[data-testid=consent-yes]")
        return self.has_answered("given")

    def has_answered(self, answer: str) -> "Visitor":
        self.page.wait_for_function("answer => letterbox.consent === answer", arg=answer)
        return self

    @property
    def id(self) -> str:
        return str(self.page.evaluate("() => letterbox.participant.id"))

    def is_connected_to(self, count: int) -> None:
        """Waits until so many persons are connected."""
        self.page.wait_for_function(
            "count => { const p = letterbox.peers().filter(p => p.kind === 'person'); return p.length === count"
            " && p.every(p => p.connection.connectionState === 'connected') }",
            arg=count,
        )

    def received(self) -> dict[str, dict[str, float]]:
        """participant → frames decoded and bytes of sound received so far."""
        return dict(
            self.page.evaluate(
                """async () => Object.fromEntries(await Promise.all(letterbox.peers()
                    .filter(p => p.kind === 'person').map(async p => {
                    const found = { frames: 0, sound: 0 };
                    for (const report of (await p.connection.getStats()).values()) {
                        if (report.type !== 'inbound-rtp') continue;
                        if (report.kind === 'video') found.frames += report.framesDecoded || 0;
                        else found.sound += report.bytesReceived || 0;
                    }
                    return [p.participant, found];
                })))"""
            )
        )

    def sent_to_recorder(self) -> dict[str, int]:
        """Frames encoded for the recorder so far, and key frames among them."""
        return dict(
            self.page.evaluate(
                """async () => {
                    const recorder = letterbox.peers().find(p => p.kind === 'recorder');
                    if (!recorder) return { frames: 0, keys: 0 };
                    const found = { frames: 0, keys: 0 };
                    for (const report of (await recorder.connection.getStats()).values()) {
                        if (report.type !== 'outbound-rtp' || report.kind !== 'video') continue;
                        found.frames += report.framesSent || 0;
                        found.keys += report.keyFramesEncoded || 0;
                    }
                    return found;
                }"""
            )
        )

    def media_flows_from(self, count: int) -> None:
        """Frames and sound of so many others rise, from now on."""
        before = self.received()

        def risen() -> bool:
            now = self.received()
            return len(now) == count and all(
                now[who]["frames"] > before.get(who, {}).get("frames", 0) + 5
                and now[who]["sound"] > before.get(who, {}).get("sound", 0)
                for who in now
            )

        eventually(risen, LIMIT_S)

    def leaves(self) -> None:
        self.context.close()


class Held:
    """Requests of a page that wait until they are let through."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.waiting: list[Route] = []
        self.is_open = False
        page.route(pattern, self._take)

    def _take(self, route: Route) -> None:
        if self.is_open:
            route.continue_()
        else:
            self.waiting.append(route)

    def let_through(self) -> None:
        self.is_open = True
        for route in self.waiting:
            route.continue_()


FAILS = """kinds => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = wish => {
        const why = kinds.find(([kind]) => wish[kind]);
        return why ? Promise.reject(new DOMException('no', why[1])) : real(wish);
    };
}"""


def fails(one: Visitor, **kinds: str) -> None:
    """Its camera (video) or microphone (audio) fails with this error, from the next page on."""
    one.page.add_init_script(f"({FAILS})({[list(item) for item in kinds.items()]})")
