"""The cast and the stage: Alice (host) and Bob in one room, Charlie in another, Rec the recorder; a fresh database each.

`house` is one web process, asked through Flask's own client; `live` is real gunicorn over real HTTP. Both speak through
`people.py`. A test that uses `database` runs on SQLite and on a real PostgreSQL (skipped where that is not installed).
"""

import contextlib
import itertools
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import people
import pytest
import s3

import app as front_door
from signaling import clock, db
from signaling.config import Settings

POSTGRESQL = Path(os.environ.get("LETTERBOX_TEST_POSTGRESQL", "/usr/lib/postgresql/15/bin"))


class Cluster:
    """A PostgreSQL of our own for this session: no durability, no network but this machine's."""

    def __init__(self, root: Path) -> None:
        self.root, self.port, self._count = root, people.free_port(), itertools.count(1)
        self._aside, self._next = ThreadPoolExecutor(1, thread_name_prefix="databases"), {}
        self._user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if os.getuid() == 0:
            shutil.chown(root, "postgres")
        self._run(
            "initdb", "--pgdata", root / "db", "--auth", "trust", "--username", "postgres", "--no-sync", "--encoding", "UTF8"
        )

    def _run(self, command: str, *arguments: str | Path) -> None:
        done = subprocess.run([*self._user, POSTGRESQL / command, *arguments], cwd=self.root, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        options = (
            f"-p {self.port} -k {self.root} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
            " -c max_connections=200 -c shared_buffers=32MB"
        )
        self._run("pg_ctl", "--pgdata", self.root / "db", "--wait", "-o", options, "-l", self.root / "log", "start")

    def stop(self, mode: str = "immediate") -> None:
        # What is being made and dropped aside is done first.
        self._aside.submit(int).result()
        self._run("pg_ctl", "--pgdata", self.root / "db", "--wait", "--mode", mode, "stop")

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def fresh(self, template: str = "template0") -> str:
        """The address of a new database. Of copies the next is made meanwhile: each takes a tenth of a second."""
        ready = self._next.pop(template, None)
        name = ready.result() if ready is not None else self._make(template)
        if template != "template0":
            self._next[template] = self._aside.submit(self._make, template)
        return self.url(name)

    def _make(self, template: str) -> str:
        name = f"t{next(self._count)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, url: str) -> None:
        """Soon, and not now: the next test need not wait for it."""
        self._aside.submit(self.execute, f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A running PostgreSQL."""
    if not (POSTGRESQL / "initdb").exists():
        pytest.skip(f"PostgreSQL is not installed: no {POSTGRESQL}/initdb (Debian: apt-get install postgresql-15)")
    with tempfile.TemporaryDirectory(prefix="letterbox-pg-") as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            yield cluster
        finally:
            with contextlib.suppress(AssertionError):
                cluster.stop()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    front_door.migrate(make_settings(folder))
    with contextlib.closing(sqlite3.connect(folder / "letterbox.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it into the one file that is copied
    return folder / "letterbox.db"


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database to copy."""
    url = postgresql.fresh()
    front_door.migrate(make_settings(tmp_path_factory.mktemp("migrated"), database_url=url))
    return url.rpartition("/")[2]


def make_settings(data_dir: Path, **values: object) -> Settings:
    ours = {"data_dir": data_dir, "recorder_key": people.RECORDER_KEY, "secret_key": "a secret of the tests"}
    # All of a test comes from one address, as fast as it can.
    often = dict.fromkeys(("calls_per_address", "calls_per_room", "calls_per_token"), "1000000/second")
    # And its people poll when it looks, which on a busy machine may be a while.
    return Settings(**(ours | often | {"grace_s": 300} | values))


class Databases:
    """Fresh databases of one kind."""

    def __init__(self, kind: str, request: pytest.FixtureRequest, root: Path) -> None:
        self.kind, self._request, self._root, self._made, self._urls = kind, request, root, 0, []

    def settings(self, **values: object) -> Settings:
        """Settings of a new, empty, migrated database; a whole new house."""
        self._made += 1
        folder = self._root / f"data{self._made}"
        folder.mkdir()
        if self.kind == "sqlite":
            shutil.copy(self._request.getfixturevalue("migrated_sqlite"), folder / "letterbox.db")
            return make_settings(folder, **values)
        cluster = self._request.getfixturevalue("postgresql")
        url = cluster.fresh(self._request.getfixturevalue("migrated_postgresql"))
        self._urls.append(url)
        return make_settings(folder, database_url=url, **values)

    def drop(self) -> None:
        while self._urls:
            self._request.getfixturevalue("postgresql").drop(self._urls.pop())


def _databases(kind: str, request: pytest.FixtureRequest) -> Iterator[Databases]:
    with tempfile.TemporaryDirectory(prefix="letterbox-test-") as folder:
        made = Databases(kind, request, Path(folder))
        yield made
        made.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Each test that asks for it runs twice."""
    yield from _databases(request.param, request)


@pytest.fixture
def sqlite(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """For what has nothing to do with the database: once."""
    yield from _databases("sqlite", request)


@pytest.fixture
def open_house() -> Iterator[Callable[[Settings], people.House]]:
    """Start web processes inside this one: `open_house(settings)`, as often as a test needs."""
    opened: list[people.House] = []

    def open_one(settings: Settings, housekeeping: bool = True) -> people.House:
        house = people.House(settings, housekeeping)
        opened.append(house)
        return house

    yield open_one
    for house in opened:
        house.close()


@pytest.fixture
def house(databases: Databases, open_house) -> people.House:
    """One web process on a fresh database."""
    return open_house(databases.settings())


@pytest.fixture
def cast(house: people.House) -> people.Cast:
    return people.Cast(house)


@pytest.fixture
def serve() -> Iterator[Callable[..., people.Gunicorn]]:
    """Start real servers: `serve(settings, workers=2)`."""
    started: list[people.Gunicorn] = []

    def start(settings: Settings, workers: int = 1, **environ: str) -> people.Gunicorn:
        server = people.Gunicorn(settings, workers, environ)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.close()


@pytest.fixture
def live(databases: Databases, serve) -> people.Gunicorn:
    """A real gunicorn with one worker on a fresh database."""
    return serve(databases.settings())


@pytest.fixture
def engine(house: people.House):
    return db.make_engine(house.settings)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that stands still and is turned by hand: later(seconds)."""
    now = [clock.now_ms()]
    monkeypatch.setattr(clock, "now_ms", lambda: now[0])

    def turn(seconds: float) -> None:
        now[0] += int(seconds * 1000)

    return turn


@pytest.fixture(scope="session")
def s3_server() -> Iterator["s3.SwiftServer"]:
    """A real S3 service, with its bucket. Skips where it is not installed."""
    with s3.running() as server:
        yield server
