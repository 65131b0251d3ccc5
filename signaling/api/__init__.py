"""The HTTP API under /api/v1 (PROTOCOL.md): each route says who may call, takes the body's shape, calls one function."""

from typing import Any

from signaling import calls
from signaling.api import chunks, files, library, mailbox, paths, recorder, recording, rooms, sharing
from signaling.calls import api, call

__all__ = ["api", "chunks", "files", "library", "mailbox", "paths", "recorder", "recording", "rooms", "sharing"]


@call(api, "GET", "/openapi.json", "This document", "anyone")
def openapi() -> Any:
    return calls.openapi()
