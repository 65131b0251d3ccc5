"""What axe-core says of a page as it is now: WCAG 2.2 A and AA, and its own good practice."""

import pytest
from playwright.sync_api import Page

from tests.journeys.house import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AT_REST = """() => Promise.all(document.getAnimations()
    .filter(one => one.effect.getTiming().iterations !== Infinity).map(one => one.finished.catch(() => undefined)))"""


def complaints(page: Page) -> list[str]:
    """Rule and element of each violation, once what moves has come to rest."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm install")
    page.evaluate(AT_REST)
    if not page.evaluate("() => Boolean(globalThis.axe)"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("tags => axe.run({ runOnly: tags })", TAGS)
    return [
        f"{one['id']}: {node['html'][:200]} ({node['failureSummary'][:200]})"
        for one in found["violations"]
        for node in one["nodes"]
    ]
