"""The embedded broker: Celery's messages as files of one folder (kombu's filesystem transport), each there whole or not at all.

kombu writes a message into the file that workers already see: one that looks in that moment takes an empty file away, loses the
task, and ends itself over it.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

ALIAS = "filesystem"


class Channel(filesystem.Channel):  # type: ignore[misc]
    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        """Named as kombu looks for it: in the order of their coming, then the queue."""
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}"
        folder = Path(self.data_folder_out)
        partial = folder / f"{name}.partial"
        partial.write_text(dumps(payload))
        partial.rename(folder / f"{name}.{queue}.msg")


class Transport(filesystem.Transport):  # type: ignore[misc]
    Channel = Channel


def install() -> None:
    """From now on `filesystem://` is this one."""
    TRANSPORT_ALIASES[ALIAS] = f"{__name__}:Transport"
