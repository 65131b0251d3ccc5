"""The servers under load: started here, pinned to one core, measured through /proc, ended here."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOCKETIO = Path(__file__).resolve().parent / "socketio"
POSTGRESQL = Path("/usr/lib/postgresql/15/bin")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SERVER_CORE = 0
# The bench is one address that makes thousands of rooms; what one participant may send stays as it is.
UNLIMITED = {
    f"LETTERBOX_{name}": "1000000/second"
    for name in ("ROOMS_PER_ADDRESS", "JOINS_PER_ADDRESS", "CALLS_PER_ADDRESS", "CALLS_PER_ROOM", "CALLS_PER_TOKEN",
                 "MESSAGES_AND_POLLS_PER_ADDRESS", "POLLS_PER_PARTICIPANT")
}  # fmt: skip


class Server:
    """A running server: its process, its port, and a database's process beside it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, database_pid: int | None = None) -> None:
        self.process, self.port, self.log, self._database_pid = process, port, log, database_pid

    def cpu_s(self) -> float:
        """CPU seconds since the start, children and the database included."""
        return sum(_cpu_s(pid) for pid in (self.process.pid, self._database_pid) if pid is not None)

    def database_cpu_s(self) -> float:
        return _cpu_s(self._database_pid) if self._database_pid is not None else 0.0

    def pss_kib(self) -> int:
        """Memory of all its processes, what they share counted once; the database's apart."""
        return sum(_memory_kib(pid, "Pss:") for pid in tree(self.process.pid))

    def rss_kib(self) -> int:
        return sum(_memory_kib(pid, "Rss:") for pid in tree(self.process.pid))

    def workers(self) -> list[int]:
        """The processes that serve: the children, or the server itself when it has none."""
        return tree(self.process.pid)[1:] or [self.process.pid]


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


def _cpu_s(pid: int) -> float:
    """User and system time of the tree; of those that ended, as far as their parents have counted them."""
    ticks = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # utime, stime, cutime, cstime (proc(5), fields 14 to 17).
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_S


def _memory_kib(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def pinned(command: list[str]) -> list[str]:
    """The command on the servers' core, when there is another one for the generator."""
    return ["taskset", "-c", str(SERVER_CORE), *command] if (os.cpu_count() or 1) > 1 else command


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of this run's own."""
    with tempfile.TemporaryDirectory(prefix="letterbox-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def started(
    command: list[str], port: int, log: Path, environ: Mapping[str, str] | None = None, database_pid: int | None = None
) -> Iterator[Server]:
    """The command, once it listens on the port."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(command), cwd=ROOT, env=os.environ | (environ or {}), stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_for(process, port, log)
        yield Server(process, port, log, database_pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                # Answered, not only accepted: gunicorn listens before its workers can serve.
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if sock.recv(100):
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


def _gunicorn(application: str) -> list[str]:
    return [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", application]


def letterbox_environ(data: Path, port: int, database_url: str = "", workers: int = 1) -> dict[str, str]:
    environ = {
        "LETTERBOX_DATA_DIR": str(data), "LETTERBOX_BIND": f"127.0.0.1:{port}", "LETTERBOX_WEB_WORKERS": str(workers),
        "LETTERBOX_DATABASE_URL": database_url, "LETTERBOX_LOG_LEVEL": "warning",
    }  # fmt: skip
    return UNLIMITED | environ


@contextmanager
def letterbox(
    data: Path, database: "Database | None" = None, workers: int = 1, application: str = "app:create_app()"
) -> Iterator[Server]:
    """One Letterbox web node on the database (None: SQLite in its data folder), migrated."""
    port = free_port()
    environ = letterbox_environ(data, port, database.url if database else "", workers)
    subprocess.run([sys.executable, "app.py", "migrate"], cwd=ROOT, env=os.environ | environ, check=True, capture_output=True)
    with started(_gunicorn(application), port, data / "log", environ, database.pid if database else None) as server:
        yield server


@contextmanager
def echo(data: Path) -> Iterator[Server]:
    """The floor: `echo.py` on the same worker class."""
    port = free_port()
    environ = letterbox_environ(data, port)
    with started(_gunicorn("bench.signaling.echo:create_app()"), port, data / "log", environ) as server:
        yield server


@contextmanager
def socketio(data: Path) -> Iterator[Server]:
    """The relay on stock socket.io."""
    if not (SOCKETIO / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=SOCKETIO, check=True)
    port = free_port()
    with started(["node", str(SOCKETIO / "server.mjs"), str(port)], port, data / "log") as server:
        yield server


class Database:
    """A running PostgreSQL of our own."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid


@contextmanager
def postgresql() -> Iterator[Database]:
    """A private cluster with Debian's defaults, on the servers' core."""
    with folder() as data:
        cluster, port = data / "cluster", free_port()
        as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if as_user:
            shutil.chown(data, "postgres")
        initdb = [*as_user, str(POSTGRESQL / "initdb"), "-D", str(cluster), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=data)
        options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1"
        control = [*as_user, str(POSTGRESQL / "pg_ctl"), "-D", str(cluster), "-w"]
        # Not captured: the database would keep the pipe open for ever.
        start = pinned([*control, "-l", str(data / "log"), "-o", options, "start"])
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=data)
        try:
            pid = int((cluster / "postmaster.pid").read_text().splitlines()[0])
            yield Database(f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres", pid)
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=data)
