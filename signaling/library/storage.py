"""Where recordings are kept: a folder (disk.py) or an S3-compatible service (s3.py), behind one door.

Uploads come piece by piece and become a file whole or not at all. upload: one name within one recording; key:
`<recording>/<artifact>`.
"""

import hashlib
import re
from typing import IO, Protocol

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class WrongOffset(Exception):
    """A piece does not continue what is there. received: bytes that are."""

    def __init__(self, received: int) -> None:
        super().__init__(f"{received} bytes are there")
        self.received = received


class NotTheSame(Exception):
    """What was uploaded is not what was announced; the text says how it differs."""


class Storage(Protocol):
    """All may raise errors.storage_away; what wants room, errors.storage_full."""

    @property
    def origin(self) -> str:
        """Where signed addresses lead, for the pages' Content-Security-Policy; "" where there are none."""

    def free_bytes(self) -> int | None:
        """How much more there is room for; None: nobody knows."""

    def received(self, recording: str, name: str) -> int:
        """Bytes of an unfinished upload that are here."""

    def append(self, recording: str, name: str, offset: int, piece: IO[bytes], limit: int) -> int:
        """Add one piece of at most `limit` bytes at `offset`; returns the bytes now here. Raises WrongOffset.

        Offset 0 begins anew. A piece that was cut in the middle is kept as far as it came: the sender asks `received` and goes on
        there.
        """

    def keep(self, recording: str, name: str, key: str, size_bytes: int, sha256: str) -> None:
        """Read a finished upload through, and make it the file `key`. Raises NotTheSame.

        The upload stays until `forget_upload`: the file's row is not written yet.
        """

    def forget_upload(self, recording: str, name: str) -> None:
        """Drop an upload that has become a file."""

    def open(self, key: str) -> IO[bytes]:
        """The file, to be read from anywhere in it. Raises FileNotFoundError."""

    def signed_url(self, key: str, disposition: str, media_type: str) -> str | None:
        """An address where the file can be had from the storage itself for a while; None: through us only."""

    def delete(self, key: str) -> None:
        """Remove one file; it need not be there."""

    def delete_recording(self, recording: str) -> None:
        """Remove every file of one recording, finished or not."""


def upload_name(name: str) -> str:
    """A person's name for a file as a safe one: by its hash, two names are never the same file."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{digest}-{_SAFE.sub('_', name)[-60:]}"


def check_size(received: int, announced: int) -> None:
    """Raises NotTheSame."""
    if received != announced:
        raise NotTheSame(f"{received} bytes are here, {announced} were announced")


def check_hash(found: str, announced: str) -> None:
    """SHA-256, hexadecimal. Raises NotTheSame."""
    if found != announced:
        raise NotTheSame(f"its SHA-256 is {found}, announced was {announced}")
