"""A recorder waits in its own mailbox for work: recordings to claim, steps to enqueue. Several at once.

On SIGTERM it drains: no new work, and what it records is taken over by others, or goes on when it is back.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from recorder import handin, publish, segment
from recorder.api import Away, Refused, Server, backoff_s
from recorder.capacity import Capacity
from recorder.config import Settings
from recorder.figures import Load, places
from recorder.forget import forget
from recorder.mailbox import Gone, Mailbox
from recorder.room import RoomRecorder

log = logging.getLogger(__name__)
MEASURE_S = 2.0
# An event loop that has not come round for so long hangs, seconds.
STALLED_S = 20.0
# A recording that waits is invited to again and again: so often we say again why we cannot take it, seconds.
SAY_AGAIN_S = 20.0


class Service:
    """One recorder process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.work_dir.mkdir(parents=True, exist_ok=True)
        self._server = Server(settings)
        self._rooms: dict[str, RoomRecorder] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Recording → what hands in its segments of an earlier run.
        self._earlier: dict[str, list[asyncio.Task[None]]] = {}
        self._claiming: set[str] = set()
        # Recording → (why we have declined it, when we said so).
        self._declined: dict[str, tuple[str, float]] = {}
        self._capacity = Capacity(settings.capacity, time.process_time, time.monotonic)
        self._draining = False
        self._mailbox: Mailbox | None = None
        self._came_round_s = time.monotonic()

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stopping is set; then no new work, what runs is handed over, and what it recorded is handed in."""
        # Before anything new begins: which folders are another, dead run's.
        one_by_one = asyncio.Lock()
        for folder in segment.left_over(self._settings.work_dir):
            task = self._begin(self._hand_in(folder, one_by_one))
            self._earlier.setdefault(folder.parent.name, []).append(task)
        waiting = [asyncio.create_task(work) for work in (self._wait_for_work(), self._measure())]
        await stopping.wait()
        self._draining = True
        for task in waiting:
            task.cancel()
        for recorder in self._rooms.values():
            recorder.hand_over()
        await asyncio.gather(*waiting, *self._tasks, return_exceptions=True)
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
            mailbox = self._mailbox = Mailbox(self._server, entered["token"], entered["wait_s"], entered["after"])
            log.info("waiting for recordings as %s", entered["participant"]["id"])
            try:
                async for message in mailbox.messages():
                    if message["kind"] == "invite":
                        invited = str(message["body"]["recording"]), int(message["body"].get("people", 0))
                        self._begin(self._record(*invited, entered["participant"]["id"]))
                    elif message["kind"] == "forget":
                        self._forget(str(message["body"]["recording"]))
                    elif message["kind"] == "process":
                        self._begin(self._process(str(message["body"]["recording"]), str(message["body"]["step"])))
            except Gone:
                self._mailbox = None
                log.info("the server has forgotten us; registering again")
                await asyncio.sleep(backoff_s(0))

    def _forget(self, recording: str) -> None:
        """A recording was deleted: what of it is still on this disk goes too."""
        if recording not in self._rooms:
            forget(self._settings.work_dir, recording)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work failed", exc_info=task.exception())

    def load(self) -> Load:
        """Of this moment; from any thread."""
        rooms = list(self._rooms.values())
        mailbox = self._mailbox
        return Load(
            running=len(rooms),
            most=self._settings.capacity,
            people=sum(room.sending for room in rooms),
            core=self._capacity.used,
            cost=self._capacity.cost,
            written_bytes=sum(room.bytes for room in rooms),
            known=mailbox is not None and not mailbox.silent,
            draining=self._draining,
        )

    def sick(self) -> str | None:
        """Why it should be started again."""
        stalled_s = time.monotonic() - self._came_round_s
        return f"nothing has moved for {stalled_s:.0f} s" if stalled_s > STALLED_S and not self._draining else None

    def busy(self) -> str | None:
        """Why no recording can be given to it now."""
        load = self.load()
        if load.draining:
            return "it ends"
        if not load.known:
            return "the server does not answer, or does not know it"
        return "it is full" if load.running >= load.most or not places(load) else None

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(MEASURE_S)
            self._came_round_s = time.monotonic()
            self._capacity.measure(sum(room.sending for room in self._rooms.values()))

    def _refusal(self, people: int) -> str | None:
        rooms = self._rooms.values()
        return self._capacity.refusal(
            running=len(self._rooms) + len(self._claiming),
            expected=sum(max(0, room.people - room.sending) for room in rooms),
            people=people,
            free_bytes=shutil.disk_usage(self._settings.work_dir).free,
            written_bytes=sum(room.bytes for room in rooms),
        )

    async def _decline(self, recording: str, why: str, recorder: str) -> None:
        """Those who wait should know why; not each time that we are asked."""
        before, at_s = self._declined.get(recording, ("", 0.0))
        if why == before and time.monotonic() - at_s < SAY_AGAIN_S:
            return
        self._declined[recording] = (why, time.monotonic())
        log.info("recording=%s not taken: %s", recording, why)
        try:
            await self._server.call("POST", f"/recordings/{recording}/decline", {"recorder": recorder, "why": why})
        except (Refused, Away):
            pass  # it will ask again, or somebody else has it

    async def _record(self, recording: str, people: int, recorder: str) -> None:
        """Claim, and record until told to stop. Another recorder may be quicker: that is no failure of ours."""
        if self._draining or recording in self._rooms or recording in self._claiming:
            return
        why = self._refusal(people)
        if why is not None:
            await self._decline(recording, why, recorder)
            return
        self._declined.pop(recording, None)
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
            running.hand_over()
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
                    self._forget(folder.parent.name)
                return
            # One that should go on is claimed anew when its lease has lapsed; of one that is over everything is made anew.
            if found["wanted"] == "stopped":
                await handin.end(self._server, described, folder.name, "stopped")
            handin.settle(folder)

    async def _wait_for_earlier(self, recording: str) -> None:
        await asyncio.gather(*self._earlier.get(recording, []), return_exceptions=True)
