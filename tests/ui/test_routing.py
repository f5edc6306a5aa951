"""The page Routing: who would answer, and why."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from uuid import uuid4

from playwright.sync_api import expect

from tests.cli.swaps import free_run, swapping
from tests.ui.browser import PHONE, Visitor
from tests.ui.requests_made import ask, newest, said

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    from tests.e2e.stack import Stack


def rules(page: Page) -> Locator:
    return page.get_by_role("list", name="Rules that were tried")


def test_the_decision_changes_as_one_types(visitor: Visitor, stack: Stack) -> None:
    page = visitor.page
    before = (
        newest(stack)["id"] if ask(stack, said("Please count to 30", max_tokens=2), "typing") else 0
    )
    visitor.open("routing")
    message = page.get_by_role("textbox", name="Message")
    message.press_sequentially("ultra")
    expect(rules(page)).to_contain_text("ultra trigger: no")
    expect(page.locator(".verdict .chosen")).to_have_text("code-smart")
    message.press_sequentially(": why is this slow?")
    expect(rules(page)).to_contain_text("ultra trigger: yes")
    expect(page.locator(".why")).to_contain_text("Its words ask for this")
    page.get_by_role("button", name="A plan").press("Enter")
    expect(rules(page)).to_contain_text("plan words: yes")
    message.fill("<b>bold</b> " * 3)
    expect(rules(page)).to_contain_text("plan words: no")
    message.fill("")
    expect(page.get_by_text("Type a message, and the decision appears here.")).to_be_visible()
    # Nothing of it was sent to a model.
    assert newest(stack)["id"] == before


def test_a_whole_request_with_tools_and_a_mode_is_decided(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("routing")
    page.get_by_role("textbox", name="Message").fill("Design the architecture of a cache")
    page.get_by_label("Give a whole request").check()
    body = page.get_by_label("The request's body as JSON")
    expect(body).to_have_value(re.compile("Design the architecture"))
    expect(rules(page)).to_contain_text("plan words: yes")
    body.fill('{"messages": [')
    expect(page.get_by_text("This is no JSON yet")).to_be_visible()
    expect(body).to_have_attribute("aria-invalid", "true")
    tools = [{"type": "function", "function": {"name": "read", "parameters": {}}}]
    body.fill(json.dumps({**said("Design the architecture of a cache"), "tools": tools}))
    expect(rules(page)).to_contain_text("plan words: no, tools present")
    page.get_by_role("combobox", name="The client's mode").select_option("title")
    expect(page.locator(".facts", has_text="Kind of request")).to_contain_text("title")
    page.get_by_role("combobox", name="Sent to").select_option("/v1/messages/count_tokens")
    expect(page.locator(".facts", has_text="Kind of request")).to_contain_text("count")


def test_the_ladder_shows_tiers_ceilings_sessions_and_the_message(
    visitor: Visitor, stack: Stack
) -> None:
    assert ask(stack, said("Please count to 30", max_tokens=2), uuid4().hex) == 200
    session = newest(stack)["metadata"]["session"]
    page = visitor.page
    visitor.open("routing")
    ladder = page.get_by_role("img", name=re.compile("^The ladder:"))
    expect(ladder).to_have_attribute("aria-label", re.compile(r"code-smart \(agent\)"))
    for tier in ("code-smart", "code-fast"):
        expect(ladder.locator("text.name", has_text=tier)).to_be_visible()
    expect(ladder.locator("circle", has_text=f"session {session}:")).to_have_count(1)
    expect(ladder.get_by_text("best ≤ 12 k")).to_be_visible()
    marked = ladder.locator("path.asked")
    expect(marked).to_have_count(0)
    page.get_by_role("textbox", name="Message").fill("word " * 500)
    expect(marked).to_have_count(1)
    place = "(mark) => mark.getBoundingClientRect().x"
    near = marked.evaluate(place)
    page.get_by_role("textbox", name="Message").fill("word " * 2000)
    expect(ladder.get_by_text(re.compile("this request ≈ [2-9],"))).to_be_visible()
    assert marked.evaluate(place) > near
    page.get_by_text("As tables").click()
    tiers = page.get_by_role("region", name="Tiers")
    expect(tiers.locator("tbody tr", has_text="code-fast")).to_contain_text("4,096")
    # A session that comes while one looks is seen.
    assert ask(stack, said("Please count to 20", max_tokens=2), uuid4().hex) == 200
    newer = newest(stack)["metadata"]["session"]
    expect(page.get_by_role("region", name="Sessions")).to_contain_text(newer)
    page.get_by_role("link", name=session).click()
    expect(page.get_by_role("combobox", name="Session")).to_have_value(session)


def test_llmstack_swap_says_that_it_routes_nothing(browser: Browser, tmp_path: Path) -> None:
    config = json.dumps({"startPort": free_run(), "models": {"one": {"cmd": "true ${PORT}"}}})
    with (
        swapping(tmp_path, config) as swap,
        Visitor(browser, f"http://127.0.0.1:{swap.port}") as visitor,
    ):
        visitor.open("routing")
        expect(visitor.page.get_by_text("every request names its model")).to_be_visible()


def test_it_fits_a_phone(browser: Browser, stack: Stack) -> None:
    with Visitor(browser, stack.gateway, viewport=PHONE) as visitor:
        visitor.open("routing")
        visitor.page.get_by_role("textbox", name="Message").fill("ultra: hello")
        expect(rules(visitor.page)).to_contain_text("ultra trigger: yes")
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
