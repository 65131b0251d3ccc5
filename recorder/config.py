"""Settings of the recorder and of its workers: read once from the environment, checked at the start."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class BadSetting(Exception):
    """A variable is missing or unusable; the text names it and says how to mend it."""


@dataclass(frozen=True)
class Settings:
    """server_url: where the HTTP API is. work_dir: where tracks are written while they come. ca_file: trusts the server's
    certificate. capacity: how many recordings at once. idle_s: a recording to which nobody sends for so long ends, seconds.
    broker_url: Celery's; empty: files in work_dir."""

    server_url: str
    recorder_key: str
    work_dir: Path
    ca_file: str | None
    name: str
    capacity: int
    idle_s: int
    broker_url: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises BadSetting."""
        key = environ.get("LETTERBOX_RECORDER_KEY", "")
        if not key:
            raise BadSetting("LETTERBOX_RECORDER_KEY is not set: give the server's (it is in secrets.json in its data folder).")
        capacity = environ.get("LETTERBOX_RECORDER_CAPACITY", "10")
        if not capacity.isdigit() or int(capacity) < 1:
            raise BadSetting(f"LETTERBOX_RECORDER_CAPACITY={capacity!r} cannot be used: give a whole number above zero.")
        idle_s = environ.get("LETTERBOX_RECORDING_IDLE_S", "300")
        if not idle_s.isdigit() or int(idle_s) < 1:
            raise BadSetting(f"LETTERBOX_RECORDING_IDLE_S={idle_s!r} cannot be used: give whole seconds above zero.")
        return cls(
            server_url=environ.get("LETTERBOX_SERVER_URL", "http://127.0.0.1:8000").rstrip("/"),
            recorder_key=key,
            work_dir=Path(environ.get("LETTERBOX_WORK_DIR", "data/recorder")).resolve(),
            ca_file=environ.get("LETTERBOX_CA_FILE") or None,
            name=environ.get("LETTERBOX_RECORDER_NAME", f"recorder on {socket.gethostname()}")[:80],
            capacity=int(capacity),
            idle_s=int(idle_s),
            broker_url=environ.get("CELERY_BROKER_URL", ""),
        )


def settings() -> Settings:
    """Of this process's environment. Raises BadSetting."""
    return Settings.from_environ(os.environ)
