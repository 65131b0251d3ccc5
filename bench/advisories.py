"""`make audit`: known holes in the packages we pin, by pip-audit and npm audit.

Ends with 1 when one is found. Where the advisories cannot be reached (a closed network) it says that nothing was checked, and
ends with 0: it is not to be taken for a good result, and it is no reason to build nothing.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 120
UNREACHED = "NOT CHECKED, the advisories cannot be reached from here"


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def python() -> tuple[int, int, list[str]]:
    """(packages looked up, packages asked about, what was found)."""
    options = ["-r", "requirements.txt", "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    packages = _read(_run([sys.executable, "-m", "pip_audit", *options])).get("dependencies", [])
    known = [one for one in packages if "skip_reason" not in one]
    holes = [f"{one['name']} {one['version']}: {hole['id']}" for one in known for hole in one.get("vulns", [])]
    return len(known), len(packages), holes


def javascript() -> tuple[bool, list[str]]:
    """(whether the advisories were reached, what was found). Tools only: nothing of it is served."""
    said = _read(_run(["npm", "audit", "--json"]))
    if "vulnerabilities" not in said:
        return False, []
    return True, [f"{name}: {one['severity']}" for name, one in said["vulnerabilities"].items()]


def _read(text: str) -> dict:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def main() -> int:
    known, asked, holes = python()
    reached, more = javascript()
    print(f"pip-audit: {known} of {asked} packages looked up, {len(holes)} known holes")
    if known == 0:
        print(f"pip-audit: {UNREACHED}")
    print(f"npm audit: {len(more)} known holes" if reached else f"npm audit: {UNREACHED}")
    for hole in holes + more:
        print(f"  {hole}")
    return 1 if holes or more else 0


if __name__ == "__main__":
    sys.exit(main())
