"""Keys are made, shown once, and revoked in the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.e2e.stack import Stack
    from tests.ui.browser import Visitor


@pytest.fixture
def keys(visitor: Visitor, stack: Stack) -> Iterator[Locator]:
    """The part of the settings that is about keys; none is left behind."""
    visitor.open("settings")
    yield visitor.page.locator("section").filter(
        has=visitor.page.get_by_role("heading", name="Keys", exact=True)
    )
    for row in stack.request("GET", "/api/keys").json()["keys"]:
        stack.request("DELETE", f"/api/keys/{row['name']}")


def test_a_key_is_made_shown_once_and_revoked_by_keyboard(
    keys: Locator, stack: Stack, visitor: Visitor
) -> None:
    page = visitor.page
    keys.get_by_label("Name", exact=True).fill("laptop")
    keys.get_by_label("Models", exact=True).fill("auto, code-fast")
    keys.get_by_label("Expires").select_option("90d")
    keys.get_by_label("Requests a minute").fill("60")
    keys.get_by_label("Requests a minute").press("Enter")
    shown = page.get_by_role("dialog").get_by_label("The key")
    expect(shown).to_contain_text("sk-")
    secret = shown.inner_text()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(keys.get_by_label("Name", exact=True)).to_be_focused()
    row = keys.get_by_role("row").filter(has_text="laptop")
    expect(row).to_contain_text("auto, code-fast")
    expect(row).to_contain_text("60 a minute")
    page.reload()
    expect(row).to_be_visible()
    assert secret not in page.content(), "it was shown once"
    told = stack.request("GET", "/api/keys").json()["keys"][0]
    assert (told["name"], told["models"], told["rate"]) == ("laptop", ["auto", "code-fast"], 60)
    row.get_by_role("button", name="Revoke laptop").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").press("Enter")
    expect(row).to_be_visible()
    row.get_by_role("button", name="Revoke laptop").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").press("Enter")
    expect(row).to_have_count(0)
    assert stack.request("GET", "/api/keys").json()["keys"] == []


def test_what_is_wrong_with_a_key_is_said_at_its_field(keys: Locator, visitor: Visitor) -> None:
    keys.get_by_role("button", name="Make the key").click()
    name, models = keys.get_by_label("Name", exact=True), keys.get_by_label("Models", exact=True)
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("laptop")
    models.fill("code-fats")
    models.press("Enter")
    expect(models).to_have_attribute("aria-invalid", "true")
    expect(models).to_be_focused()
    expect(keys.get_by_role("alert").filter(visible=True)).to_contain_text("code-fats")
    assert visitor.problems
    visitor.problems.clear()  # the browser tells of status 400
