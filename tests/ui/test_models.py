"""The page Models."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.ui.browser import PHONE, Visitor
from tests.ui.swap_models import (
    BROKEN,
    FAR,
    FIRST,
    HOSTILE,
    SECOND,
    SECRET,
    TALKER,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from tests.cli.swaps import Swap
    from tests.e2e.stack import Stack

SMART, FAST = "code-smart", "code-fast"
NONE = "\N{EN DASH}"
#: What is answered for many seconds.
LONG = {
    "messages": [{"role": "user", "content": "Once upon a time"}],
    "max_tokens": 1500,
    "ignore_eos": True,
}


@pytest.fixture
def guest(browser: Browser, odd: Swap) -> Iterator[Visitor]:
    """Somebody who looks at ``odd``."""
    with Visitor(browser, f"http://127.0.0.1:{odd.port}") as visitor:
        yield visitor


def row(page: Page, model: str) -> Locator:
    """The table's row of a model."""
    name = page.get_by_role("button", name=model, exact=True)
    return page.get_by_role("row").filter(has=name)


def state(page: Page, model: str) -> Locator:
    return row(page, model).locator(".badge")


def click(page: Page, what: str, model: str) -> None:
    page.get_by_role("button", name=f"{what} {model}", exact=True).click()


def open_details(page: Page, model: str) -> Locator:
    page.get_by_role("button", name=model, exact=True).click()
    return page.get_by_role("dialog", name=model)


def test_two_models_are_seen_to_swap(guest: Visitor) -> None:
    guest.open("models")
    page = guest.page
    click(page, "Load", FIRST)
    expect(state(page, FIRST)).to_have_text("ready")
    expect(row(page, FIRST)).to_contain_text(re.compile(r"for \d"))
    expect(row(page, FIRST)).to_contain_text("MiB")
    page.evaluate(
        """() => {
          window.seen = [];
          const look = () => {
            const badges = [...document.querySelectorAll(".models-list .badge")];
            const now = badges.map((badge) => badge.textContent).join();
            if (now !== window.seen.at(-1)) window.seen.push(now);
          };
          new MutationObserver(look).observe(document.querySelector(".models-list"), {
            subtree: true, childList: true, characterData: true });
        }"""
    )
    click(page, "Load", SECOND)
    expect(state(page, SECOND)).to_have_text("ready")
    expect(state(page, FIRST)).to_have_text("stopped")
    seen = " ".join(page.evaluate("window.seen"))
    assert "starting" in seen
    assert "stopping" in seen or "queued" in seen
    click(page, "Unload", SECOND)
    expect(state(page, SECOND)).to_have_text("stopped")
    everything = page.get_by_role("button", name="Unload all")
    if everything.is_enabled():  # what other tests have loaded
        everything.click()
    expect(everything).to_be_disabled()


def test_who_is_being_answered_is_not_cut_off_without_a_question(
    visitor: Visitor, stack: Stack
) -> None:
    visitor.open("models")
    page = visitor.page
    with stack.stream("/v1/chat/completions", {"model": FAST, **LONG}) as answer:
        answer.readline()
        expect(row(page, FAST).locator("td").nth(5)).to_have_text("1")
        click(page, "Unload", FAST)
        question = page.get_by_role("dialog", name=f"Unload {FAST}")
        expect(question).to_contain_text("One request is being answered")
        question.get_by_role("button", name="Cancel").click()
        expect(state(page, FAST)).to_have_text("ready")
        page.get_by_role("button", name="Unload all").click()
        page.get_by_role("button", name="Cut off now").click()
        expect(state(page, FAST)).to_have_text("stopped")


def test_a_load_that_waits_shows_its_place_and_can_be_given_up(guest: Visitor) -> None:
    guest.open("models")
    page = guest.page
    click(page, "Load", SECOND)
    expect(state(page, SECOND)).to_have_text("ready")
    body = json.dumps({"model": SECOND, "stream": True, **LONG}).encode()
    asked = urllib.request.Request(f"{guest.base}/v1/chat/completions", body)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        answer.readline()
        click(page, "Load", FIRST)
        expect(state(page, FIRST)).to_have_text("queued")
        expect(row(page, FIRST)).to_contain_text("place 1")
        click(page, "Cancel", FIRST)
        expect(state(page, FIRST)).to_have_text("stopped")
        click(page, "Load", FIRST)
        expect(state(page, FIRST)).to_have_text("queued")
        click(page, "Unload", SECOND)
        page.get_by_role("button", name="Unload afterwards").click()
        expect(row(page, SECOND)).to_contain_text("ends when it has answered")
        click(page, "End now", SECOND)
        page.get_by_role("button", name="Cut off now").click()
        expect(state(page, FIRST)).to_have_text("ready")


def test_what_others_run_is_shown_without_what_cannot_be_done(guest: Visitor) -> None:
    guest.open("models")
    expect(state(guest.page, FAR)).to_have_text("peer")
    expect(row(guest.page, FAR).get_by_role("button")).to_have_count(1)
    panel = open_details(guest.page, FAR)
    expect(panel).to_contain_text("peer, elsewhere")
    expect(panel.get_by_role("log")).to_have_count(0)


def test_a_context_that_is_set_is_shown_and_reset(visitor: Visitor) -> None:
    visitor.open(f"models?model={SMART}")
    panel = visitor.page.get_by_role("dialog", name=SMART)

    def fact(name: str) -> Locator:
        term = visitor.page.locator(f"dt:text-is('{name}')")
        return panel.locator("section div").filter(has=term).locator("dd")

    expect(fact("Configured")).to_have_text("4,096")
    expect(fact("Set here")).to_have_text(NONE)
    panel.get_by_label("Tokens").fill("2048")
    panel.get_by_role("button", name="Set", exact=True).click()
    expect(fact("Set here")).to_have_text("2,048")
    expect(fact("Effective")).to_have_text("2,048")
    expect(panel.locator(".model-command")).to_contain_text("2048")
    panel.get_by_role("button", name=f"Load {SMART}").click()
    expect(fact("Served now")).to_have_text("2,048")
    panel.get_by_label("restart the model").uncheck()
    panel.get_by_role("button", name="Reset").click()
    expect(fact("Set here")).to_have_text(NONE)
    expect(panel).to_contain_text("has another one until it is started again")
    panel.get_by_role("button", name=f"Unload {SMART}").click()
    expect(panel.get_by_role("status").first).to_have_text("stopped")


def test_a_context_policy_is_chosen_and_reset(visitor: Visitor, stack: Stack) -> None:
    visitor.open(f"models?model={FAST}")
    panel = visitor.page.get_by_role("dialog", name=FAST)
    panel.get_by_label("Context policy").select_option("always")
    expect(panel).to_contain_text("Set here; configured: limit_only")
    told = stack.request("GET", f"/api/model/{FAST}/prompt-optimization").json()
    assert told["effective"]["policy"] == "always"
    panel.get_by_role("button", name="Reset").click()
    expect(panel).to_contain_text("As configured.")
    expect(panel.get_by_label("Context policy")).to_have_value("limit_only")


def test_names_are_filtered_by_what_they_hold(visitor: Visitor) -> None:
    visitor.open("models")
    page = visitor.page
    page.get_by_label("Show only names with").fill("FAST")
    expect(row(page, SMART)).to_have_count(0)
    expect(row(page, FAST)).to_be_visible()
    page.reload()
    expect(row(page, FAST)).to_be_visible()
    expect(row(page, SMART)).to_have_count(0)


def test_a_model_with_a_hostile_name_is_text_and_works_as_others_do(guest: Visitor) -> None:
    guest.open("models")
    page = guest.page
    expect(row(page, HOSTILE)).to_contain_text("<b>bold</b> · also a<b")
    click(page, "Load", HOSTILE)
    expect(state(page, HOSTILE)).to_have_text("ready")
    panel = open_details(page, HOSTILE)
    expect(panel.locator(".model-command")).to_contain_text("talker.py")
    panel.get_by_role("link", name="The whole log").click()
    expect(page.get_by_label("Log of").locator("option:checked")).to_have_text(HOSTILE)
    expect(page.get_by_text("Live.")).to_be_visible()
    page.goto(f"/ui/models?model={quote(HOSTILE)}")
    page.get_by_role("dialog").get_by_role("button", name=f"Unload {HOSTILE}", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("status").first).to_have_text("stopped")
    assert page.locator("main img, dialog img").count() == 0


def test_a_model_that_cannot_start_says_why_also_later(guest: Visitor) -> None:
    guest.open("models")
    page = guest.page
    click(page, "Load", BROKEN)
    expect(state(page, BROKEN)).to_have_text("failed")
    guest.page.reload()
    expect(state(page, BROKEN)).to_have_text("failed")
    panel = open_details(page, BROKEN)
    expect(panel.get_by_role("alert")).to_contain_text("no such file: weights.gguf")
    expect(panel.get_by_role("log")).to_contain_text("loading <b>weights</b>")


def test_a_dialog_is_used_by_keyboard_and_hides_secrets(browser: Browser, odd: Swap) -> None:
    say(odd, b"before\n")
    clipboard = ["clipboard-read", "clipboard-write"]
    with Visitor(browser, f"http://127.0.0.1:{odd.port}", permissions=clipboard) as guest:
        guest.open("models")
        page = guest.page
        name = page.get_by_role("button", name=TALKER, exact=True)
        name.press("Enter")
        panel = page.get_by_role("dialog", name=TALKER)
        panel.get_by_role("button", name="Copy the command").press("Enter")
        expect(panel.get_by_text("Copied.")).to_be_visible()
        command = page.evaluate("navigator.clipboard.readText()")
        assert command == panel.locator(".model-command").inner_text()
        assert "--api-key ***" in command
        assert SECRET not in page.content()
        expect(row(page, TALKER)).to_contain_text(re.compile(r"9 min \d+ s"))
        expect(panel.get_by_role("log")).to_contain_text("before")
        say(odd, b"and what comes\n")
        expect(panel.get_by_role("log")).to_contain_text("and what comes")
        page.keyboard.press("Escape")
        expect(panel).to_have_count(0)
        expect(name).to_be_focused()


def test_a_phone_shows_the_list_without_scrolling_sideways(browser: Browser, odd: Swap) -> None:
    with Visitor(browser, f"http://127.0.0.1:{odd.port}", viewport=PHONE) as guest:
        guest.open("models")
        page = guest.page
        expect(row(page, HOSTILE)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        table = page.get_by_role("region", name="Models")
        assert table.evaluate("(region) => region.scrollWidth <= region.clientWidth")
        panel = open_details(page, TALKER)
        expect(panel.get_by_label("Context policy")).to_be_visible()
        assert panel.evaluate("(panel) => panel.scrollWidth <= panel.clientWidth")


def test_a_pinned_model_says_so_until_it_is_let_go(visitor: Visitor, stack: Stack) -> None:
    visitor.open("models")
    page = visitor.page
    pin = page.get_by_role("button", name=f"Pin {FAST}")
    expect(pin).to_have_attribute("aria-pressed", "false")
    pin.click()
    expect(pin).to_have_attribute("aria-pressed", "true")
    expect(row(page, FAST)).to_contain_text("pinned")
    assert stack.request("GET", f"/api/model/{FAST}/pin").json()["pinned"] is True
    pin.click()
    expect(pin).to_have_attribute("aria-pressed", "false")


def test_a_pin_that_cannot_be_promised_says_what_to_write(guest: Visitor) -> None:
    guest.open("models")
    page = guest.page
    page.get_by_role("button", name=f"Pin {FIRST}").click()
    expect(page.locator(".notice")).to_contain_text(f"{FIRST} cannot be pinned")
    guest.problems.clear()  # the browser tells of every answer that is an error
