"""A Letterbox of many machines, as real processes on this one: two web nodes behind the nginx configuration we ship, on one
PostgreSQL; two recorders; two workers on Redis; recordings in S3. Each has a folder of its own, as if it were a machine.

`kill` ends a part as a power cut does; `start` brings it back with what was on its disk.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import s3
from people import RECORDER_KEY, ROOT, eventually, free_port

import app as front_door
from tests.conftest import Cluster, make_settings
from tests.networks.parts import make_certificates

SHIPPED = ROOT / "deploy" / "nginx" / "nginx.conf"
ADDRESS = "127.0.0.1"


@dataclass
class Part:
    """One process and its children. says: what its log holds when it is ready."""

    name: str
    command: list[str]
    log: Path
    port: int | None = None
    says: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    _begins: int = 0

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """And wait until it is ready."""
        self.begin()
        self.is_ready()

    def begin(self) -> None:
        self._begins = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def is_ready(self) -> None:
        """Waits for it."""
        eventually(self._answers, 90)

    def _answers(self) -> bool:
        assert self.runs, f"{self.name} ended: {self.log.read_text()[-2000:]}"
        if self.port is not None:
            with socket.socket() as probe:
                return probe.connect_ex((ADDRESS, self.port)) == 0
        return self.says in self.printed(self._begins)

    def printed(self, begins: int = 0) -> str:
        return self.log.read_bytes()[begins:].decode(errors="replace")

    def kill(self) -> float:
        """It and its children, at once. Returns when: Unix milliseconds."""
        at_ms = time.time() * 1000
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        return at_ms

    def ends(self) -> None:
        """Told to, and waited for."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)
        self.kill()


def shipped_nginx(folder: Path, port: int, nodes: list[int], certificate: Path, key: Path) -> Path:
    """The file we ship, its CHANGE lines filled in for this machine."""
    text = SHIPPED.read_text()
    changes = {
        # Else its workers could not write to a folder of ours.
        "user www-data;": "user root;" if os.getuid() == 0 else "",
        "/run/nginx.pid": f"{folder}/nginx.pid", "listen 80;": f"listen {ADDRESS}:{free_port()};",
        "listen 443 ssl": f"listen {ADDRESS}:{port} ssl", "/var/log/nginx/error.log": f"{folder}/error.log",
        "10.0.0.11:8000": f"{ADDRESS}:{nodes[0]}", "10.0.0.12:8000": f"{ADDRESS}:{nodes[1]}",
        "/etc/letsencrypt/live/call.example/fullchain.pem": str(certificate),
        "/etc/letsencrypt/live/call.example/privkey.pem": str(key), "worker_processes auto": "worker_processes 1",
        # Where open files are few, as in a container.
        "65536": "16384", "32768": "8192",
    }  # fmt: skip
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        text = text.replace("http {", f"http {{\n    {kind}_temp_path {folder}/{kind};", 1)
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


class Machines:
    """url: where people go. parts: by name: web1, web2, recorder1, recorder2, worker1, worker2, redis, nginx."""

    def __init__(self, root: Path, database: Cluster, storage: s3.SwiftServer) -> None:
        self.root, self.database = root, database
        self.port, redis = free_port(), free_port()
        self.url = f"https://{ADDRESS}:{self.port}"
        make_certificates(root, ADDRESS)
        self.ca_file = root / "ca.pem"
        database_url = database.fresh()
        front_door.migrate(make_settings(root, database_url=database_url))
        self._told = {name: value for name, value in os.environ.items() if not name.startswith(("LETTERBOX_", "CELERY_"))} | {
            "LETTERBOX_DATABASE_URL": database_url, "LETTERBOX_STORAGE_URL": storage.url(root.name),
            "LETTERBOX_RECORDER_KEY": RECORDER_KEY, "LETTERBOX_SECRET_KEY": "a secret of the tests",
            "LETTERBOX_TRUSTED_PROXIES": "1", "LETTERBOX_LIMITS_STORAGE": f"redis://{ADDRESS}:{redis}/1",
            "LETTERBOX_CHUNKS_URL": f"redis://{ADDRESS}:{redis}/2",
            "LETTERBOX_LEASE_S": "4", "LETTERBOX_JOB_LEASE_S": "4", "LETTERBOX_DURABILITY": "power",
            "LETTERBOX_SERVER_URL": self.url, "LETTERBOX_CA_FILE": str(self.ca_file),
            "CELERY_BROKER_URL": f"redis://{ADDRESS}:{redis}/0", "PYTHONUNBUFFERED": "1",
            "AWS_ACCESS_KEY_ID": s3.KEY, "AWS_SECRET_ACCESS_KEY": s3.SECRET,
        }  # fmt: skip
        self.parts: dict[str, Part] = {}
        self._redis(redis)
        nodes = [free_port(), free_port()]
        for number, port in enumerate(nodes, 1):
            self._part(
                f"web{number}", [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"], port,
                LETTERBOX_BIND=f"{ADDRESS}:{port}",
            )  # fmt: skip
        conf = shipped_nginx(root, self.port, nodes, root / "certificate.pem", root / "key.pem")
        self._part("nginx", ["nginx", "-p", str(root), "-c", str(conf), "-g", "daemon off;"], self.port)
        for number in (1, 2):
            self._part(f"recorder{number}", [sys.executable, "-m", "recorder"], says="waiting for recordings")
            celery = [sys.executable, "-m", "celery", "-A", "recorder.jobs", "worker", "--loglevel=INFO", "--concurrency=1"]
            self._part(f"worker{number}", [*celery, f"--hostname=worker{number}@%h"], says=" ready.")

    def _redis(self, port: int) -> None:
        self._part("redis", ["redis-server", "--port", str(port), "--bind", ADDRESS, "--save", "", "--appendonly", "no"], port)

    def _part(self, name: str, command: list[str], port: int | None = None, says: str = "", **environ: str) -> None:
        folder = self.root / name
        (folder / "tmp").mkdir(parents=True)
        told = self._told | {"LETTERBOX_DATA_DIR": str(folder), "LETTERBOX_WORK_DIR": str(folder / "work")}
        told |= {"LETTERBOX_RECORDER_NAME": name, "TMPDIR": str(folder / "tmp")} | environ
        self.parts[name] = Part(name, command, folder / "log", port, says, told)

    def start(self) -> None:
        """All at once: each waits for what it needs by itself."""
        for part in self.parts.values():
            part.begin()
        for part in self.parts.values():
            part.is_ready()
        eventually(self.is_up, 30)

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", verify=False, timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def has_claimed(self, recording: str) -> list[str]:
        """Recorders that have taken it, by what they print."""
        claimed = re.compile(rf"recording={recording} room=\S+ claimed")
        return [name for name in ("recorder1", "recorder2") if claimed.search(self.parts[name].printed())]

    def close(self) -> None:
        for part in self.parts.values():
            part.kill()


@contextmanager
def running(root: Path, database: Cluster) -> Iterator[Machines]:
    """All of it, for a while."""
    with ExitStack() as stack:
        machines = Machines(root, database, stack.enter_context(s3.running()))
        stack.callback(machines.close)
        machines.start()
        yield machines
