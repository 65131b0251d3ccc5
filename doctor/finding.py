"""What one step of the examination found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """about: what was looked at. says: what was found, one sentence. mend: what to do about it, "" when all is well."""

    about: str
    state: State
    says: str
    mend: str = ""
    ms: int = 0


def ok(about: str, says: str) -> Finding:
    return Finding(about, "ok", says)


def warning(about: str, says: str, mend: str) -> Finding:
    return Finding(about, "warning", says, mend)


def failed(about: str, says: str, mend: str) -> Finding:
    return Finding(about, "failed", says, mend)


def skipped(about: str, says: str, mend: str = "") -> Finding:
    return Finding(about, "skipped", says, mend)
