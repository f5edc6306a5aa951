"""Settings: everything can be set, is kept apart from what is configured, and can be reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.ui.accessible import violations
from tests.ui.browser import PHONE, Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from tests.e2e.stack import Stack

CEILING = "Ceiling of the agent tier"
TURNS = "Turns that call for the agent tier"


@pytest.fixture
def page(visitor: Visitor, stack: Stack) -> Iterator[Page]:
    """The settings, on a stack on which nothing is overridden before and after."""
    _reset(stack)
    visitor.open("settings")
    yield visitor.page
    _reset(stack)


def _reset(stack: Stack) -> None:
    assert stack.request("DELETE", "/api/overrides").status == 200
    assert stack.request("DELETE", "/api/settings").status == 200


def section(page: Page, name: str) -> Locator:
    """A part of the page by its heading."""
    return page.get_by_role("region", name=name, exact=True)


def setting(page: Page, name: str) -> Locator:
    """One setting by its title."""
    return page.locator("form").filter(has=page.get_by_role("heading", name=name, exact=True))


def model(page: Page, name: str) -> Locator:
    """What opens a model's settings."""
    return page.locator("summary").filter(has=page.get_by_text(name, exact=True))


def test_a_number_of_routing_is_set_told_as_overridden_and_reset_by_keyboard(
    page: Page, stack: Stack
) -> None:
    number = page.get_by_label(CEILING, exact=True)
    before = number.input_value()
    number.fill("64000")
    number.press("Enter")
    ceiling = setting(page, CEILING)
    expect(ceiling.get_by_text("overridden")).to_be_visible()
    expect(number).to_be_focused()
    rows = stack.request("GET", "/api/settings").json()["settings"]
    row = next(row for row in rows if row["label"] == CEILING)
    assert (row["override"], row["effective"]) == (64_000, 64_000)
    line = section(page, "Overrides").get_by_role("listitem").filter(has_text=CEILING)
    expect(line).to_contain_text("64,000 tokens instead of")
    ceiling.get_by_role("button", name="Reset").press("Enter")
    expect(number).to_have_value(before)
    expect(ceiling.get_by_text("overridden")).to_have_count(0)
    expect(section(page, "Overrides")).to_contain_text("Nothing is overridden")


def test_what_the_daemon_refuses_is_said_beside_its_cause(page: Page, visitor: Visitor) -> None:
    number = page.get_by_label(TURNS, exact=True)
    number.fill("0")
    number.press("Enter")
    alert = setting(page, TURNS).get_by_role("alert")
    expect(alert).to_be_visible()
    expect(number).to_have_attribute("aria-invalid", "true")
    number.fill("7")
    expect(alert).to_be_hidden()
    # The browser lets this pass: only the daemon knows that the two ceilings contradict.
    ceiling = page.get_by_label("Ceiling of the ultra tier")
    ceiling.fill("99999999")
    ceiling.press("Enter")
    alert = setting(page, "Ceiling of the ultra tier").get_by_role("alert")
    expect(alert).to_contain_text("ceiling")
    visitor.problems.clear()  # the browser tells of every status 400


def test_a_models_policy_holds_at_once_and_survives_a_reload(page: Page, stack: Stack) -> None:
    model(page, "code-smart").press("Enter")
    policy = setting(page, "Context policy")
    policy.get_by_label("Policy", exact=True).select_option("0")
    policy.get_by_role("button", name="Save").press("Enter")
    expect(policy.get_by_text("overridden")).to_be_visible()
    told = stack.request("GET", "/api/model/code-smart/prompt-optimization").json()
    assert told["effective"]["policy"] == "off"
    page.reload()
    line = section(page, "Overrides").get_by_role("listitem").filter(has_text="code-smart")
    expect(line).to_contain_text("policy off")
    line.get_by_role("button", name="Reset code-smart").press("Enter")
    expect(line).to_have_count(0)
    told = stack.request("GET", "/api/model/code-smart/prompt-optimization").json()
    assert told["override"] is None


def test_a_context_size_waits_for_the_next_start_or_restarts_an_idle_model(
    page: Page, stack: Stack
) -> None:
    assert stack.chat("code-smart", "hello", max_tokens=4).status == 200
    model(page, "code-smart").click()
    size = setting(page, "Context size")
    tokens = size.get_by_label("Context size")
    expect(tokens).to_have_value("4096")
    tokens.fill("2048")
    size.get_by_role("button", name="Save").click()
    expect(size).to_contain_text("until it is restarted")
    expect(size).to_contain_text("Configured: 4,096 tokens")
    tokens.fill("1024")
    size.get_by_label("restart it when it is idle").check()
    size.get_by_role("button", name="Save").click()
    expect(size).not_to_contain_text("until it is restarted")
    expect(size).to_contain_text("Served now: 1,024")


def test_all_overrides_are_reset_at_once_after_a_question(page: Page, stack: Stack) -> None:
    body = {"policy": "always", "truncationMode": "strict_error"}
    stack.request("POST", "/api/model/code-fast/prompt-optimization", body)
    stack.request("POST", "/api/model/code-fast/fit", {"fit": True, "mode": "min"})
    stack.request("PUT", "/api/settings/routing.sticky", {"value": False})
    page.reload()
    part = section(page, "Overrides")
    expect(part.get_by_role("listitem")).to_have_count(3)
    part.get_by_role("button", name="Reset all").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").press("Enter")
    expect(part.get_by_role("listitem")).to_have_count(3)
    part.get_by_role("button", name="Reset all").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Reset all").press("Enter")
    expect(part.get_by_text("Nothing is overridden")).to_be_focused()
    assert stack.request("GET", "/api/overrides").json()["models"] == {}
    expect(setting(page, "Mind what a switch costs").get_by_role("combobox")).to_have_value("0")


def test_what_somebody_else_sets_shows_without_touching_what_is_typed(
    page: Page, stack: Stack
) -> None:
    typed = page.get_by_label("Most that a switch may cost")
    typed.fill("12")
    stack.request("PUT", "/api/settings/routing.multi_turn", {"value": 9})
    expect(page.get_by_label(TURNS, exact=True)).to_have_value("9")
    expect(typed).to_have_value("12")


def test_the_configurations_file_is_named_and_what_cannot_be_reloaded_says_so(
    page: Page, stack: Stack
) -> None:
    part = section(page, "Configuration")
    expect(part).to_contain_text(str(stack.work.models_ini))
    expect(part.get_by_text("llmstack restart")).to_be_visible()
    expect(part.get_by_role("button", name="Read it again")).to_be_hidden()


def test_the_models_are_restarted_after_a_question(page: Page, stack: Stack) -> None:
    assert stack.chat("code-smart", "hello", max_tokens=4).status == 200
    pid = stack.model("code-smart")["pid"]
    section(page, "Configuration").get_by_role("button", name="Restart the models").click()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    expect(page.get_by_text("models stop after their running answers")).to_be_visible()
    assert stack.chat("code-smart", "hello", max_tokens=4).status == 200
    assert stack.model("code-smart")["pid"] != pid


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_opened_model_is_for_everybody_on_a_phone_too(
    browser: Browser, stack: Stack, scheme: str
) -> None:
    """No breach of WCAG 2 A or AA, every control has a name, nothing beside the screen."""
    more = {"viewport": PHONE, "color_scheme": scheme, "bypass_csp": True}
    stack.request("POST", "/api/model/code-smart/ctxsize", {"ctxSize": 2048})
    with Visitor(browser, stack.gateway, **more) as visitor:
        visitor.open("settings")
        page = visitor.page
        model(page, "code-smart").click()
        expect(setting(page, "Context size").get_by_text("overridden")).to_be_visible()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        nameless = page.locator("main :is(input, select, textarea, button)").evaluate_all(
            "all => all.filter(one => !one.labels?.length && !one.ariaLabel && !one.textContent)"
            ".map(one => one.outerHTML)"
        )
        assert nameless == []
    stack.request("DELETE", "/api/overrides")
