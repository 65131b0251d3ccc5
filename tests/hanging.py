"""A worker whose steps stop for good where they end, to be killed there: `celery -A tests.hanging worker`.

HANG_FOLDER: gets a file `<recording>-<step>-<try>` for each. HANG_AT: the step that hangs, `any` for each at its first try.
HANG_RECORDING: of this recording only. HANG_STUCK_S: in place of jobs.STUCK_S.
"""

import os
import threading
from pathlib import Path

from recorder import jobs
from recorder.pipeline import Pipeline

app = jobs.app
_run = Pipeline.run


def run(self: Pipeline, step: str) -> None:
    """The work is done; nobody hears of it."""
    folder = Path(os.environ["HANG_FOLDER"])
    tries = len(list(folder.glob(f"{self._recording}-{step}-*")))
    _run(self, step)
    (folder / f"{self._recording}-{step}-{tries + 1}").touch()
    ours = os.environ.get("HANG_RECORDING", self._recording) == self._recording
    if ours and tries == 0 and os.environ["HANG_AT"] in ("any", step):
        threading.Event().wait()


Pipeline.run = run  # type: ignore[method-assign]
jobs.STUCK_S = float(os.environ.get("HANG_STUCK_S", jobs.STUCK_S))
