"""What axe finds on a page."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from playwright.async_api import Frame, Page

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
GRAVE = {"serious", "critical"}
# Until nothing moves any more, in the page or in what it holds in the shadow.
STILL = """() => Promise.all(
  [document, ...[...document.querySelectorAll("*")].map((one) => one.shadowRoot).filter(Boolean)]
    .flatMap((root) => root.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < Infinity))
    .map((one) => one.finished.catch(() => null)))"""


async def grave(page: Page) -> list[str]:
    """What axe calls serious or critical on the page as it stands, its frames included: rule, and where."""
    return [one for frame in page.frames for one in await _grave_in(frame)]


async def _grave_in(frame: Frame) -> list[str]:
    await frame.evaluate(STILL)
    await frame.evaluate(AXE)
    found: dict[str, Any] = await frame.evaluate("axe.run({resultTypes: ['violations'], iframes: false})")
    return [
        f"{one['id']} {node['target']} {node.get('failureSummary', '')[:200]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
