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
    broker_url: Celery's; empty: files in work_dir. quick_steps, films: how many at once on this machine, under `make run`: a film
    uses the cores by itself, and one that hangs must not keep the next waiting. metrics_bind: host:port of health and figures;
    empty: nowhere."""

    server_url: str
    recorder_key: str
    work_dir: Path
    ca_file: str | None
    name: str
    capacity: int
    idle_s: int
    broker_url: str
    quick_steps: int = 2
    films: int = 2
    metrics_bind: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises BadSetting."""
        key = environ.get("LETTERBOX_RECORDER_KEY", "")
        if not key:
            raise BadSetting("LETTERBOX_RECORDER_KEY is not set: give the server's (it is in secrets.json in its data folder).")
        return cls(
            server_url=environ.get("LETTERBOX_SERVER_URL", "http://127.0.0.1:8000").rstrip("/"),
            recorder_key=key,
            work_dir=Path(environ.get("LETTERBOX_WORK_DIR", "data/recorder")).resolve(),
            ca_file=environ.get("LETTERBOX_CA_FILE") or None,
            name=environ.get("LETTERBOX_RECORDER_NAME", f"recorder on {socket.gethostname()}")[:80],
            capacity=_count(environ, "LETTERBOX_RECORDER_CAPACITY", 10),
            idle_s=_count(environ, "LETTERBOX_RECORDING_IDLE_S", 300, "whole seconds"),
            broker_url=environ.get("CELERY_BROKER_URL", ""),
            quick_steps=_count(environ, "LETTERBOX_QUICK_STEPS", 2),
            films=_count(environ, "LETTERBOX_FILMS", 2),
            metrics_bind=_bind(environ.get("LETTERBOX_METRICS_BIND", "")),
        )


def _count(environ: Mapping[str, str], name: str, usual: int, what: str = "a whole number") -> int:
    """Raises BadSetting."""
    text = environ.get(name) or str(usual)
    if not text.isdigit() or int(text) < 1:
        raise BadSetting(f"{name}={text!r} cannot be used: give {what} above zero.")
    return int(text)


def _bind(text: str) -> str:
    """Raises BadSetting."""
    host, _, port = text.rpartition(":")
    if text and not (host and port.isdigit() and 0 < int(port) < 65_536):
        raise BadSetting(f"LETTERBOX_METRICS_BIND={text!r} cannot be used: write it like 127.0.0.1:9101.")
    return text


def settings() -> Settings:
    """Of this process's environment. Raises BadSetting."""
    return Settings.from_environ(os.environ)
