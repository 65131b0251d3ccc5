"""What a recorder or worker says of itself to whoever looks after it: /healthz, /readyz, /metrics on a port of its own.

Off unless LETTERBOX_METRICS_BIND says where. In a thread: it answers also while the event loop or a film is busy.
"""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

Why = Callable[[], str | None]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Every few seconds somebody looks: that is not worth a line."""


def application(sick: Why, busy: Why, registry: CollectorRegistry) -> Application:
    """sick: why it should be started again, None when it is well. busy: why it cannot take work now."""
    figures = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                return figures(environ, start)  # type: ignore[no-any-return]
            case "/healthz":
                return _say(start, sick())
            case "/readyz":
                return _say(start, sick() or busy())
            case _:
                return _say(start, "Ask for /healthz, /readyz or /metrics.", "404 Not Found")

    return answer


def _say(start: Callable[..., Any], why: str | None, status: str = "503 Service Unavailable") -> list[bytes]:
    start("200 OK" if why is None else status, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
    return [(why or "ok").encode() + b"\n"]


def serve(bind: str, answer: Application) -> WSGIServer:
    """From now on, until the process ends. bind: host:port."""
    host, _, port = bind.rpartition(":")
    server = make_server(host, int(port), answer, server_class=_Server, handler_class=_Silent)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
