"""A recorder waits in its own mailbox for work: recordings to claim, steps to enqueue. Several at once; on SIGTERM it drains."""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from recorder import handin, publish, segment
from recorder.api import Away, Refused, Server, backoff_s
from recorder.config import Settings
from recorder.mailbox import Gone, Mailbox
from recorder.room import RoomRecorder

log = logging.getLogger(__name__)
SHUT_DOWN = "the recorder was shut down"


class Service:
    """One recorder process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = Server(settings)
        self._rooms: dict[str, RoomRecorder] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Recording → what hands in its segments of an earlier run.
        self._earlier: dict[str, list[asyncio.Task[None]]] = {}
        self._claiming: set[str] = set()
        self._draining = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stopping is set; then no new work, what runs is stopped and handed in."""
        self._settings.work_dir.mkdir(parents=True, exist_ok=True)
        # Before anything new begins: which folders are another, dead run's.
        one_by_one = asyncio.Lock()
        for folder in segment.left_over(self._settings.work_dir):
            task = self._begin(self._hand_in(folder, one_by_one))
            self._earlier.setdefault(folder.parent.name, []).append(task)
        waiting = asyncio.create_task(self._wait_for_work())
        await stopping.wait()
        self._draining = True
        waiting.cancel()
        for recorder in self._rooms.values():
            recorder.stop(SHUT_DOWN)
        await asyncio.gather(waiting, *self._tasks, return_exceptions=True)
        await self._server.close()

    async def _wait_for_work(self) -> None:
        while True:
            wish = {"name": self._settings.name, "capacity": self._settings.capacity}
            try:
                entered = await self._server.insist("POST", "/recorders", wish)
            except Refused as refusal:
                log.error("the server does not take us: %s Check LETTERBOX_RECORDER_KEY.", refusal)
                await asyncio.sleep(5)
                continue
            mailbox = Mailbox(self._server, entered["token"], entered["wait_s"], entered["after"])
            log.info("waiting for recordings as %s", entered["participant"]["id"])
            try:
                async for message in mailbox.messages():
                    if message["kind"] == "invite":
                        self._begin(self._record(str(message["body"]["recording"]), entered["participant"]["id"]))
                    elif message["kind"] == "process":
                        self._begin(self._process(str(message["body"]["recording"]), str(message["body"]["step"])))
            except Gone:
                log.info("the server has forgotten us; registering again")
                await asyncio.sleep(backoff_s(0))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work failed", exc_info=task.exception())

    async def _record(self, recording: str, recorder: str) -> None:
        """Claim, and record until told to stop. Another recorder may be quicker: that is no failure of ours."""
        if self._draining or recording in self._rooms or len(self._rooms) + len(self._claiming) >= self._settings.capacity:
            return
        if recording in self._claiming:
            return
        self._claiming.add(recording)
        try:
            claim = await self._server.call("POST", f"/recordings/{recording}/claim", {"recorder": recorder})
        except (Refused, Away):
            # Somebody else was quicker; or the server will invite again.
            return
        finally:
            self._claiming.discard(recording)
        log.info("recording=%s room=%s claimed", recording, claim["room"])
        running = RoomRecorder(self._settings, self._server, claim, partial(self._wait_for_earlier, recording))
        self._rooms[recording] = running
        if self._draining:
            running.stop(SHUT_DOWN)
        try:
            await running.run()
        finally:
            del self._rooms[recording]

    async def _process(self, recording: str, step: str) -> None:
        from recorder import jobs

        await asyncio.to_thread(jobs.enqueue, recording, step)

    async def _hand_in(self, folder: Path, one_by_one: asyncio.Lock) -> None:
        """Publish what a dead run left; and when that was all the recording waited for, say that it is complete."""
        async with one_by_one:
            try:
                described = await handin.hand_in(self._settings, folder)
                log.info("recording=%s segment %s of an earlier run is handed in", described.recording, folder.name)
                found = await self._server.insist("GET", f"/recordings/{described.recording}")
            except publish.Refused as refusal:
                log.warning("segment %s of an earlier run is not wanted any more: %s", folder.name, refusal)
                if refusal.status in (404, 410):
                    (folder / "published").touch()
                return
            # One that should go on is claimed anew when its lease has lapsed.
            if found["wanted"] == "stopped" and found["state"] == "stopping":
                await handin.end(self._server, described, folder.name, "stopped")

    async def _wait_for_earlier(self, recording: str) -> None:
        await asyncio.gather(*self._earlier.get(recording, []), return_exceptions=True)
