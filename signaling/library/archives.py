"""A recording's files as one ZIP, written while it is sent, the same bytes each time: what was cut goes on where it was.

The ZIP is zipstream's; but it dates each file now, and so no two of its archives are alike. Here each has its own date.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from struct import pack
from typing import NamedTuple

from zipstream import ZipStream

# Where a file's time and date stand: in its own header, and in the list at the end (APPNOTE.TXT 4.3.7 and 4.3.12).
LOCAL, LISTED = b"PK\x03\x04", b"PK\x01\x02"
DATE_AT = {LOCAL: 10, LISTED: 12}


class Member(NamedTuple):
    """One file in it."""

    name: str
    bytes: int
    at_ms: int


class Archive:
    """size_bytes: of the whole, known before."""

    def __init__(self, members: list[Member]) -> None:
        self._members = members
        self._packed = ZipStream(sized=True)
        self.size_bytes = len(self._sized())

    def _sized(self) -> ZipStream:
        packed = ZipStream(sized=True)
        for member in self._members:
            packed.add(iter(()), member.name, size=member.bytes)
        return packed

    def content(self, files: Iterable[Iterator[bytes]]) -> Iterator[bytes]:
        """Once. files: what is in them, in the members' order."""
        for member, data in zip(self._members, files, strict=True):
            self._packed.add(data, member.name, size=member.bytes)
            entry = self._packed.file()
            yield _dated(next(entry), LOCAL, member.at_ms)
            yield from entry
        listed = iter(self._members)
        for part in self._packed.footer():
            yield _dated(part, LISTED, next(listed).at_ms) if part.startswith(LISTED) else part


def _dated(header: bytes, signature: bytes, at_ms: int) -> bytes:
    """Two seconds are the least it can say; before 1980 it knows nothing."""
    if not header.startswith(signature):
        raise AssertionError("zipstream writes its headers otherwise than we know them")
    when, begin = datetime.fromtimestamp(at_ms / 1000, UTC), DATE_AT[signature]
    time, date = when.hour << 11 | when.minute << 5 | when.second // 2, max(0, when.year - 1980) << 9 | when.month << 5 | when.day
    return header[:begin] + pack("<HH", time, date) + header[begin + 4 :]
