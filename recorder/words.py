"""What people read in a film, in the language they were asked in."""

import json
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).resolve().parent.parent / "locales"


@cache
def word(key: str, language: str) -> str:
    """The text of this key; in English where we do not speak the language."""
    for spoken in (language.split("-")[0].lower(), "en"):
        path = LOCALES / f"{spoken}.json"
        text = json.loads(path.read_bytes()).get(key) if spoken.isalpha() and path.is_file() else None
        if text:
            return str(text)
    return key
