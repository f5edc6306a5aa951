"""Settings of ``llmstack swap``: profiles, hostile names, and what only a stack has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.cli.swaps import config, swapping
from tests.engine.fake_model_server import command
from tests.ui.browser import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.cli.swaps import Swap

HOSTILE = '<img src=x onerror="alert(1)">'
PROFILES = f"""
profiles:
  frugal:
    description: {json.dumps(HOSTILE)}
    pins:
      plain: other
      other: null
"""


@pytest.fixture
def swap(tmp_path: Path) -> Iterator[Swap]:
    """A configuration with two models, one of a hostile name, and a profile."""
    names = ("plain", "other", json.dumps(HOSTILE))
    with swapping(tmp_path, config(*names, more=PROFILES)) as swap:
        yield swap


@pytest.fixture
def visitor(browser: Browser, swap: Swap) -> Iterator[Visitor]:
    """Somebody who looks at its settings."""
    with Visitor(browser, f"http://127.0.0.1:{swap.port}") as visitor:
        visitor.open("settings")
        yield visitor


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """What is seen."""
    return visitor.page


def test_a_profile_is_switched_on_and_off(page: Page, swap: Swap) -> None:
    part = page.get_by_role("region", name="Profiles")
    expect(part).to_contain_text("plain → other")
    expect(part).to_contain_text("other is switched off")
    expect(part).to_contain_text(HOSTILE)
    part.get_by_label("frugal").check()
    part.get_by_role("button", name="Switch").press("Enter")
    expect(part).to_contain_text("Active: frugal")
    assert swap.ask("/api/profiles")[1]["active"] == "frugal"
    part.get_by_label("None").check()
    part.get_by_role("button", name="Switch").press("Enter")
    expect(part).to_contain_text("Active: none")


def test_a_hostile_name_is_text_and_its_model_can_be_set(page: Page, swap: Swap) -> None:
    page.locator("summary").filter(has=page.get_by_text(HOSTILE, exact=True)).click()
    policy = page.get_by_role("group", name="Context policy")
    policy.get_by_label("Policy", exact=True).select_option("2")
    policy.get_by_role("button", name="Save").click()
    expect(policy.get_by_text("overridden")).to_be_visible()
    line = page.get_by_role("region", name="Overrides").get_by_role("listitem")
    expect(line).to_contain_text(HOSTILE)
    assert swap.ask("/api/overrides")[1]["models"] == {HOSTILE: {"policy": "always"}}
    line.get_by_role("button").click()
    expect(line).to_have_count(0)
    assert page.locator("main img").count() == 0


def test_what_only_a_stack_has_is_explained(page: Page) -> None:
    expect(page.get_by_text("There is no “auto” here")).to_be_visible()
    expect(page.get_by_text("The keys here are those of the configuration file.")).to_be_visible()
    expect(page.get_by_text("kept in memory only")).to_have_count(0)


def test_the_configuration_is_read_again_when_that_is_asked(
    page: Page, visitor: Visitor, tmp_path: Path
) -> None:
    text = (tmp_path / "config.yaml").read_text()
    wrong = text.replace("plain: other", "plain: others")
    (tmp_path / "config.yaml").write_text(wrong)
    part = page.get_by_role("region", name="Configuration")
    part.get_by_role("button", name="Read it again").click()
    alert = part.get_by_role("alert").filter(visible=True)
    expect(alert).to_contain_text("config.yaml:7: profiles.frugal.pins.plain references")
    visitor.problems.clear()  # the browser tells of status 400
    (tmp_path / "config.yaml").write_text(f"{text}  third:\n    cmd: {json.dumps(command())}\n")
    part.get_by_role("button", name="Read it again").click()
    expect(page.get_by_text("configuration reloaded")).to_be_visible()
    expect(alert).to_have_count(0)
    expect(page.locator("summary").filter(has_text="third")).to_be_visible()
