"""`python app.py doctor` finds what is wrong, and says how to mend it. With a real coturn under the very file we ship."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.house import ROOT, WholeHouse
from tests.networks import lab, parts
from tests.people import eventually, free_port

RELAY = "203.0.113.11"
URLS = f"turn:{RELAY}:3478,turn:{RELAY}:3478?transport=tcp,turns:{RELAY}:443?transport=tcp,turn:{RELAY}:443?transport=tcp"


class Place:
    """A machine of its own, with the address the shipped file names; coturn runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, f"lbdoc{os.getpid() % 10_000}"
        for command in (
            ["ip", "netns", "add", self.name],
            ["ip", "-n", self.name, "link", "set", "lo", "up"],
            ["ip", "-n", self.name, "addr", "add", f"{RELAY}/32", "dev", "lo"],
        ):
            subprocess.run(command, check=True)
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def within(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def start_coturn(self, config: str, port: int = 3478) -> None:
        file = self.folder / f"turnserver-{port}.conf"
        file.write_text(config)
        self._started.append(
            subprocess.Popen([*self.within, "turnserver", "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        eventually(lambda: f"{RELAY}:{port} " in self.run("ss", "-Hltn").stdout)

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LETTERBOX_")}
        return subprocess.run([*self.within, *command], cwd=ROOT, env=kept | environ, capture_output=True, text=True, timeout=150)

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        subprocess.run(["ip", "netns", "del", self.name], check=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    why_not = lab.missing()
    if why_not:
        pytest.skip(why_not)
    folder = tmp_path_factory.mktemp("doctor")
    parts.make_certificates(folder, RELAY)
    opened = Place(folder)
    try:
        opened.start_coturn(parts.shipped(folder, "s3cret", RELAY))
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def house(place: Place) -> Iterator[WholeHouse]:
    started = WholeHouse(place.folder / "data", within=place.within)
    yield started
    started.stop()


@pytest.fixture
def examine(place: Place, house: WholeHouse):
    """Runs it beside the running house; returns (exit code, what was looked at → finding)."""

    def run(**changes: str) -> tuple[int, dict[str, dict[str, Any]]]:
        told = {
            "LETTERBOX_DATA_DIR": str(house.data), "LETTERBOX_SERVER_URL": house.url, "LETTERBOX_STUN_URLS": f"stun:{RELAY}:3478",
            "LETTERBOX_TURN_URLS": URLS, "LETTERBOX_TURN_SECRET": "s3cret", "SSL_CERT_FILE": str(place.folder / "ca.pem"),
        } | changes  # fmt: skip
        done = place.run(sys.executable, "app.py", "doctor", "--json", **told)
        assert done.stdout, done.stderr
        return done.returncode, {finding["about"]: finding for finding in json.loads(done.stdout)}

    return run


def test_where_all_is_set_up_every_step_is_well(examine):
    code, found = examine()

    assert code == 0
    troubled = {about: finding["says"] for about, finding in found.items() if finding["state"] != "ok"}
    assert troubled.keys() == {"secure page"}, troubled
    assert {*URLS.split(","), f"stun:{RELAY}:3478", "relay to relay", "database", "broker", "worker", "recorder"} <= found.keys()


def test_the_relay_as_shipped_leads_into_no_inner_network(examine):
    _, found = examine()

    assert found["closed to inner networks"]["state"] == "ok"


def test_an_open_relay_is_found(examine, place):
    port = free_port()
    safe = parts.shipped(place.folder, "s3cret", RELAY)
    unsafe = "\n".join(line for line in safe.splitlines() if not line.startswith("denied-peer-ip"))
    changes = {"listening-port=3478": f"listening-port={port}", "tls-listening-port=443": f"tls-listening-port={free_port()}"}
    for old, new in changes.items():
        unsafe = unsafe.replace(old, new)
    place.start_coturn(unsafe.replace("turn.pid", "unsafe.pid").replace("turn.db", "unsafe.db"), port)

    code, found = examine(LETTERBOX_TURN_URLS=f"turn:{RELAY}:{port}")

    assert code == 1
    assert "192.168.0.1" in found["closed to inner networks"]["says"]
    assert "denied-peer-ip" in found["closed to inner networks"]["mend"]


def test_a_wrong_secret_is_told_from_a_relay_that_is_down(examine):
    code, found = examine(LETTERBOX_TURN_SECRET="another")
    _, down = examine(LETTERBOX_TURN_URLS=f"turn:{RELAY}:9,turn:{RELAY}:9?transport=tcp")

    assert code == 1
    for url in URLS.split(","):
        assert found[url]["says"] == "It does not accept our credentials."
        assert "static-auth-secret" in found[url]["mend"]
    assert {down[url]["state"] for url in (f"turn:{RELAY}:9", f"turn:{RELAY}:9?transport=tcp")} == {"failed"}
    assert "firewall" in down[f"turn:{RELAY}:9?transport=tcp"]["mend"]


def test_a_certificate_of_the_relays_that_nobody_trusts_is_found(examine):
    code, found = examine(SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")

    assert code == 1
    assert "certificate" in found[f"turns:{RELAY}:443?transport=tcp"]["says"]
    assert found[f"turn:{RELAY}:3478"]["state"] == "ok"


def test_without_a_relay_it_says_who_will_miss_it(examine):
    code, found = examine(LETTERBOX_TURN_URLS="", LETTERBOX_TURN_SECRET="")

    assert code == 0
    assert "proxies" in found["TURN"]["says"]
    assert found["TURN"]["state"] == "warning"


def test_without_port_443_it_says_who_will_miss_it(examine):
    _, found = examine(LETTERBOX_TURN_URLS=f"turn:{RELAY}:3478")

    assert found["TURN on 443"]["state"] == "warning"


def test_a_database_that_does_not_answer_is_found(examine):
    code, found = examine(LETTERBOX_DATABASE_URL="postgresql://nobody:hidden@127.0.0.1:9/none")

    assert (code, found["database"]["state"]) == (1, "failed")
    assert "hidden" not in found["database"]["says"]


def test_a_broker_that_does_not_answer_is_found(examine):
    code, found = examine(CELERY_BROKER_URL="redis://127.0.0.1:9/0")

    assert (code, found["broker"]["state"]) == (1, "failed")


def test_a_key_the_server_does_not_know_is_found(examine):
    code, found = examine(LETTERBOX_RECORDER_KEY="rk_another")

    assert (code, found["recorder's key"]["state"]) == (1, "failed")


def test_a_server_that_is_away_is_found(examine):
    code, found = examine(LETTERBOX_SERVER_URL="http://127.0.0.1:9")

    assert (code, found["server"]["state"]) == (1, "failed")


def test_what_people_read_names_each_step_and_what_to_do(place, house):
    done = place.run(sys.executable, "app.py", "doctor", LETTERBOX_DATA_DIR=str(house.data), LETTERBOX_SERVER_URL=house.url)

    assert "✓ database:" in done.stdout
    assert "→ Set up coturn with deploy/coturn/turnserver.conf" in done.stdout
    assert done.stdout.rstrip().endswith("remarks above.")
