"""What every API call has in common: who is calling, what came, how a refusal looks; and the OpenAPI document of all of them."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, request
from pydantic import BaseModel
from sqlalchemy import Connection
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from signaling import audit, auth, cors, errors, hot, ids, metrics, proxies, rooms
from signaling.lean import Later
from signaling.openapi import document
from signaling.server import Server, Transaction

PREFIX = "/api/v1"
api = Blueprint("api", __name__, url_prefix=PREFIX)
Shape = TypeVar("Shape", bound=BaseModel)
View = Callable[..., Any]

# Not counted call by call: what watches over this server, files that are the same for all, and what counts for itself.
UNCOUNTED = frozenset(
    {
        "static", "pages.healthz", "pages.readyz", "pages.figures",
        "api.send", "api.poll", "api.poll_several", "api.exchange_chunks",
    }
)  # fmt: skip

described: list[dict[str, Any]] = []

later = Later()


def server() -> Server:
    """The server this request belongs to."""
    found: Server = current_app.extensions["letterbox"]
    return found


def server_of(app: Flask) -> Server:
    """The server behind an application, outside of any request."""
    found: Server = app.extensions["letterbox"]
    return found


def callers() -> auth.Callers:
    found: auth.Callers = current_app.extensions["letterbox_callers"]
    return found


def bearer() -> str:
    """The token of this request, "" without one (RFC 6750 section 2.1)."""
    scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def address() -> str:
    """Where the request comes from, as far as the proxies in front are trusted."""
    return request.remote_addr or "unknown"


def who() -> str:
    """Whom limits by address are for."""
    return proxies.neighbourhood(address())


def noted(tx: Transaction, action: str, actor: str, room: str = "", subject: str = "", **body: Any) -> None:
    """A row of the audit log, in the transaction of the deed."""
    audit.write(tx, action, actor, address(), room, subject, body)


def our_address() -> str:
    """Where people reach us, for links that they pass on; no slash at the end."""
    return server().settings.public_url.rstrip("/") or request.host_url.rstrip("/")


def participant(token: str | None = None) -> auth.Caller:
    """Who is calling: by this token, else by that of the request. Raises bad_token; too_often for who keeps guessing."""
    try:
        return callers().find(server(), bearer() if token is None else token)
    except errors.Problem:
        server().limits.spend("guesses", who())
        raise


def recorder() -> None:
    """Only the recorder and its workers go on. Raises bad_token."""
    if not auth.is_recorder_key(server(), bearer()):
        server().limits.spend("keys", who())
        raise errors.bad_token()


def is_host_key(room: str, key: str) -> bool:
    """Whether it is this room's key. Who has tried too many is not told: a right one opens nothing then. Raises too_often."""
    return tried(lambda connection: auth.is_host_key(connection, room, key))


def tried(look: Callable[[Connection], bool]) -> bool:
    """Whether somebody's key is right; wrong ones count. Raises too_often."""
    server().limits.check("keys", who())
    with server().reading() as connection:
        right = look(connection)
    if not right:
        server().limits.spend("keys", who())
    return right


def may_make_rooms() -> str:
    """Who makes a room, where not everybody may. Raises room_key_needed, too_often."""
    settings = server().settings
    if settings.room_creation == "open":
        return "anyone"
    keys = {"admin key": settings.admin_key} | ({"room key": settings.room_key} if settings.room_creation == "key" else {})
    said = bearer()
    found = next((name for name, key in keys.items() if key and ids.same(key, said)), None)
    if said and not tried(lambda _: found is not None):
        found = None
    if found is None:
        raise errors.room_key_needed(settings.room_creation == "admin")
    return found


def host_of(room: str) -> str:
    """The name of the host who is calling: by the room's host key, or as a participant with that role.

    Raises bad_token, not_yours.
    """
    key = bearer()
    if key.startswith("hk_"):
        with server().reading() as connection:
            rooms.title_even_if_closed(connection, room)
        if is_host_key(room, key):
            return "host"
        raise errors.not_yours("This host key belongs to another room.")
    caller = participant()
    if caller.room != room:
        raise errors.not_yours("Only the host of this room may do that.")
    with server().reading() as connection:
        # Roles change hands: what the token said when it was met may be over.
        role = rooms.role_of(connection, caller.id)
    if role is None:
        raise errors.participant_gone()
    if role != "host":
        raise errors.not_yours("Only the host of this room may do that.")
    return caller.name


def body(shape: type[Shape]) -> Shape:
    """This request's JSON as `shape`. Raises malformed (422), or too_large (413)."""
    return hot.parse(shape, request.get_data(cache=False) or b"{}")


def poll_arguments(default_wait_s: int) -> tuple[int, int, str]:
    """after, wait_s, nonce of a poll. Raises malformed. The usual form is read at once, any other the usual way."""
    usual = hot.usual_poll(request.environ.get("QUERY_STRING", ""))
    if usual is not None:
        return usual
    return whole("after", 0, 2**53), whole("wait_s", default_wait_s, 3600), request.args.get("nonce", "")[:64]


def whole(name: str, default: int, most: int) -> int:
    """A query parameter that is a whole number from 0 to `most`. Raises malformed."""
    text = request.args.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,16}", text) or int(text) > most:
        raise errors.malformed([{"field": name, "problem": f"must be a whole number from 0 to {most}"}])
    return int(text)


class ThreadWaiter:
    """A poll that a thread of the stock worker waits behind."""

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce
        self._done = threading.Event()
        self._answer: bytes | errors.Problem = b""

    def answer(self, body: bytes) -> None:
        self._answer = body
        self._done.set()

    def refuse(self, problem: errors.Problem) -> None:
        self._answer = problem
        self._done.set()

    def wait(self) -> bytes:
        self._done.wait()
        if isinstance(self._answer, errors.Problem):
            raise self._answer
        return self._answer


def answer(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value, separators=(",", ":")), status, content_type="application/json")


def call(
    blueprint: Blueprint,
    method: str,
    path: str,
    summary: str,
    who: str,
    shape: type[BaseModel] | None = None,
    carries: str = "application/json",
) -> Callable[[View], View]:
    """Register one call, and describe it. who: anyone, participant, host, recorder; carries: the media type of its answer, and
    of its body where that has no shape."""
    described.append({"method": method, "path": path, "summary": summary, "who": who, "shape": shape, "carries": carries})

    def register(view: View) -> View:
        @wraps(view)
        def wrapped(**values: Any) -> Any:
            found = view(**values)
            return found if isinstance(found, Response) else answer(*found) if isinstance(found, tuple) else answer(found)

        blueprint.add_url_rule(path, view.__name__, wrapped, methods=[method])
        return view

    return register


def refusal(problem: errors.Problem) -> Response:
    """RFC 9457: the problem as its answer."""
    metrics.REFUSALS.labels(problem.code).inc()
    response = Response(json.dumps(problem.as_json()), problem.status, content_type="application/problem+json")
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers["Cache-Control"] = "no-store"
    return response


def http_problem(error: HTTPException) -> errors.Problem:
    """What Flask itself refuses, in our shape."""
    if isinstance(error, RequestEntityTooLarge):
        return errors.too_large(server().settings.max_body_bytes, "A request")
    status = error.code or 500
    code = re.sub(r"[^a-z]+", "-", (error.name or "error").lower()).strip("-")
    return errors.Problem(status, code, error.name, error.description or error.name)


def install(app: Flask) -> None:
    """Refusals of the API are problem details, nothing of the API is ever cached, and allowed pages elsewhere may read it."""
    allowed = server_of(app).settings.embed_origins

    @app.url_value_preprocessor
    def refuse_what_no_row_has(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        # PostgreSQL has no NUL in a text, no database a number of any length: nothing can be called so.
        if any("\0" in str(value) or (isinstance(value, int) and value > 2**53) for value in (values or {}).values()):
            raise NotFound

    @app.before_request
    def not_too_often() -> None:
        # Polls and messages are counted where they are served, recorders have a key that cannot be guessed.
        if request.endpoint in UNCOUNTED or (bearer() and auth.is_recorder_key(server(), bearer())):
            return
        limits = server().limits
        limits.spend("calls", who())
        if request.path.startswith(PREFIX):
            room = (request.view_args or {}).get("room")
            if room:
                limits.spend("room_calls", room[:64])
            if bearer():
                limits.spend("token_calls", ids.digest(bearer()))

    # The first of these to be registered is the last to be called: it sees what really goes out.
    @app.after_request
    def count_bytes(response: Response) -> Response:
        # What the worker's loop serves it counts itself.
        if "letterbox.exchange" not in request.environ:
            metrics.RECEIVED.inc(request.content_length or 0)
            if response.content_length is not None:
                metrics.SENT.inc(response.content_length)
            elif response.is_streamed:
                response.response = _counted(response.response)
        return response

    @app.after_request
    def no_store(response: Response) -> Response:
        if response is not later and request.path.startswith(PREFIX):
            response.headers.setdefault("Cache-Control", "no-store")
            for name, value in cors.headers(allowed, request.headers.get("Origin", "")):
                response.headers.add(name, value)
            if request.method == "OPTIONS" and "Access-Control-Allow-Origin" in response.headers:
                response.headers.extend(cors.PREFLIGHT)
        return response


def _counted(chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        metrics.SENT.inc(len(chunk))
        yield chunk


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of everything registered by `call`."""
    return document(described, PREFIX)
