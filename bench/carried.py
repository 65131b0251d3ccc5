"""What two people at real browsers cost the server in bytes: joining, the handshake, and being there. `make carried`

A proxy that counts stands between Chromium and a whole house. The figures go into bench/scale.py by hand.
"""

import asyncio
import json
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.journeys.house import CHROMIUM, FLAGS, Visitor, WholeHouse
from tests.people import eventually, free_port

# Long enough for some polls that bring nothing.
IDLE_S = 110


class Counter:
    """Passes on, and counts what goes either way. polls: requests for a mailbox."""

    def __init__(self, port: int) -> None:
        self.port, self._target = free_port(), port
        self.bytes = self.polls = self.messages = 0
        started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True).start()
        started.wait(10)

    async def _serve(self, started: threading.Event) -> None:
        server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        started.set()
        await server.serve_forever()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, outside = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pump(reader, outside), self._pump(inside, writer), return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                self.bytes += len(data)
                self.polls += data.count(b"GET /api/v1/mailbox")
                self.messages += data.count(b"POST /api/v1/messages")
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="letterbox-carried-") as folder, sync_playwright() as playwright:
        house = WholeHouse(Path(folder))
        counter = Counter(house.port)
        house.port = counter.port
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            ana, ben = Visitor(browser, house), Visitor(browser, house)
            room = ana.makes_room("Counted")
            ana.joins(room, "Ana")
            ben.page.goto(house.url + room)
            page = counter.bytes
            ben.joins(room, "Ben")
            before_messages = counter.messages
            ana.is_connected_to(1)
            ana.media_flows_from(1)
            met, messages = counter.bytes - page, counter.messages - before_messages
            # What a page does once, soon after joining, is not what being there costs.
            ana.page.wait_for_timeout(15_000)
            at, polls = counter.bytes, counter.polls
            ana.page.wait_for_timeout(IDLE_S * 1000)
            eventually(lambda: counter.polls > polls)
            idle, asked = counter.bytes - at, counter.polls - polls
        finally:
            browser.close()
            house.stop()
    return {
        "join_and_handshake_bytes": met, "posts_of_the_handshake": messages,
        "idle_bytes_per_poll": round(idle / asked), "idle_bytes_per_participant_hour": round(idle / 2 / IDLE_S * 3600),
    }  # fmt: skip


if __name__ == "__main__":
    found = run()
    for name, value in found.items():
        print(f"{name:<34} {value:>10}")
    print(json.dumps(found))
