"""Real brokers, each started for one test session on a free port; a test that needs one that is not installed is skipped."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import people
import pytest
from kombu import Connection
from people import eventually

RABBITMQ = Path(os.environ.get("LETTERBOX_TEST_RABBITMQ", "/usr/lib/rabbitmq/bin/rabbitmq-server"))


@contextmanager
def files() -> Iterator[str]:
    """The embedded default."""
    yield ""


@contextmanager
def redis() -> Iterator[str]:
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed (Debian: apt-get install redis-server)")
    port = people.free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with _running(command, dict(os.environ), f"redis://127.0.0.1:{port}/0") as url:
        yield url


@contextmanager
def rabbitmq() -> Iterator[str]:
    if not RABBITMQ.exists():
        pytest.skip("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")
    port, epmd = people.free_port(), people.free_port()
    with tempfile.TemporaryDirectory(prefix="letterbox-mq-") as folder:
        environ = os.environ | {
            "HOME": folder, "RABBITMQ_NODENAME": f"letterbox{port}@localhost", "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_DIST_PORT": str(people.free_port()), "ERL_EPMD_PORT": str(epmd),
            "RABBITMQ_MNESIA_BASE": f"{folder}/db", "RABBITMQ_LOG_BASE": f"{folder}/log", "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",
        }  # fmt: skip
        try:
            with _running([str(RABBITMQ)], environ, f"amqp://guest:guest@127.0.0.1:{port}//") as url:
                yield url
        finally:
            # It serves all nodes of a machine, and refuses to end before the last of them.
            subprocess.run(["epmd", "-port", str(epmd), "-relaxed_command_check", "-kill"], capture_output=True, check=False)


@contextmanager
def _running(command: list[str], environ: dict[str, str], url: str) -> Iterator[str]:
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        eventually(lambda: _answers(url), 60)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(url: str) -> bool:
    try:
        with Connection(url, connect_timeout=1) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.1)
            return True
    except Exception:
        return False


BROKERS: dict[str, Callable[[], AbstractContextManager[str]]] = {"files": files, "redis": redis, "rabbitmq": rabbitmq}
