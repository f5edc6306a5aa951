"""The frame around every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.ui.browser import PHONE, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.e2e.stack import Stack

PAGES = (
    "Overview",
    "Models",
    "Activity",
    "Routing",
    "Playground",
    "Logs",
    "Performance",
    "Settings",
)


def test_every_page_is_reached_by_keyboard_and_its_heading_gets_the_focus(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.page
    for name in PAGES:
        page.get_by_role("link", name=name, exact=True).press("Enter")
        heading = page.get_by_role("heading", level=1, name=name)
        expect(heading).to_be_focused()
        expect(page).to_have_title(f"{name} - llmstack")
        current = page.locator("nav a[aria-current=page]")
        expect(current).to_have_text(name)


def test_back_shows_the_page_before(visitor: Visitor) -> None:
    visitor.open("models")
    visitor.page.get_by_role("link", name="Logs").click()
    expect(visitor.page.get_by_role("heading", level=1, name="Logs")).to_be_visible()
    visitor.page.go_back()
    expect(visitor.page.get_by_role("heading", level=1, name="Models")).to_be_visible()


def test_an_address_that_is_no_page_says_so(visitor: Visitor) -> None:
    visitor.page.goto("/ui/nowhere")
    expect(visitor.page.get_by_text("There is no such page")).to_be_visible()


def test_a_chosen_theme_is_kept(visitor: Visitor) -> None:
    visitor.open()
    visitor.page.get_by_label("Theme").select_option("dark")
    visitor.page.reload()
    scheme = visitor.page.evaluate("getComputedStyle(document.documentElement).colorScheme")
    assert scheme == "dark"


def test_the_present_page_is_seen_in_the_navigation_of_a_phone(
    browser: Browser, stack: Stack
) -> None:
    with Visitor(browser, stack.gateway, viewport=PHONE) as visitor:
        visitor.open("settings")
        expect(visitor.page.locator("nav a[aria-current=page]")).to_be_in_viewport(ratio=0.9)
