"""The floor: what an answer costs on the same gunicorn worker when nothing at all is done for it.

A bare WSGI function at the paths of the hot calls, so that the worker serves it the way it serves them.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

ECHO = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]


class NoMailboxes:
    """Nobody polls here."""

    def expire(self) -> float | None:
        return None

    def shut(self) -> None:
        """Nothing is parked."""


class Echo:
    """A WSGI application that answers with what it was sent."""

    def __init__(self) -> None:
        house = SimpleNamespace(mailboxes=NoMailboxes(), settings=SimpleNamespace(hot_path="flask"), stop=lambda: None)
        self.extensions = {"letterbox": house, "letterbox_callers": None}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [*ECHO, ("Content-Length", str(len(body)))])
        return [body]


def create_app() -> Echo:
    return Echo()
