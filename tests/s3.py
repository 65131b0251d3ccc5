"""A real S3 server for the tests: OpenStack Swift with its S3 front (Debian: python3-swift), nothing of it but this folder.

Four processes, one copy of each object, checked signatures. `SwiftServer.stop` and `start` take it away and bring it back.
"""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from people import eventually, free_port

PYTHON = Path("/usr/bin/python3")
KEY, SECRET, BUCKET = "test:tester", "testing", "letterbox"
PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {root}
log_address = {root}/no-syslog
[pipeline:main]
pipeline = healthcheck cache listing_formats s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""
BACK = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {root}
devices = {root}/devices
mount_check = false
fallocate_reserve = 0
log_address = {root}/no-syslog
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
RINGS = "import sys; from swift.cli.ringbuilder import main; main(['ring', *sys.argv[1:]])"
SERVE = "import sys; from swift.common.wsgi import run_wsgi; sys.exit(run_wsgi(sys.argv[1], sys.argv[2]))"


def why_not() -> str | None:
    """What is missing on this machine; None: nothing."""
    found = PYTHON.exists() and subprocess.run([PYTHON, "-c", "import swift.common.middleware.s3api"], capture_output=True)
    return None if found and found.returncode == 0 else "no S3 server is here: apt-get install python3-swift"


class SwiftServer:
    """An S3 server in a folder of its own. url: for LETTERBOX_STORAGE_URL."""

    def __init__(self, root: Path) -> None:
        self.root, self._processes = root, []
        self._ports = {kind: free_port() for kind in ("proxy", "account", "container", "object")}
        self.endpoint = f"http://127.0.0.1:{self._ports['proxy']}"
        self._lay_out()

    def url(self, prefix: str) -> str:
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}&region=us-east-1"

    def _lay_out(self) -> None:
        (self.root / "devices" / "d1").mkdir(parents=True)
        (self.root / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = letterbox\n")
        user = os.environ.get("USER") or "root"
        for kind, port in self._ports.items():
            text = PROXY if kind == "proxy" else BACK
            (self.root / f"{kind}.conf").write_text(text.format(root=self.root, port=port, kind=kind, user=user))
            if kind != "proxy":
                builder = self.root / f"{kind}.builder"
                self._ring(builder, "create", "4", "1", "0")
                self._ring(builder, "add", f"r1z1-127.0.0.1:{port}/d1", "1")
                self._ring(builder, "rebalance")

    def _ring(self, builder: Path, *arguments: str) -> None:
        done = subprocess.run([PYTHON, "-c", RINGS, builder, *arguments], capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: a warning, as that one device holds all

    def start(self) -> "SwiftServer":
        """Nothing, where it runs already."""
        if self._processes:
            return self
        # It reads /etc/swift/swift.conf, unless told otherwise in this process's own words.
        serve = f"import swift.common.utils as u; u.SWIFT_CONF_FILE = {str(self.root / 'swift.conf')!r}; {SERVE}"
        with (self.root / "log").open("ab") as log:
            for kind in self._ports:
                command = [PYTHON, "-c", serve, str(self.root / f"{kind}.conf"), f"{kind}-server"]
                self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        for port in self._ports.values():
            eventually(lambda port=port: self._listens(port), 30)
        assert httpx.get(f"{self.endpoint}/healthcheck").text == "OK"
        return self

    def _listens(self, port: int) -> bool:
        assert all(process.poll() is None for process in self._processes), (self.root / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self) -> None:
        """Away, at once."""
        while self._processes:
            process = self._processes.pop()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def running() -> Iterator[SwiftServer]:
    """One, with its bucket, for a while. Skips where it is not installed."""
    missing = why_not()
    if missing:
        pytest.skip(missing)
    with tempfile.TemporaryDirectory(prefix="letterbox-s3-") as folder:
        server = SwiftServer(Path(folder))
        try:
            server.start()
            client(server).create_bucket(Bucket=BUCKET)
            yield server
        finally:
            server.stop()


def client(server: SwiftServer):
    """To look behind Letterbox's back."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


def names(server: SwiftServer, prefix: str) -> set[str]:
    """Everything that lies under a prefix."""
    found = client(server).list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/")
    return {one["Key"] for one in found.get("Contents", [])}
