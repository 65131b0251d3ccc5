"""The last things that went wrong on this node, for the admin page: warnings of all its processes, in one small file."""

import json
import logging
from pathlib import Path
from typing import Any

MAX_BYTES = 200_000
NAME = "troubles.jsonl"


class Troubles(logging.Handler):
    """Writes each warning as one line of JSON; the file begins anew when it is full, and the one before is kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__(logging.WARNING)
        self._path = folder / NAME

    def emit(self, record: logging.LogRecord) -> None:
        what = record.getMessage().strip()[:500]
        if record.exc_info and record.exc_info[0]:
            what += f" ({record.exc_info[0].__name__})"
        line = {"at_ms": int(record.created * 1000), "level": record.levelname.lower(), "where": record.name, "what": what}
        try:
            if self._path.exists() and self._path.stat().st_size > MAX_BYTES:
                self._path.replace(self._path.with_suffix(".old"))
            # One write of one line: processes do not mix theirs.
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            self.handleError(record)


def last(folder: Path, count: int = 50) -> list[dict[str, Any]]:
    """The newest first."""
    lines: list[str] = []
    for path in ((folder / NAME).with_suffix(".old"), folder / NAME):
        if path.exists():
            lines += path.read_text().splitlines()
    return [json.loads(line) for line in reversed(lines[-count:])]
