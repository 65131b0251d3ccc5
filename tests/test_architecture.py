"""Imports point one way, and the wall between the two packages stands."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A module may import those of the rows above its own, and, in its own row, none.
ROWS = [
    {"config", "clock", "cors", "errors", "ids", "lean", "queue"},
    {"models", "limits"},
    {"db"},
    {"mailbox", "storage"},
    {"disk", "s3"},
    {"wakeup", "delivery", "metrics"},
    {"several"},
    {"server"},
    {"auth", "turn", "jobs", "rooms", "disposal", "webhooks"},
    {"presence", "recordings", "control"},
    {"consent", "shares", "keeping", "versions", "captions"},
    {"lobby"},
    {"schemas"},
    {"hot"},
    {"calls"},
    {"reference"},
    {"api", "pages"},
    {"worker"},
]
MEDIA = {"av", "aiortc", "celery", "recorder", "kombu"}
DATABASE = {"signaling", "sqlalchemy", "flask", "alembic", "app"}


def imported(path: Path) -> set[str]:
    """Dotted names of what a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if "__pycache__" not in path.parts)


@pytest.mark.parametrize("path", modules("signaling"), ids=lambda path: path.stem)
def test_imports_inside_the_server_point_one_way(path: Path) -> None:
    if path.stem == "__init__":
        return
    row = next((number for number, row in enumerate(ROWS) if path.stem in row), None)
    assert row is not None, f"say in ROWS where {path.name} belongs"
    allowed = set().union(*ROWS[:row])
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("signaling.")}
    assert ours <= allowed, f"{path.name} must not import {sorted(ours - allowed)}"


def test_the_server_never_sees_media() -> None:
    for path in modules("signaling"):
        assert not {name.split(".")[0] for name in imported(path)} & MEDIA, path


def test_the_recorder_never_sees_the_database() -> None:
    for path in modules("recorder"):
        assert not {name.split(".")[0] for name in imported(path)} & DATABASE, path


def test_the_front_door_loads_no_media_library() -> None:
    loaded = "import app, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & MEDIA


def test_no_module_imports_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for package in ("signaling", "recorder"):
        for path in modules(package):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            graph[name] = {found for found in imported(path) if found.startswith(("signaling.", "recorder."))}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join([*way, name])
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_only_the_clock_reads_the_time() -> None:
    """What waits or is stored asks clock.py, so that tests can turn it; a worker's loop and a file's age are the machine's."""
    exempt = {"clock", "worker", "auth", "limits", "wakeup"}
    for path in modules("signaling"):
        if path.stem not in exempt:
            assert "time" not in imported(path), path
