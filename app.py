"""The front door: settings in, wired web application out. The only file that knows all parts.

`python app.py run` starts everything on one machine; `python app.py migrate` brings the database up to date;
`python app.py backup FILE` copies it while it is used;
`python app.py doctor` says what is set up wrong, and how to mend it.
"""

import logging
import os
import sys
from pathlib import Path

import alembic.command
from flask import Flask

import supervisor
from signaling import audit, auth, calls, db, pages, presence, rooms
from signaling.admin import access
from signaling.admin.routes import admin
from signaling.api import api
from signaling.config import BadSetting, Settings
from signaling.lean import LeanFlask
from signaling.library import disposal, keeping, recordings, webhooks
from signaling.proxies import BelieveProxies
from signaling.server import Server, make_server
from signaling.troubles import Troubles


def create_app(settings: Settings | None = None) -> Flask:
    """A web application of one process, listening and keeping house from now on; `stop(app)` ends it."""
    settings = settings or Settings.from_environ(os.environ)
    app = LeanFlask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.secret_key = settings.secret_key
    app.config |= {
        "SESSION_COOKIE_NAME": "letterbox-admin", "SESSION_COOKIE_PATH": "/admin", "SESSION_COOKIE_SAMESITE": "Strict",
        "PERMANENT_SESSION_LIFETIME": access.SESSION_S, "WTF_CSRF_TIME_LIMIT": access.SESSION_S,
    }  # fmt: skip
    server = make_server(settings)
    noticed = Troubles(settings.data_dir)
    logging.getLogger("signaling").addHandler(noticed)
    server.every(0.1, expire_polls)
    server.every(1.0, rooms.sweep_vanished)
    server.every(2.0, recordings.sweep)
    server.every(600.0, keeping.sweep, aside=True)
    server.every(3600.0, audit.sweep, aside=True)
    server.every(30.0, disposal.finish, aside=True)
    server.every(5.0, presence.adopt_orphans)
    if settings.webhook_url:
        server.every(0.5, webhooks.Deliveries().sweep)
    if settings.trusted_proxies:
        app.wsgi_app = BelieveProxies(app.wsgi_app, server.proxies)  # type: ignore[method-assign]
    app.extensions |= {
        "letterbox": server,
        "letterbox_troubles": noticed,
        "letterbox_callers": auth.Callers(),
        "letterbox_links": auth.Links(settings.secret_key),
    }
    app.register_blueprint(api)
    app.register_blueprint(pages.pages)
    app.register_blueprint(admin)
    calls.install(app)
    pages.install(app)
    server.start()
    presence.adopt_at_start(server)
    return app


def expire_polls(server: Server) -> None:
    """Chore: answer polls whose time is over."""
    server.mailboxes.expire()
    server.chunks.expire()


def stop(app: Flask) -> None:
    """Answer every parked poll and end the process's own threads."""
    app.extensions["letterbox"].stop()
    logging.getLogger("signaling").removeHandler(app.extensions["letterbox_troubles"])


def migrate(settings: Settings) -> int:
    """Bring the database to the version this code needs."""
    engine = db.make_engine(settings)
    with db.writing(engine) as connection:
        # Nodes that start at once: one migrates, the others find nothing to do.
        db.one_at_a_time(connection)
        config = db.alembic_config(settings.sqlalchemy_url)
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")
    engine.dispose()
    print(f"The database is up to date: {engine.url.render_as_string()}")
    return 0


def backup(settings: Settings) -> int:
    """A copy of the database, whole although it is written to meanwhile."""
    if len(sys.argv) != 3:
        raise BadSetting("Say where to: python app.py backup FILE")
    db.backup(settings, Path(sys.argv[2]))
    print(f"The database is copied to {sys.argv[2]}")
    return 0


def run(settings: Settings) -> int:
    """Everything on this machine, until Ctrl-C."""
    migrate(settings)
    supervisor.run(settings)
    return 0


def doctor(settings: Settings) -> int:
    """Is everything set up so that calls connect and are recorded? `--capacity`: how much? `--json`: for programs."""
    # Only here: it knows the media side as well, which a web process never loads.
    os.environ.setdefault("LETTERBOX_RECORDER_KEY", settings.recorder_key)
    os.environ.setdefault("LETTERBOX_WORK_DIR", str(settings.data_dir / "recorder"))
    from doctor import capacity, examination

    if "--capacity" in sys.argv:
        return capacity.run(settings, as_json="--json" in sys.argv)
    return examination.run(settings, os.environ, sys.argv[2:])


COMMANDS = {"run": run, "migrate": migrate, "backup": backup, "doctor": doctor}


def main(arguments: list[str]) -> int:
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print("usage: python app.py " + " | ".join(COMMANDS), file=sys.stderr)
        return 2
    try:
        return command(Settings.from_environ(os.environ))
    except (BadSetting, db.SchemaOutOfDate) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
