"""The receiving process, seen from the bench."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent


class Part:
    """`python -m bench.recorder.MODULE …`, asked by lines of JSON. Context manager: killed at the end, whatever happened.

    core: the processor it may use, or any.
    """

    def __init__(self, module: str, *arguments: str, log: Path, core: int | None = None) -> None:
        self.name, self.log = " ".join((module, *arguments)), log
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"bench.recorder.{module}", *arguments],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True,
        )  # fmt: skip
        if core is not None:
            os.sched_setaffinity(self.process.pid, {core})

    def ask(self, told: dict[str, Any]) -> dict[str, Any]:
        """Raises RuntimeError when the process has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended: {self.log.read_text()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def receiver(kind: str, folder: Path, core: int | None = None) -> Part:
    """kind: ours, capture (ours, and what came is kept in folder/capture) or mediarecorder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Part("receiver", kind, str(folder), log=folder / "log", core=core)


def senders(capture: Path, core: int | None = None) -> Part:
    return Part("replay", str(capture), log=capture.with_name("replay.log"), core=core)
