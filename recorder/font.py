"""Fonts for people's names, whatever script they are written in."""

import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from PIL import ImageFont

# Where Debian, Fedora and macOS keep fonts, and those of them that together know most scripts.
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts")
FILES = (
    "NotoSans-Regular.ttf", "DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc",
    "wqy-microhei.ttc", "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf", "unifont.ttf", "Arial Unicode.ttf",
)  # fmt: skip


@lru_cache(64)
def font_for(text: str, size_px: int) -> Any:
    """The first font that can write all of the text; Pillow's own if none can.

    Pillow's own is asked first: it is always there, and gives the same picture everywhere. It knows ASCII only.
    """
    own = ImageFont.load_default(size_px)
    if writes(own, text):
        return own
    fonts = (ImageFont.truetype(str(path), size_px) for path in _installed())
    return next((font for font in fonts if writes(font, text)), own)


def writes(font: Any, text: str) -> bool:
    """Whether the font has every sign: all it lacks look like U+FFFF, which is no character."""
    missing = bytes(font.getmask("\uffff"))
    return all(bytes(font.getmask(sign)) != missing for sign in set(text) if not sign.isspace())


def readable(text: str, font: Any) -> str:
    """The text with what the font lacks made simpler where that is possible: ü becomes u."""
    return "".join(sign if writes(font, sign) else _simpler(sign) for sign in text)


def _simpler(sign: str) -> str:
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return plain or sign


@cache
def _installed() -> tuple[Path, ...]:
    """Those of FILES that this machine has, in their order."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in Path(folder).rglob("*.tt[fc]"):
            found.setdefault(path.name, path)
    return tuple(found[name] for name in FILES if name in found)
