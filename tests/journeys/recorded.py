"""A recorded call of two in real browsers, watched: what became of the call, and of the recording."""

import re
import zipfile
from collections import defaultdict
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import av
import httpx
from playwright.sync_api import Browser

from tests.journeys.house import LIMIT_S, Visitor
from tests.people import eventually

# Without new pictures and sound for so long a call counts as interrupted, milliseconds.
INTERRUPTED_MS = 5_000
# What a recorder has not written yet when it is killed, milliseconds: it flushes twice a second.
UNFLUSHED_MS = 600
# So short a segment may have had no picture to begin with; so much is lost at its beginning, by a connection that is still slow.
FEW_S, SLACK_S = 3.0, 2.5
# Which part was killed, when (Unix milliseconds).
Kill = tuple[str, float]
WATCH = """() => {
    const watched = window.watched = { worst_ms: 0, states: [], participant: letterbox.participant.id, sent: {} };
    const rose = new Map();
    const look = async () => {
        for (const peer of letterbox.peers().filter(p => p.kind === 'person')) {
            const state = peer.connection.connectionState;
            if (state !== 'connected') watched.states.push(state);
            for (const report of (await peer.connection.getStats()).values()) {
                if (report.type !== 'inbound-rtp') continue;
                const now = performance.now();
                const count = report.kind === 'video' ? report.framesDecoded : report.packetsReceived;
                const before = rose.get(report.kind);
                if (!before || count > before.count) rose.set(report.kind, { count, now });
                else watched.worst_ms = Math.max(watched.worst_ms, now - before.now);
            }
        }
        for (const peer of letterbox.peers().filter(p => p.kind === 'recorder')) {
            const sent = watched.sent[peer.participant] ??= [];
            for (const report of (await peer.connection.getStats()).values()) {
                if (report.type !== 'outbound-rtp' || report.kind !== 'video') continue;
                sent.push([Date.now(), report.framesSent || 0]);
            }
        }
        watched.participant_now = letterbox.participant.id;
        setTimeout(look, 250);
    };
    look();
}"""


class RecordedCall:
    """Ana records, Ben is there. recording: its id."""

    def __init__(self, browser: Browser, url: str, title: str, recorder_key: str) -> None:
        self.url = url
        self._key = {"Authorization": f"Bearer {recorder_key}"}
        house: Any = SimpleNamespace(url=url)
        self.ana, self.ben = (Visitor(browser, house, ignore_https_errors=True) for _ in range(2))
        self.room = self.ana.makes_room(title)
        self.ana.joins(self.room, "Ana")
        self.ben.joins(self.room, "Ben")
        for one in (self.ana, self.ben):
            one.is_connected_to(1)
            one.media_flows_from(1)
            one.page.evaluate(WATCH)
        self.ana.page.click("[data-testid=record-start]")
        for one in (self.ana, self.ben):
            one.agrees().page.wait_for_selector("[data-testid=recording-banner][data-state=recording]")
        self.recording = str(self._ask(f"rooms/{self.room.rpartition('/')[2]}")["recording"]["id"])
        self.records()

    @property
    def people(self) -> dict[str, Visitor]:
        return {"Ana": self.ana, "Ben": self.ben}

    def frames(self) -> dict[str, int]:
        """Sent to the recorder that is there now."""
        return {name: one.sent_to_recorder()["frames"] for name, one in self.people.items()}

    def records(self, frames: int = 40) -> None:
        """Waits until both arrive at the recorder."""
        eventually(lambda: all(count >= frames for count in self.frames().values()), 2 * LIMIT_S)

    def sent(self, kills: list[Kill]) -> dict[str, list[float]]:
        """person → for how long pictures went to each recorder that was there, seconds: what must be in the segments.

        A browser goes on sending to one that was killed until it hears of it: what counts is up to the kill, less
        what was not yet flushed.
        """
        return {
            name: [
                seconds
                for samples in one.page.evaluate("() => Object.values(window.watched.sent)")
                if (seconds := _sent_s(samples, [at_ms for part, at_ms in kills if part.startswith("recorder")])) > FEW_S
            ]
            for name, one in self.people.items()
        }

    def interruptions(self) -> list[str]:
        """What was not as in an undisturbed call, in words."""
        found = []
        for name, one in self.people.items():
            watched = one.page.evaluate("() => window.watched")
            if watched["states"]:
                found.append(f"{name}'s connection was {', '.join(sorted(set(watched['states'])))}")
            if watched["worst_ms"] > INTERRUPTED_MS:
                found.append(f"{name} saw or heard nothing for {watched['worst_ms'] / 1000:.1f} s")
            if watched["participant"] != watched.get("participant_now"):
                found.append(f"{name} had to join again")
        return found

    def stops(self) -> None:
        self.ana.page.click("[data-testid=record-stop]")
        self.ana.page.wait_for_selector("[data-testid=recording-banner]", state="hidden")

    def described(self) -> dict[str, Any]:
        """The recording, as the server tells it."""
        return self._ask(f"recordings/{self.recording}")

    def _ask(self, path: str) -> dict[str, Any]:
        """Until a server answers."""

        def ask() -> dict[str, Any] | None:
            try:
                answer = httpx.get(f"{self.url}/api/v1/{path}", headers=self._key, verify=False, timeout=10, trust_env=False)
            except httpx.TransportError:
                return None
            found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
            return found

        return dict(eventually(ask, 60))

    def is_prepared(self, limit_s: float = 150) -> dict[str, Any]:
        """Waits until it is ready, or failed."""
        return dict(eventually(lambda: (found := self.described())["state"] in ("ready", "failed") and found, limit_s))

    def archive(self) -> zipfile.ZipFile:
        """Everything, as Ana downloads it on the page of the recordings."""
        page = self.ana.page.context.new_page()
        page.goto(f"{self.url}{self.room}/recordings")
        page.wait_for_selector("[data-testid=recording-item][data-state=ready]", timeout=LIMIT_S * 1000)
        with page.expect_download() as waiting:
            page.click("[data-testid=download-all]")
        return zipfile.ZipFile(BytesIO(waiting.value.path().read_bytes()))

    def losses(self, kills: list[Kill]) -> list[str]:
        """What is missing in the download, in words. kills: of recorders."""
        done = self.is_prepared()
        if done["state"] != "ready":
            return [f"recording {self.recording} is {done['state']}: {done['reason']}"]
        archive = self.archive()
        written: dict[str, list[float]] = defaultdict(list)
        films = [name for name in archive.namelist() if name.endswith(".mp4")]
        for name in archive.namelist():
            person = re.search(r"– (\w+) \(camera", name)
            if person and name.endswith(".webm"):
                written[person[1]].append(_seconds(archive.read(name)))
        found = [] if films and _seconds(archive.read(films[0])) > 0 else ["there is no film"]
        for name, sent in self.sent(kills).items():
            told = f"{name} sent {', '.join(f'{one:.1f} s' for one in sent)}; in the files: {sorted(written[name])}"
            if len(written[name]) < len(sent) or sum(written[name]) < sum(sent) - SLACK_S * len(sent):
                found.append(told)
        return found

    def leaves(self) -> None:
        for one in (self.ana, self.ben):
            one.leaves()


def _sent_s(samples: list[tuple[float, int]], kills_ms: list[float]) -> float:
    """From the first picture to the last, or to the kill that came in between, seconds. samples: (when, pictures so far)."""
    going = [at_ms for (at_ms, count), (_, before) in zip(samples[1:], samples, strict=False) if count > before]
    if not going:
        return 0.0
    ends_ms = min([going[-1], *(at_ms - UNFLUSHED_MS for at_ms in kills_ms if at_ms > going[0])])
    return (ends_ms - going[0]) / 1000


def _seconds(data: bytes) -> float:
    """From the first picture that can be decoded to the last."""
    with av.open(BytesIO(data)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    return round(times[-1] - times[0], 1) if times else 0.0
