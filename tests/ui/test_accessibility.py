"""Everybody can use every page: in light and dark, on a desktop and on a phone, by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.ui.accessible import CONTRAST, violations, walk
from tests.ui.browser import DESKTOP, PHONE, Visitor
from tests.ui.conftest import SCREENSHOTS
from tests.ui.test_shell import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def reader(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """Somebody whose browser runs a checker in the page, on a stack that has answered something."""
    for model in ("plan", "code-smart", "code-fast", "nobody"):
        stack.chat(model, "hello", max_tokens=8)
    with Visitor(browser, stack.gateway, bypass_csp=True, device_scale_factor=1.5) as visitor:
        yield visitor


@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_the_page(reader: Visitor, name: str) -> None:
    """No breach of WCAG 2 A or AA, no tab stop unseen, nothing beside a phone's screen."""
    page = reader.page
    path = "" if name == "Overview" else name.lower()
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    reader.open(path)
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(page.locator("main > :not(h1):visible").first).to_be_visible()
    stops = walk(page)
    assert stops[0] == "A Skip to the page"
    assert violations(page) == []
    reader.picture(SCREENSHOTS / f"{path or 'overview'}-light.png")
    page.emulate_media(color_scheme="dark")
    assert violations(page, CONTRAST) == []
    reader.picture(SCREENSHOTS / f"{path or 'overview'}-dark.png")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert violations(page, CONTRAST) == []
    page.emulate_media(color_scheme="light")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    reader.picture(SCREENSHOTS / f"{path or 'overview'}-phone.png")


def test_the_skip_link_leads_past_the_navigation(visitor: Visitor) -> None:
    visitor.open("models")
    page = visitor.page
    expect(page.locator("main").get_by_role("button").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
