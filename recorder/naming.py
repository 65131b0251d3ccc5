"""File names for people: they say what, when and whose, and are safe on any disk."""

import re
import unicodedata
from datetime import UTC, datetime

MOST_BYTES = 200
SOURCES = {"microphone": "microphone", "camera": "camera", "screen": "screen", "screen-sound": "screen sound"}
# Forbidden on one system or another, or invisible.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+')


def safe(text: str, most_bytes: int = MOST_BYTES) -> str:
    """The text as part of a file name: never empty, no path, no more bytes than this in UTF-8."""
    text = _UNSAFE.sub(" ", unicodedata.normalize("NFC", text)).encode("utf-8", "ignore").decode()
    text = re.sub(r"\s+", " ", text).strip(" .")
    while len(text.encode()) > most_bytes:
        text = text[:-1].rstrip()
    return text or "Recording"


def date_of(started_at_ms: int) -> str:
    """`2026-11-23`, in UTC."""
    return datetime.fromtimestamp(started_at_ms / 1000, UTC).strftime("%Y-%m-%d")


def composed_name(date: str, title: str, suffix: str, version: str = "") -> str:
    """`2026-11-23 Board meeting.mp4`; another version's: `2026-11-23 Board meeting – Only Ana.mp4`"""
    which = f" – {safe(version, 70)}" if version else ""
    return f"{date} {safe(title or 'Recording', 110)}{which}{suffix}"


def track_name(date: str, title: str, person: str, source: str, suffix: str, segment: int = 1, number: int = 1) -> str:
    """`2026-11-23 Board meeting – Ana (camera).webm`; the second and later ones get their numbers.

    Of the second segment: `2026-11-23 Board meeting, part 2 – Ana (camera).webm`. number: of files of the same kind in a segment.
    """
    part = f", part {segment}" if segment > 1 else ""
    kind = SOURCES.get(source, source) + (f" {number}" if number > 1 else "")
    return f"{date} {safe(title or 'Recording', 80)}{part} – {safe(person, 70)} ({kind}){suffix}"
