"""A recorder and a worker say how they are, on a port of their own; dashboard and alarms ask for figures that there are."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import brokers
import httpx
import people
import pytest
from people import ROOT, eventually
from workshop import Workshop

DEPLOY = ROOT / "deploy"
# What a query may hold besides names of figures; `up` is Prometheus' own, `e` a number's exponent.
EXPRESSION_WORDS = {
    "up", "e",
    "sum", "rate", "max", "min", "by", "le", "histogram_quantile", "increase", "avg", "on", "job", "instance", "kind", "state",
    "step", "outcome", "problem", "or", "vector", "clamp_min",
}  # fmt: skip


def ask(port: int, path: str) -> httpx.Response | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5, trust_env=False)
    except httpx.TransportError:
        return None


def status(port: int, path: str) -> int:
    answer = ask(port, path)
    return answer.status_code if answer is not None else 0


class Recorder:
    """A process of its own that is looked after."""

    def __init__(self, server: people.Gunicorn, folder: Path) -> None:
        self.port = people.free_port()
        environ = {
            "LETTERBOX_SERVER_URL": server.url, "LETTERBOX_RECORDER_KEY": people.RECORDER_KEY, "LETTERBOX_RECORDER_CAPACITY": "7",
            "LETTERBOX_WORK_DIR": str(folder / "recorder"), "LETTERBOX_METRICS_BIND": f"127.0.0.1:{self.port}",
        }  # fmt: skip
        with (folder / "recorder.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "recorder"], cwd=ROOT, env=people.os.environ | environ, stdout=log, stderr=log
            )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def parts(request, tmp_path_factory) -> Iterator[tuple[people.Gunicorn, Recorder, Workshop, int]]:
    """A server, a recorder, and a worker on Redis that has prepared a recording; and the worker's port."""
    from tests.conftest import Databases

    folder, port = tmp_path_factory.mktemp("health"), people.free_port()
    server = people.Gunicorn(Databases("sqlite", request, folder).settings(wait_s=2)).start()
    with brokers.redis() as broker:
        workshop = Workshop(server, folder, broker)
        workshop.environ["LETTERBOX_METRICS_BIND"] = f"127.0.0.1:{port}"
        recorder = Recorder(server, folder)
        try:
            workshop.work()
            workshop.enqueue(*workshop.record(seconds=2))
            workshop.comes_to("ready")
            yield server, recorder, workshop, port
        finally:
            recorder.close()
            workshop.close()
            server.close()


def figures(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:{[^}]*})?) ([0-9.e+-]+)$", text, re.MULTILINE)}


def test_a_recorder_says_how_much_it_carries(parts) -> None:
    _, recorder, _, _ = parts
    eventually(lambda: status(recorder.port, "/readyz") == 200, 30)

    found = figures(ask(recorder.port, "/metrics").text)

    assert status(recorder.port, "/healthz") == 200
    assert (found["letterbox_recorder_running"], found["letterbox_recorder_most"]) == (0, 7)
    assert found["letterbox_recorder_places"] > 10
    assert found["letterbox_recorder_disk_free_bytes"] > 0


def test_a_worker_counts_its_steps_over_all_its_processes(parts) -> None:
    _, _, _, port = parts

    found = figures(ask(port, "/metrics").text)

    assert found['letterbox_steps_total{outcome="done",step="compose"}'] == 1
    assert found['letterbox_step_seconds_count{step="verify"}'] == 1
    assert (status(port, "/healthz"), status(port, "/readyz")) == (200, 200)


def queries() -> Iterator[tuple[str, str]]:
    """(where it stands, query) of everything we ship for Prometheus and Grafana."""
    board = json.loads((DEPLOY / "grafana" / "letterbox.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    yield from re.findall(r"alert: (\w+)\n\s+expr: (.+)", (DEPLOY / "prometheus" / "letterbox.rules.yml").read_text())


def test_every_query_of_the_dashboard_and_of_the_alarms_asks_for_a_figure_that_there_is(parts) -> None:
    server, recorder, _, port = parts
    server.get("rooms/none")  # refusals are there when something was refused
    texts = [server.ask("GET", "/metrics").content.decode(), *(ask(one, "/metrics").text for one in (recorder.port, port))]
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", "\n".join(texts), re.MULTILINE))
    there = set(types) | {f"{name}_{end}" for name, kind in types.items() if kind == "histogram" for end in ("bucket", "count")}
    asked = {
        (where, name)
        for where, query in queries()
        for name in re.findall(r"[a-z_]+", re.sub(r'"[^"]*"|\[[^]]*\]', "", query))
        if name not in EXPRESSION_WORDS
    }

    assert len(asked) > 15
    assert not {(where, name) for where, name in asked if name not in there}


def test_a_recorder_that_the_server_no_longer_answers_is_not_ready(parts) -> None:
    server, recorder, _, _ = parts
    eventually(lambda: status(recorder.port, "/readyz") == 200, 30)

    server.stop()

    eventually(lambda: status(recorder.port, "/readyz") == 503, 60)
    assert "server" in ask(recorder.port, "/readyz").text
    assert status(recorder.port, "/healthz") == 200
    server.start()
    eventually(lambda: status(recorder.port, "/readyz") == 200, 60)
