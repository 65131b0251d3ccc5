"""The pages under /admin: signing in and out, the overview that asks for itself anew, the audit log as CSV, making a room.

These are the only pages with a cookie: it is HttpOnly and SameSite=Strict, and whatever changes something carries a CSRF token
(Flask-WTF). A program may send the admin key as its bearer token instead; a browser never does that by itself.
"""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, redirect, request, session
from flask_wtf.csrf import generate_csrf, validate_csrf
from wtforms.validators import ValidationError

from signaling import audit, calls, clock, errors, rooms
from signaling.admin import access, overview
from signaling.calls import noted, our_address, server
from signaling.pages import show

if TYPE_CHECKING:
    from signaling.admin.oidc import Provider

admin = Blueprint("admin", __name__, url_prefix="/admin")
CSV_ROWS = 100_000
# What is remembered between going to the provider and coming back from it, and for how long.
OIDC_COOKIE, OIDC_PATIENCE_S = "letterbox-oidc", 600


def who() -> str | None:
    """The administrator who is asking, None for anybody else. Raises too_often for who guesses the admin key."""
    settings = server().settings
    if calls.bearer():
        return "admin key" if calls.tried(lambda _: access.is_admin_key(settings, calls.bearer())) else None
    said = access.said_by_proxy(settings, request.environ)
    if said:
        return said if access.is_admin(settings, said) else None
    secret = str(session.get("id", ""))
    if not secret:
        return None
    with server().reading() as connection:
        return access.find(connection, settings, secret, clock.now_ms())


def administrator() -> str:
    """Who is asking. Raises not_signed_in."""
    found = who()
    if found is None:
        raise errors.not_signed_in()
    return found


@admin.before_request
def check() -> None:
    """Raises no_admin_page; not_signed_in for a form that another site's page has sent."""
    if not access.is_on(server().settings):
        raise errors.no_admin_page()
    if request.method == "POST" and not calls.bearer():
        try:
            validate_csrf(request.form.get("csrf_token") or request.headers.get("X-CSRF-Token"))
        except ValidationError as error:
            raise errors.not_signed_in("This page is too old, or was not ours. Open it again.") from error


@admin.after_request
def keep_nothing(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@admin.get("")
def page() -> Response:
    settings = server().settings
    found = who()
    if found is None:
        said = access.said_by_proxy(settings, request.environ)
        return show(
            "admin_sign_in.html", csrf=generate_csrf(), wrong=request.args.get("wrong") == "1", said=said,
            by_key=bool(settings.admin_key), by_oidc=bool(settings.oidc_issuer),
        )  # fmt: skip
    by_cookie = "id" in session
    return show("admin.html", csrf=generate_csrf(), who=found, by_cookie=by_cookie, audit_days=settings.audit_days)


@admin.post("/sign-in")
def sign_in() -> Any:
    settings, key = server().settings, request.form.get("key", "")
    if not calls.tried(lambda _: access.is_admin_key(settings, key)):
        with server().transaction() as tx:
            noted(tx, "sign-in-refused", "?", how="key")
        return redirect("/admin?wrong=1", 303)
    _remember("admin key", "key")
    return redirect("/admin", 303)


def _remember(name: str, how: str) -> None:
    """A new session; whatever was in the one before is forgotten."""
    with server().transaction() as tx:
        secret = access.sign_in(tx, name, how)
        noted(tx, "signed-in", name, how=how)
    session.clear()
    session.permanent = True
    session["id"] = secret


@admin.post("/sign-out")
def sign_out() -> Any:
    name = administrator()
    with server().transaction() as tx:
        access.sign_out(tx, str(session.get("id", "")))
        noted(tx, "signed-out", name)
    session.clear()
    return redirect("/admin", 303)


@admin.get("/oidc")
def to_provider() -> Any:
    address, kept = _provider().begin()
    response = redirect(address, 303)
    response.set_cookie(
        OIDC_COOKIE, kept, max_age=OIDC_PATIENCE_S, path="/admin/oidc", secure=request.is_secure, httponly=True, samesite="Lax"
    )
    return response


@admin.get("/oidc/back")
def from_provider() -> Any:
    cookie, state, code = request.cookies.get(OIDC_COOKIE, ""), request.args.get("state", ""), request.args.get("code", "")
    names = _provider().finish(cookie, state, code)
    name = next((one for one in names if access.is_admin(server().settings, one)), None)
    if name is None:
        with server().transaction() as tx:
            noted(tx, "sign-in-refused", names[0], how="oidc")
        raise errors.not_signed_in(f"{names[0]} is no administrator here.")
    _remember(name, "oidc")
    # A page, not a redirect: what another site began is not sent the SameSite=Strict cookie; what this page begins is.
    response = show("admin_welcome.html")
    response.delete_cookie(OIDC_COOKIE, path="/admin/oidc")
    return response


def _provider() -> "Provider":
    from signaling.admin.oidc import Provider  # half a second, where nobody signs in so

    settings = server().settings
    if not settings.oidc_issuer:
        raise errors.no_admin_page()
    return Provider(settings, f"{our_address()}/admin/oidc/back", OIDC_PATIENCE_S)


@admin.get("/state")
def state() -> Any:
    if who() is None:
        return calls.refusal(errors.not_signed_in())
    with server().reading() as connection:
        return calls.answer(overview.state(server(), connection, request.args.get("words", "")[:80]))


@admin.get("/audit.csv")
def audit_file() -> Any:
    name = administrator()
    with server().transaction() as tx:
        noted(tx, "audit-downloaded", name)
    with server().reading() as connection:
        rows = audit.newest(connection, request.args.get("words", "")[:80], CSV_ROWS)
    response = Response("".join(audit.as_csv(rows)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="letterbox-audit.csv"'
    return response


@admin.post("/rooms")
def make_room() -> Any:
    """A room for somebody: its host's link, to be sent to them."""
    name = who()
    if name is None:
        return calls.refusal(errors.not_signed_in())
    title = " ".join(request.form.get("title", "").split())[:200]
    with server().transaction() as tx:
        room, host_key = rooms.make(tx, title.translate(dict.fromkeys(range(32))))
        noted(tx, "room-made", name, room)
    link = f"{our_address()}/r/{room}"
    return calls.answer({"room": room, "link": link, "host_link": f"{link}#host={host_key}"}, 201)
