"""This machine's side: the data folder, the database, the storage, the broker and who waits behind it."""

import hashlib
import io
import os
import shutil
import time
from datetime import UTC, datetime

from kombu import Connection as Broker
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from doctor.finding import Finding, failed, ok, skipped, warning
from recorder.config import Settings as RecorderSettings
from signaling import db, rooms
from signaling.config import Settings
from signaling.errors import Problem
from signaling.library import recordings
from signaling.server import storage_of

# With less a recorder stops, and an hour of four people is about 5 GB.
LITTLE_BYTES = 5 << 30
CLOCKS_APART_S = 2.0


def folder(settings: Settings) -> Finding:
    about = "data folder"
    path = settings.data_dir.resolve()
    probe = path / f".doctor-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        return failed(about, f"{path} cannot be written: {error.strerror}.", f"Give this user the folder: chown -R $USER {path}")
    free = shutil.disk_usage(path).free
    if free < LITTLE_BYTES:
        return warning(about, f"{path} has {free >> 30} GB left.", "Recordings need room: free some, or set LETTERBOX_DATA_DIR.")
    return ok(about, f"{path} can be written, {free >> 30} GB are free.")


def database(settings: Settings) -> list[Finding]:
    about = "database"
    engine = db.make_engine(settings)
    where = engine.url.render_as_string()
    try:
        began = time.monotonic()
        db.check_schema(engine)
        with db.writing(engine) as connection:
            connection.execute(text("CREATE TEMPORARY TABLE doctor (n INTEGER)"))
            connection.execute(text("INSERT INTO doctor VALUES (1)"))
            read_back = connection.execute(text("SELECT n FROM doctor")).scalar()
            connection.execute(text("DROP TABLE doctor"))
        took_ms = (time.monotonic() - began) * 1000
        with db.reading(engine) as connection:
            waiting = len(recordings.recorders(connection))
            rooms.count(connection)
            theirs = connection.execute(text("SELECT now()")).scalar() if engine.dialect.name == "postgresql" else None
    except db.SchemaOutOfDate as error:
        return [failed(about, str(error), "Run: python app.py migrate")]
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return [failed(about, f"{where} does not answer: {reason}.", "Check LETTERBOX_DATABASE_URL, and that the server runs.")]
    finally:
        engine.dispose()
    found = [ok(about, f"{where} takes a write and gives it back in {took_ms:.0f} ms; its schema is up to date.")]
    if read_back != 1:
        found = [failed(about, f"{where} does not give back what is written.", "Restore it from a backup.")]
    if isinstance(theirs, datetime):
        found.append(_clock("database's clock", (theirs - datetime.now(UTC)).total_seconds()))
    return [*found, _recorders(waiting)]


def _clock(about: str, apart_s: float) -> Finding:
    if abs(apart_s) > CLOCKS_APART_S:
        return failed(about, f"It is {apart_s:+.0f} s from this machine's.", "Set both by NTP (systemd-timesyncd or chrony).")
    return ok(about, "It agrees with this machine's.")


def _recorders(waiting: int) -> Finding:
    if waiting == 0:
        return warning("recorder", "None is waiting for work.", "Start one: `python -m recorder`, or everything with `make run`.")
    return ok("recorder", f"{waiting} waiting for work.")


def storage(settings: Settings) -> Finding:
    about = "storage"
    name = f"doctor-{os.getpid()}"
    try:
        kept = storage_of(settings)
        kept.append(name, "probe", 0, io.BytesIO(b"probe"), 5)
        kept.keep(name, "probe", f"{name}/probe", 5, hashlib.sha256(b"probe").hexdigest())
        with kept.open(f"{name}/probe") as file:
            read_back = file.read()
        kept.delete_recording(name)
    except (Problem, ValueError) as error:
        why = error.detail if isinstance(error, Problem) else f"{error}."
        return failed(about, why, "Check LETTERBOX_STORAGE_URL, its bucket, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    except OSError as error:
        return failed(about, f"A file cannot be written: {error}.", "Check the data folder's owner and its free space.")
    if read_back != b"probe":
        return failed(about, "A file came back other than it was written.", "Check the disk.")
    return ok(about, "A file can be written, read and deleted.")


def media_over_http(settings: Settings) -> Finding:
    """Whether those whom no WebRTC reaches find each other, at whichever process they ask."""
    about = "media over HTTP"
    if not settings.http_media:
        return skipped(about, "It is switched off: whom no WebRTC reaches is left out.", "LETTERBOX_HTTP_MEDIA=yes allows it.")
    if settings.chunks_url:
        from redis import Redis
        from redis.exceptions import RedisError

        try:
            with Redis.from_url(settings.chunks_url, socket_timeout=3, socket_connect_timeout=3) as connection:
                connection.ping()
        except (RedisError, OSError) as error:
            return failed(about, f"Redis does not answer: {error}.", "Check LETTERBOX_CHUNKS_URL, and that it runs.")
        return ok(about, "Web processes share it through Redis.")
    mend = "Set LETTERBOX_CHUNKS_URL, e.g. redis://host:6379/1, for all of them."
    if settings.web_workers > 1:
        return failed(about, f"{settings.web_workers} web processes that share no media refuse it.", mend)
    if settings.sqlalchemy_url.startswith("postgresql"):
        return warning(about, "This process passes it on by itself; other nodes would each know half of a call.", mend)
    return ok(about, "The web process passes it on by itself.")


def broker(settings: RecorderSettings | None) -> list[Finding]:
    about = "broker"
    if settings is None:
        return [skipped(about, "The recorder's key is not known here.", "Set LETTERBOX_RECORDER_KEY to look at it.")]
    if settings.broker_url:
        try:
            with Broker(settings.broker_url, connect_timeout=3) as connection:
                connection.ensure_connection(max_retries=1, timeout=4)
                where = connection.as_uri()
        except Exception as error:
            return [failed(about, f"It does not answer: {error}.", "Check CELERY_BROKER_URL, and that it runs.")]
    else:
        where = f"files in {settings.work_dir / 'broker'}"
    return [ok(about, f"{where} can be reached."), _worker()]


def _worker() -> Finding:
    from recorder import jobs

    try:
        answers = jobs.app.control.ping(timeout=2.0)
    except Exception as error:
        return failed("worker", f"The broker does not pass on a question: {error}.", "Check its permissions.")
    if not answers:
        return warning(
            "worker", "None answers: recordings are not prepared.", "Start one: `celery -A recorder.jobs worker`, or `make run`."
        )
    return ok("worker", f"{len(answers)} at work.")
