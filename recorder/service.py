"""A recorder waits in its own mailbox for work: recordings to claim, steps to enqueue. Several at once; on SIGTERM it drains."""

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from recorder import room, segment
from recorder.api import Refused, Server
from recorder.config import Settings
from recorder.mailbox import Gone, Mailbox
from recorder.room import RoomRecorder

log = logging.getLogger(__name__)


class Service:
    """One recorder process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = Server(settings)
        self._rooms: dict[str, RoomRecorder] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stopping is set; then no new work, what runs is stopped and handed in."""
        self._settings.work_dir.mkdir(parents=True, exist_ok=True)
        # Before anything new begins: which folders are another, dead run's.
        abandoned = segment.left_over(self._settings.work_dir)
        waiting = asyncio.create_task(self._wait_for_work())
        self._begin(self._hand_in(abandoned))
        await stopping.wait()
        self._draining = True
        waiting.cancel()
        for recorder in self._rooms.values():
            recorder.stop("the recorder was shut down")
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

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work failed", exc_info=task.exception())

    async def _record(self, recording: str, recorder: str) -> None:
        """Claim, and record until told to stop. Another recorder may be quicker: that is no failure of ours."""
        if self._draining or recording in self._rooms or len(self._rooms) >= self._settings.capacity:
            return
        try:
            claim = await self._server.insist("POST", f"/recordings/{recording}/claim", {"recorder": recorder})
        except Refused:
            return
        log.info("recording=%s room=%s claimed", recording, claim["room"])
        self._rooms[recording] = RoomRecorder(self._settings, self._server, claim)
        try:
            await self._rooms[recording].run()
        finally:
            del self._rooms[recording]

    async def _process(self, recording: str, step: str) -> None:
        from recorder import jobs

        await asyncio.to_thread(jobs.enqueue, recording, step)

    async def _hand_in(self, folders: list[Path]) -> None:
        """Publish what a dead run left: its recording goes on, or is finished, by itself."""
        for folder in folders:
            try:
                described = await asyncio.to_thread(room.publish_segment, self._settings, folder)
                log.info("recording=%s segment %s of an earlier run is handed in", described.recording, folder.name)
            except Exception:
                log.exception("segment %s of an earlier run could not be handed in", folder)
