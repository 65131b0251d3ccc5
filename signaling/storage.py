"""Published files: the only door to the disk. Keys cannot leave the root.

Uploads grow under `uploads/` piece by piece and become a file whole or not at all.
"""

import fcntl
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import IO

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class WrongOffset(Exception):
    """A piece does not continue what is there. received: bytes that are."""

    def __init__(self, received: int) -> None:
        super().__init__(f"{received} bytes are there")
        self.received = received


class NotTheSame(Exception):
    """What was uploaded is not what was announced; the text says how it differs."""


class Storage:
    """A local folder. key: `<recording>/<artifact>`; upload: one name within one recording."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def _path(self, *parts: str) -> Path:
        path = self._root.joinpath(*parts).resolve()
        if not path.is_relative_to(self._root) or path == self._root:
            raise FileNotFoundError("/".join(parts))
        return path

    def _upload(self, recording: str, name: str) -> Path:
        # The name is a person's: its hash makes any name a safe file name, and two names never the same file.
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        return self._path("uploads", recording, f"{digest}-{_SAFE.sub('_', name)[-60:]}")

    def received(self, recording: str, name: str) -> int:
        """Bytes of an unfinished upload that are here."""
        path = self._upload(recording, name)
        return path.stat().st_size if path.exists() else 0

    def append(self, recording: str, name: str, offset: int, piece: IO[bytes], limit: int) -> int:
        """Add one piece of at most `limit` bytes at `offset`; returns the bytes now here. Raises WrongOffset.

        A piece that was cut in the middle is kept as far as it came: the sender asks `received` and goes on there.
        """
        path = self._upload(recording, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            # The same piece sent twice at once must not be added twice.
            fcntl.flock(file, fcntl.LOCK_EX)
            here = os.fstat(file.fileno()).st_size
            if offset == 0 and here > 0:
                file.truncate(0)
                here = 0
            if offset != here:
                raise WrongOffset(here)
            remaining = limit
            while remaining > 0 and (data := piece.read(min(1 << 20, remaining))):
                file.write(data)
                remaining -= len(data)
        return self.received(recording, name)

    def check(self, recording: str, name: str, size_bytes: int, sha256: str) -> None:
        """Read a finished upload through. Raises NotTheSame."""
        upload = self._upload(recording, name)
        if not upload.exists():
            raise NotTheSame("nothing was uploaded under this name")
        size = upload.stat().st_size
        if size != size_bytes:
            raise NotTheSame(f"{size} bytes are here, {size_bytes} were announced")
        with upload.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise NotTheSame(f"its SHA-256 is {found}, announced was {sha256}")

    def publish(self, recording: str, name: str, key: str) -> None:
        """Make a checked upload the file `key`. The upload stays until `forget_upload`: the file's row is not written yet."""
        target = self._path("recordings", key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(self._upload(recording, name))
        except FileNotFoundError:
            raise NotTheSame("nothing was uploaded under this name") from None

    def forget_upload(self, recording: str, name: str) -> None:
        """Drop an upload that has become a file."""
        self._upload(recording, name).unlink(missing_ok=True)

    def file(self, key: str) -> Path:
        """Where the file is. Raises FileNotFoundError."""
        path = self._path("recordings", key)
        if not path.is_file():
            raise FileNotFoundError(key)
        return path

    def delete(self, key: str) -> None:
        """Remove one file; it need not be there."""
        self._path("recordings", key).unlink(missing_ok=True)

    def delete_recording(self, recording: str) -> None:
        """Remove every file of one recording, finished or not."""
        for kind in ("recordings", "uploads"):
            shutil.rmtree(self._path(kind, recording), ignore_errors=True)
