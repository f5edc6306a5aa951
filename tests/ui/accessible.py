"""Whether everybody can use what a page shows: axe-core's rules, and a walk by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Levels A and AA of WCAG 2.0 to 2.2, and what a dark page can differ in.
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
CONTRAST = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}

#: Tab stops after which a walk is taken for a trap.
MOST = 250

_RUN = """async (only) => {
  const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
    `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}"""

_FOCUSED = """() => {
  const now = document.activeElement;
  if (!now || now === document.body) return null;
  const box = now.getBoundingClientRect();
  const outlined = (element) => {
    const style = getComputedStyle(element);
    const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return outline || style.boxShadow !== "none";
  };
  const around = [now, now.parentElement, now.parentElement?.parentElement].filter(Boolean);
  return {
    name: `${now.tagName} ${(now.textContent || now.id || "").trim().slice(0, 60)}`,
    ring: around.some(outlined),
    size: box.width * box.height,
    inside: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
  };
}"""


def violations(page: Page, only: dict[str, Any] = RULES) -> list[str]:
    """What axe-core finds wrong with the page as it is, in a context that bypasses its policy."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(_RUN, only)
    return found


def walk(page: Page) -> list[str]:
    """The names of all tab stops of the page, from its first to its last.

    Every one must be seen, and be seen to be focused; the walk must end.
    """
    page.evaluate(
        "document.activeElement?.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)"
    )
    names: list[str] = []
    while True:
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUSED)
        if stop is None:
            page.evaluate("scrollTo(0, 0)")
            return names
        name = stop["name"]
        assert stop["ring"], f"{name} does not show that it is focused"
        assert stop["size"] > 0, f"{name} is focused but has no size"
        assert stop["inside"], f"{name} is focused outside of the window"
        names.append(name)
        assert len(names) < MOST, f"the walk does not end: {names[-10:]}"
