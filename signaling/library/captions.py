"""Captions that somebody has made of a recording: a WebVTT file (W3C WebVTT), one a language."""

import hashlib
import io
from typing import Any

import webvtt
from webvtt.errors import MalformedCaptionError, MalformedFileError

from signaling import errors
from signaling.server import Server


def receive(server: Server, recording: str, text: str, language: str) -> dict[str, Any]:
    """Check them and put them where uploads are. Returns the file, to be published: recordings.publish.

    Raises malformed for what is no WebVTT, or says nothing.
    """
    try:
        cues = webvtt.from_string(text).captions
    except (MalformedFileError, MalformedCaptionError, ValueError) as error:
        raise errors.malformed([{"field": "text", "problem": f"is no WebVTT: {error or 'it cannot be read'}"}]) from None
    if not cues:
        raise errors.malformed([{"field": "text", "problem": "has no captions in it"}])
    data = text.encode()
    name = f"captions-{language}.vtt"
    server.storage.append(recording, name, 0, io.BytesIO(data), len(data))
    return {
        "name": name, "kind": "captions", "media_type": "text/vtt", "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(), "meta": {"language": language, "cues": len(cues)},
    }  # fmt: skip
