"""docs/threats.md is true: each line names a test, and each test that it names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS = [line.split("|")[1:-1] for line in (ROOT / "docs" / "threats.md").read_text().splitlines() if line.startswith("| ")][1:]


def names_in(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_each_line_says_what_cannot_be_done_and_names_its_proof() -> None:
    assert len(ROWS) > 20
    for who, may, cannot, proof in ROWS:
        assert cannot.strip(), (who, may)
        assert re.findall(r"`tests/[\w/]+\.py::test_\w+`", proof), cannot


def test_each_proof_exists() -> None:
    for *_, proof in ROWS:
        for path, name in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", proof):
            assert (ROOT / path).is_file(), path
            assert name in names_in(ROOT / path), f"{path} has no {name}"
