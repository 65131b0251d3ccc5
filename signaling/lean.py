"""Flask without what Letterbox does not use: sessions but for /admin, host and subdomain matching.

Each costs a few microseconds of every call, and the mailbox's two calls are nearly all calls there are.
"""

from typing import Any

from flask import Flask, Request, Response
from flask import request as flask_request
from flask.sessions import NullSession, SecureCookieSessionInterface, SessionMixin
from werkzeug.routing import MapAdapter


class AdminSessions(SecureCookieSessionInterface):
    """A signed cookie for the pages of administrators. Nowhere else are there cookies: who is calling is said by a token."""

    _nothing = NullSession()

    def open_session(self, app: Flask, request: Request) -> Any:
        return super().open_session(app, request) if _is_admins(request.path) else self._nothing

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session is not self._nothing:
            super().save_session(app, session, response)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - as we are asked, not as we are set up
        return flask_request.is_secure


def _is_admins(path: str) -> bool:
    return path == "/admin" or path.startswith("/admin/")


class LeanFlask(Flask):
    """Flask, with one host, and sessions for administrators only."""

    session_interface = AdminSessions()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        # What bind_to_environ does, without looking at the host: every host name shows the same pages.
        return MapAdapter(
            self.url_map,
            server_name=environ.get("HTTP_HOST") or environ["SERVER_NAME"],
            script_name=environ.get("SCRIPT_NAME", "") or "/",
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
            default_method=environ["REQUEST_METHOD"],
            query_args=environ.get("QUERY_STRING", ""),
        )


class Later(Response):
    """The answer of a view whose answer follows from elsewhere: our own worker knows its status and sends nothing."""

    line = "102 Later"

    def __init__(self) -> None:
        super().__init__(status=self.line)

    def __call__(self, environ: Any, start_response: Any) -> Any:  # noqa: ARG002
        start_response(self.line, [])
        return ()
