"""Recordings in a folder. Keys cannot leave it."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from signaling import errors
from signaling.library.storage import NotTheSame, WrongOffset, check_hash, check_size, upload_name


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise errors.storage_full() from error
        raise


class Disk:
    """storage.Storage in a local folder, or one that several machines share."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    @property
    def origin(self) -> str:
        return ""

    def _path(self, *parts: str) -> Path:
        path = self._root.joinpath(*parts).resolve()
        if not path.is_relative_to(self._root) or path == self._root:
            raise FileNotFoundError("/".join(parts))
        return path

    def _upload(self, recording: str, name: str) -> Path:
        return self._path("uploads", recording, upload_name(name))

    def free_bytes(self) -> int | None:
        there = next(folder for folder in (self._root, *self._root.parents) if folder.exists())
        return shutil.disk_usage(there).free

    def received(self, recording: str, name: str) -> int:
        path = self._upload(recording, name)
        return path.stat().st_size if path.exists() else 0

    def append(self, recording: str, name: str, offset: int, piece: IO[bytes], limit: int) -> int:
        path = self._upload(recording, name)
        with _room():
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

    def keep(self, recording: str, name: str, key: str, size_bytes: int, sha256: str) -> None:
        upload, target = self._upload(recording, name), self._path("recordings", key)
        if not upload.exists():
            raise NotTheSame("nothing was uploaded under this name")
        check_size(upload.stat().st_size, size_bytes)
        with upload.open("rb") as file:
            check_hash(hashlib.file_digest(file, "sha256").hexdigest(), sha256)
        with _room():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(upload)
            except FileNotFoundError:
                raise NotTheSame("nothing was uploaded under this name") from None

    def forget_upload(self, recording: str, name: str) -> None:
        self._upload(recording, name).unlink(missing_ok=True)

    def open(self, key: str) -> IO[bytes]:
        try:
            return self._path("recordings", key).open("rb")
        except IsADirectoryError:
            raise FileNotFoundError(key) from None

    def signed_url(self, key: str, disposition: str, media_type: str) -> str | None:  # noqa: ARG002 - a folder has no address
        return None

    def delete(self, key: str) -> None:
        self._path("recordings", key).unlink(missing_ok=True)

    def delete_recording(self, recording: str) -> None:
        for kind in ("recordings", "uploads"):
            shutil.rmtree(self._path(kind, recording), ignore_errors=True)
