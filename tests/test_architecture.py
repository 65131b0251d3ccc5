"""Imports point one way, and the wall between the two packages stands."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A module may import those of the rows above its own, and, in its own row, none.
ROWS = [
    {"clock", "cors", "errors", "ids", "lean", "library.queue", "chunks.feed", "proxies", "troubles"},
    {"config"},
    {"models", "limits", "bursts", "chunks.wire"},
    {"db", "chunks.ring"},
    {"mailbox", "library.storage", "library.archives", "tally"},
    {"library.disk", "library.s3"},
    {"wakeup", "delivery", "metrics"},
    {"several", "chunks.relay"},
    {"server"},
    {"auth", "turn", "rooms", "audit", "library.jobs", "library.disposal", "library.webhooks"},
    {"presence", "control", "library.recordings"},
    {"consent", "library.shares", "library.keeping", "library.versions", "library.captions"},
    {"lobby"},
    {"schemas", "answers"},
    {"hot", "openapi"},
    {"calls"},
    {"reference", "admin.access", "admin.oidc", "admin.overview"},
    {"api.files", "pages"},
    {"admin.routes"},
    {"api.library"},
    {"api.chunks", "api.mailbox", "api.paths", "api.recorder", "api.recording", "api.rooms", "api.sharing"},
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


def name_of(path: Path) -> str:
    """`library.jobs` for signaling/library/jobs.py."""
    return ".".join(path.relative_to(ROOT / "signaling").with_suffix("").parts)


NAMES = {name_of(path) for path in modules("signaling")}


@pytest.mark.parametrize("name", sorted(name for name in NAMES if not name.endswith("__init__")))
def test_imports_inside_the_server_point_one_way(name: str) -> None:
    row = next((number for number, row in enumerate(ROWS) if name in row), None)
    assert row is not None, f"say in ROWS where {name} belongs"
    allowed = set().union(*ROWS[:row])
    path = ROOT / "signaling" / Path(*name.split(".")).with_suffix(".py")
    ours = {found.removeprefix("signaling.") for found in imported(path) if found.startswith("signaling.")} & NAMES
    assert ours <= allowed, f"{name} must not import {sorted(ours - allowed)}"


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
            # A package's face names its own modules by the package.
            graph[name] = {found for found in imported(path) if found.startswith(("signaling.", "recorder."))} - {name}
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
