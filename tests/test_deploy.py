"""What we ship to set Letterbox up with is accepted by the programs that will read it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from people import ROOT, free_port

from signaling.config import Settings
from tests.machines import shipped_nginx
from tests.networks.parts import make_certificates

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def need(tool: str, package: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed: apt-get install {package}")


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    need("nginx", "nginx")
    make_certificates(tmp_path)
    conf = shipped_nginx(tmp_path, free_port(), [8001, 8002], tmp_path / "certificate.pem", tmp_path / "key.pem")

    done = subprocess.run(["nginx", "-t", "-p", tmp_path, "-c", conf], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    need("systemd-analyze", "systemd")
    for unit in UNITS:
        # What they start lies elsewhere on this machine.
        text = unit.read_text().replace("/opt/letterbox/.venv/bin/python", sys.executable)
        (tmp_path / unit.name.replace("@", "@1")).write_text(text)

    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())], capture_output=True, text=True)

    ours = [line for line in done.stderr.splitlines() if "letterbox" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_the_compose_file_keeps_to_the_schema() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    command = [sys.executable, "-m", "check_jsonschema", *schema, DEPLOY / "compose" / "compose.yaml"]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_every_setting_in_what_we_ship_is_one_that_the_papers_explain() -> None:
    papers = (ROOT / "docs/settings.md").read_text()
    for file in (DEPLOY / "letterbox.env", DEPLOY / "compose" / "compose.yaml", *UNITS):
        for name in re.findall(r"\bLETTERBOX_[A-Z_]+", file.read_text()):
            assert f"`{name}`" in papers, f"{file.name}: {name}"


def test_the_settings_file_starts_a_node_once_its_secrets_are_filled_in(tmp_path: Path) -> None:
    lines = re.findall(r"^(\w+)=(.*)$", (DEPLOY / "letterbox.env").read_text(), re.MULTILINE)
    environ = {name: value or "filled in" for name, value in lines} | {"LETTERBOX_DATA_DIR": str(tmp_path)}

    settings = Settings.from_environ(environ)

    assert settings.sqlalchemy_url.startswith("postgresql+psycopg://")
    assert (settings.trusted_proxies, settings.storage_url[:5]) == (1, "s3://")
    assert not list(tmp_path.iterdir()), "nothing is made up that other machines would not share"
