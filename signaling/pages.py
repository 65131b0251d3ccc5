"""The HTML pages. What they say stands in `locales/`, what they do in `static/`."""

import json
import mimetypes
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, make_response, render_template, request
from flask_compress import Compress
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import HTTPException

from signaling import calls, cors, errors, metrics, reference, rooms
from signaling.calls import server

pages = Blueprint("pages", __name__)
# Of an embedded room; `join` is not kept.
EMBED_OPTIONS = ("embed", "name", "camera", "microphone", "chat", "recording", "layout", "theme", "lang")
# What pages of other origins may load as modules: they come without cookies, and hold no secret.
FOR_OTHER_PAGES = re.compile(r"/static/(embed|call/(http/)?[\w.-]+)\.js")
mimetypes.add_type("text/javascript", ".js")
PERMISSIONS = ", ".join(
    [f"{name}=(self)" for name in ("camera", "microphone", "display-capture", "speaker-selection")]
    + [f"{name}=()" for name in ("geolocation", "payment", "usb", "serial", "hid", "midi", "browsing-topics")]
)
NO_PAGE = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
LOCALES = Path(__file__).resolve().parent.parent / "locales"


@cache
def catalogue(language: str) -> dict[str, str]:
    """Every text of one language, by key."""
    texts: dict[str, str] = json.loads((LOCALES / f"{language}.json").read_text())
    return texts


@cache
def languages() -> list[str]:
    return sorted(path.stem for path in LOCALES.glob("*.json"))


def language() -> str:
    """The language the address asks for, else the visitor's, English when we do not speak it."""
    asked = request.args.get("lang", "")
    return asked if asked in languages() else request.accept_languages.best_match(languages(), "en") or "en"


def show(template: str, status: int = 200, **values: Any) -> Response:
    lang = language()
    texts = catalogue("en") | catalogue(lang)
    t: Callable[[str], str] = lambda key: texts.get(key, key)  # noqa: E731
    asked = request.args.get("theme")
    theme = asked if asked in ("light", "dark") else ""
    # What only administrators read is not sent to everybody.
    all_of_it = template.startswith("admin")
    carried = {key: text for key, text in texts.items() if all_of_it or not key.startswith("admin.")}
    response = make_response(render_template(template, t=t, catalogue=carried, lang=lang, theme=theme, **values), status)
    response.headers["Cache-Control"] = "no-cache"
    return response


@pages.get("/")
def home() -> Response:
    return show("index.html", room_creation=server().settings.room_creation)


@pages.get("/api")
def api() -> Response:
    address = (server().settings.public_url or request.host_url).rstrip("/")
    return show("api.html", groups=reference.groups(), address=address)


@pages.get("/check")
def check() -> Response:
    return show("check.html")


@pages.get("/r/<room>")
def room(room: str) -> Response:
    with server().reading() as connection:
        title = rooms.title_of(connection, room)
    allowed = server().settings.embed_origins
    return show("room.html", room_id=room, room_title=title, embedding=embedding(request.args), embed_origins=" ".join(allowed))


def embedding(asked: Mapping[str, str]) -> dict[str, Any]:
    """What the address of a room in a frame asks for (docs/embed.md), as far as the page is drawn otherwise.

    classes: of the body; query: what brings one back to the same room in the same frame.
    """
    if asked.get("embed") != "1":
        return {"classes": "", "query": ""}
    off = [f"no-{part}" for part in ("chat", "recording") if asked.get(part) == "off"]
    kept = {name: value for name, value in asked.items() if name in EMBED_OPTIONS}
    return {"classes": " ".join(["embedded", *off]), "query": "?" + urlencode(kept)}


@pages.get("/r/<room>/recordings")
def recordings(room: str) -> Response:
    with server().reading() as connection:
        # A closed room keeps its recordings.
        title = rooms.title_even_if_closed(connection, room)
    return show("recordings.html", room_id=room, room_title=title)


@pages.get("/s/<share>")
def shared(share: str) -> Response:
    # What opens it stands behind the #, which no browser sends: whether it is right is seen by asking.
    return show("shared.html", share=share)


@pages.get("/healthz")
def healthz() -> Any:
    return {"status": "ok"}


@pages.get("/readyz")
def readyz() -> Any:
    """Whether this node can serve: its database answers, at the right version. Raises database_away."""
    with server().reading() as connection:
        rooms.count(connection)
    return {"status": "ready"}


@pages.get("/metrics")
def figures() -> Response:
    """For Prometheus. Keep it from strangers in the reverse proxy."""
    with server().reading() as connection:
        return Response(metrics.exposition(connection), content_type=CONTENT_TYPE_LATEST)


@pages.get("/favicon.ico")
def favicon() -> Response:
    return Response(status=204)


def install(app: Flask) -> None:
    """Security headers on every page; refusals of pages are pages, those of the API problem details."""
    # Where no reverse proxy does it: what a page needs before media is a third of its size then. Nothing of the API's.
    app.config["COMPRESS_REGISTER"] = False
    compress = Compress(app)
    films = calls.server_of(app).storage.origin
    ancestors = cors.frame_ancestors(calls.server_of(app).settings.embed_origins)
    rules = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        f"media-src 'self' blob: {films}; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; manifest-src 'self'; "
        "worker-src 'self'; frame-ancestors "
    )

    @app.after_request
    def guard(response: Response) -> Response:
        if response is calls.later:
            return response
        if response.mimetype == "text/html" and not request.path.startswith(calls.PREFIX):
            framed_by = ancestors if request.endpoint == "pages.room" else "'none'" if request.blueprint == "admin" else "'self'"
            response.headers.setdefault("Content-Security-Policy", rules + framed_by)
            response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        elif request.endpoint != "static":
            # Nothing that is no page of ours runs anything, whatever is uploaded or said in it.
            response.headers.setdefault("Content-Security-Policy", NO_PAGE)
        if request.is_secure:
            response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        if FOR_OTHER_PAGES.fullmatch(request.path):
            response.headers.setdefault("Access-Control-Allow-Origin", "*")
        if response.mimetype == "text/html" or request.endpoint == "static":
            # Whole, so that its length is said.
            response.direct_passthrough = False
            response.make_sequence()
            return compress.after_request(response)
        return response

    def refuse(problem: errors.Problem) -> Response:
        if request.path.startswith(calls.PREFIX):
            return calls.refusal(problem)
        return show("error.html", problem.status, title=problem.title, detail=problem.detail, action="/")

    app.register_error_handler(errors.Problem, refuse)
    app.register_error_handler(HTTPException, lambda error: refuse(calls.http_problem(error)))
