"""The engine and its transactions. What SQLite and PostgreSQL do differently lives here alone."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url

from signaling.config import BadSetting, Settings

ROOT = Path(__file__).resolve().parent.parent
# One process writes with one thread at a time: waiting here is fair and free, waiting inside SQLite is neither.
_sqlite_writer = threading.Lock()


class SchemaOutOfDate(Exception):
    """The database is not at the version this code needs; the text is the command that mends it."""


def make_engine(settings: Settings) -> Engine:
    """An engine whose transactions are safe under concurrency on either database.

    SQLite: WAL, and `synchronous` by settings.durability. NORMAL keeps every commit across a crash of the process, FULL
    across a power cut (https://www.sqlite.org/pragma.html#pragma_synchronous). PostgreSQL: `synchronous_commit` likewise.
    """
    url = settings.sqlalchemy_url
    if url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, pool_size=8, max_overflow=64)
        _set_up_sqlite(engine, "FULL" if settings.durability == "power" else "NORMAL")
        return engine
    options = f"-c synchronous_commit={'on' if settings.durability == 'power' else 'off'} -c lock_timeout=5000"
    return create_engine(
        url, pool_size=8, max_overflow=8, pool_pre_ping=False, connect_args={"options": options, "connect_timeout": 3}
    )


def _set_up_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: whether one begins as reader or as writer is decided below.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "busy_timeout=5000",
            "foreign_keys=ON",
            "cache_size=-16000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once with "database is locked" when another has
        # written in between, whatever the timeout: writers begin as writers.
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for looking; what it sees does not change while it is open on SQLite."""
    with engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction for changing: commits at the end, changes nothing when an exception leaves it."""
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            yield connection
        return
    with _sqlite_writer, engine.connect().execution_options(writing=True) as connection, connection.begin():
        yield connection


_compiled: dict[tuple[int, str], tuple[str, list[str] | None]] = {}


def many(connection: Connection, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Execute one of a module's own statements for each row of parameters.

    The statement is written in SQLAlchemy and compiled once; the rows go to the driver as they are. A third of the cost of
    handing them to SQLAlchemy, which is worth it for the few statements that every message needs. `statement` must live for good.
    """
    key = (id(statement), connection.dialect.name)
    if key not in _compiled:
        made = statement.compile(dialect=connection.dialect)
        _compiled[key] = str(made), made.positiontup
    text, order = _compiled[key]
    values: Any = rows if order is None else [tuple(row[name] for name in order) for row in rows]
    connection.exec_driver_sql(text, values)


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def one_at_a_time(connection: Connection) -> None:
    """Whoever calls this in its transaction on the same database waits for the end of ours."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended('letterbox schema', 0))")


def backup(settings: Settings, target: Path) -> None:
    """Copy the SQLite database while it is used; the file appears whole or not at all. Raises BadSetting."""
    url = settings.sqlalchemy_url
    if not url.startswith("sqlite"):
        raise BadSetting("This database has a tool of its own: pg_dump (docs/operations.md).")
    source = Path(make_url(url).database or "")
    if not source.exists():
        raise BadSetting(f"There is no database at {source}.")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as database, closing(sqlite3.connect(partial)) as copy:
        database.backup(copy)
        # One file, whatever opens it.
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise BadSetting(f"The copy is not whole: {verdict}")
    partial.replace(target)


def check_schema(engine: Engine) -> None:
    """Raises SchemaOutOfDate unless every migration has run."""
    wanted = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != wanted:
        raise SchemaOutOfDate(
            f"The database is at version {found or 'none'}, this Letterbox needs {wanted}. Run: python app.py migrate"
        )
