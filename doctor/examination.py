"""All steps, in order, and how they are shown."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from doctor import machine, relay, website
from doctor.finding import Finding, State
from recorder.config import BadSetting as BadRecorderSetting
from recorder.config import Settings as RecorderSettings
from signaling.config import Settings

SIGNS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "32"), "warning": ("!", "33"), "failed": ("✗", "31"), "skipped": ("–", "90"),
}  # fmt: skip


def run(settings: Settings, environ: Mapping[str, str], arguments: list[str]) -> int:
    """Examine, show, and say by the exit code whether something failed."""
    as_json = "--json" in arguments
    findings = asyncio.run(examine(settings, environ, say=(lambda _: None) if as_json else show))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        print(verdict(findings))
    return 1 if any(finding.state == "failed" for finding in findings) else 0


async def examine(settings: Settings, environ: Mapping[str, str], say: Callable[[Finding], None]) -> list[Finding]:
    """Every step; each is said as soon as it, and all before it, are known."""
    try:
        recorder = RecorderSettings.from_environ(environ)
    except BadRecorderSetting:
        recorder = None
    server_url = recorder.server_url if recorder else "http://127.0.0.1:8000"
    ca_file = recorder.ca_file if recorder else None
    steps = [
        asyncio.to_thread(_timed, lambda: [machine.folder(settings)]),
        asyncio.to_thread(_timed, lambda: machine.database(settings)),
        asyncio.to_thread(_timed, lambda: [machine.storage(settings)]),
        asyncio.to_thread(_timed, lambda: [machine.media_over_http(settings)]),
        asyncio.to_thread(_timed, lambda: machine.broker(recorder)),
        website.website(settings.public_url, server_url, settings.recorder_key, ca_file),
        relay.relays(settings),
    ]
    found: list[Finding] = []
    for step in [asyncio.create_task(step) for step in steps]:
        for finding in await step:
            say(finding)
            found.append(finding)
    return found


def _timed(step: Callable[[], list[Finding]]) -> list[Finding]:
    began = time.monotonic()
    found = step()
    took_ms = int((time.monotonic() - began) * 1000)
    return [replace(found[0], ms=took_ms), *found[1:]] if found else []


def show(finding: Finding) -> None:
    sign, colour = SIGNS[finding.state]
    if sys.stdout.isatty():
        sign = f"\033[{colour}m{sign}\033[0m"
    took = f" ({finding.ms} ms)" if finding.ms else ""
    print(f" {sign} {finding.about}: {finding.says}{took}")
    if finding.mend:
        print(f"     → {finding.mend}")


def verdict(findings: list[Finding]) -> str:
    counted = {state: sum(finding.state == state for finding in findings) for state in SIGNS}
    if counted["failed"]:
        return f"\n{counted['failed']} of {len(findings)} steps failed. Mend the first one, then look again."
    if counted["warning"]:
        return f"\nIt works, with {counted['warning']} remarks above."
    return "\nAll is well."
