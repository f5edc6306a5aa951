"""The page Activity: what runs, what has run, and one request opened."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.e2e.stack import eventually
from tests.ui.browser import PHONE, Visitor
from tests.ui.requests_made import ask, newest, running_story, said

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    from tests.e2e.stack import Stack

#: Is answered at length by both models, and no question whether somebody is there.
COUNT = "Please count to 30"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def session_of(stack: Stack) -> str:
    """The session of the newest request as people are shown it."""
    shown: str = newest(stack)["metadata"]["session"]
    return shown


def past(page: Page) -> Locator:
    return page.get_by_role("region", name="Finished requests").locator("tbody tr")


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("search").get_by_role("combobox", name=label, exact=True)


def columns(page: Page) -> list[str]:
    return page.get_by_role("region", name="Finished requests").locator("th").all_inner_texts()


def cells(page: Page, label: str) -> list[str]:
    place = [text.strip(" ↑↓") for text in columns(page)].index(label)
    return past(page).locator(f"td:nth-child({place + 1})").all_inner_texts()


@pytest.fixture(scope="module")
def talk(stack: Stack) -> str:
    """A session of five requests, as it is shown: two tiers, and answers of different lengths."""
    name = uuid4().hex
    for tier, length in (("smart", 2), ("smart", 4), ("smart", 6), ("fast", 3), ("fast", 5)):
        body = {**said(COUNT, max_tokens=length), "model": f"code-{tier}"}
        assert ask(stack, body, name) == 200
    return session_of(stack)


def test_a_running_request_is_seen_in_its_phase_and_can_be_cancelled(
    visitor: Visitor, stack: Stack
) -> None:
    page = visitor.page
    with running_story(stack) as story:
        visitor.open("activity")
        row = page.get_by_role("region", name="Running requests").locator("tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("code-fast")
        expect(row.locator(".badge")).to_have_text("Generating")
        # Its phases add up to its age.
        newest_event = """async () => {
          const { state } = await import("/ui/lib/live.js");
          return [...state.inflight.values()][0];
        }"""
        entry = page.evaluate(newest_event)
        latest = entry["timeline"][-1]
        assert latest["start_ms"] + latest["ms"] == pytest.approx(entry["elapsed_ms"], abs=5)
        # Its strip is as wide as its age, and both grow.
        page.wait_for_function(
            """() => {
              const [x, width] = ["x", "width"].map((name) => parseFloat(
                document.querySelector(".live .phases rect:last-child").getAttribute(name)));
              return Math.abs(x + width - 100) < 1;
            }"""
        )
        age = row.locator("td").nth(2)
        before = age.inner_text()
        expect(age).not_to_have_text(before)
        got = row.locator("td").nth(3).inner_text()
        expect(row.locator("td").nth(3)).not_to_have_text(got)
        page.get_by_role("button", name=re.compile("Cancel request .* to code-fast")).press("Enter")
        assert story.ended.wait(30)
    expect(page.get_by_text("No request is running.")).to_be_visible()
    # It has moved below by itself.
    expect(past(page).first).to_contain_text("code-fast")
    expect(past(page).first.locator(".badge.bad")).to_be_visible()


def test_one_request_shows_its_timeline_its_decision_and_its_bodies(
    visitor: Visitor, stack: Stack, tmp_path: Path
) -> None:
    body = said("What is the capital of Peru?", stream=True)
    assert ask(stack, body, uuid4().hex) == 200
    row = newest(stack)
    page = visitor.page
    visitor.open("activity")
    opener = past(page).first.get_by_role("link")
    opener.press("Enter")
    panel = page.get_by_role("dialog", name=f"Request {row['id']}")
    timeline = panel.get_by_role("img", name=re.compile("^Timeline of"))
    expect(timeline).to_be_visible()
    phases = stack.request("GET", f"/api/metrics/activity/{row['id']}").json()["timeline"]
    assert sum(phase["ms"] for phase in phases) == pytest.approx(row["duration_ms"], abs=2)
    told = timeline.get_attribute("aria-label") or ""
    for name in ("Queued", "Loading", "Prefill", "Generating"):
        assert f"{name}: " in told
        expect(timeline.locator("text.name", has_text=name)).to_be_visible()
    assert f"{row['tokens']['output_tokens']} tokens at" in told
    rules = panel.get_by_role("list", name="Rules that were tried")
    expect(rules).to_contain_text("plan words: no")
    expect(rules).to_contain_text("code-smart fits")
    expect(panel).to_contain_text("So code-smart (agent) answers.")
    expect(panel).to_contain_text("Kept: ")
    # The stream is put together, and is there as it came.
    expect(panel.locator(".message.user")).to_contain_text("What is the capital of Peru?")
    expect(panel.locator(".message.assistant")).to_contain_text("The capital of Peru is Lima.")
    answer = panel.get_by_role("group", name="Answer as")
    answer.get_by_role("button", name="Raw").click()
    expect(panel.locator("pre", has_text="data: [DONE]")).to_be_visible()
    panel.get_by_role("group", name="Request as").get_by_role("button", name="JSON").click()
    expect(panel.locator("pre", has_text='"stream": true')).to_be_visible()
    with page.expect_download() as download:
        panel.get_by_role("link", name="Download").first.click()
    kept = tmp_path / "request.json"
    download.value.save_as(kept)
    assert json.loads(kept.read_text("utf-8"))["messages"] == body["messages"]
    # Its address opens it, and it leaves as it came.
    page.reload()
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    assert "id=" not in page.url


def test_filters_order_and_page_are_in_the_address_and_a_link_shows_the_same(
    visitor: Visitor, stack: Stack, talk: str
) -> None:
    page = visitor.page
    visitor.open("activity")
    field(page, "Session").fill(talk)
    expect(page.get_by_role("heading", name="Finished (5 found)")).to_be_visible()
    page.get_by_role("button", name="Out", exact=True).press("Enter")
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Out")
    expect(past(page).first.locator("td.number").nth(2)).to_have_text("6")
    assert cells(page, "Out") == ["6", "5", "4", "3", "2"]
    field(page, "Tier").fill("code-fast")
    expect(past(page)).to_have_count(2)
    field(page, "Time").select_option(label="Last hour")
    expect(past(page)).to_have_count(2)
    field(page, "Status").select_option("Error")
    expect(page.get_by_text("No such request.")).to_be_visible()
    field(page, "Status").select_option("Success")
    expect(past(page)).to_have_count(2)

    visitor.page.goto(page.url)
    expect(past(page)).to_have_count(2)
    assert cells(page, "Out") == ["5", "3"]
    expect(field(page, "Tier")).to_have_value("code-fast")
    expect(field(page, "Status")).to_have_value("ok")
    expect(field(page, "Time")).to_have_value("1h")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("heading", name="found")).to_have_count(0)

    page.goto(f"/ui/activity?session={talk}&limit=2&page=2&sort=generated&order=asc")
    expect(page.get_by_text("Page 2 of 3")).to_be_visible()
    assert cells(page, "Out") == ["4", "5"]
    page.get_by_role("button", name="Next page").press("Enter")
    expect(page.get_by_text("Page 3 of 3")).to_be_visible()
    expect(past(page)).to_have_count(1)
    assert "page=3" in page.url
    page.get_by_label("Rows of a page").select_option("25")
    expect(past(page)).to_have_count(5)


def test_what_is_filtered_is_exported(visitor: Visitor, talk: str, tmp_path: Path) -> None:
    page = visitor.page
    page.goto(f"/ui/activity?session={talk}&sort=generated&order=asc")
    expect(past(page)).to_have_count(5)
    found: dict[str, Any] = {}
    for kind in ("csv", "json"):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Export {kind.upper()}").click()
        download.value.save_as(tmp_path / kind)
        found[kind] = (tmp_path / kind).read_text("utf-8")
    assert len(list(csv.DictReader(io.StringIO(found["csv"])))) == 5
    rows = json.loads(found["json"])
    assert [row["tokens"]["output_tokens"] for row in rows] == [2, 3, 4, 5, 6]


def test_new_requests_appear_or_are_counted(visitor: Visitor, stack: Stack, talk: str) -> None:
    page = visitor.page
    visitor.open("activity?limit=50")
    expect(past(page).first).to_be_visible()
    latest = past(page).first.get_by_role("link").get_attribute("data-request")
    assert ask(stack, said(COUNT, max_tokens=2), uuid4().hex) == 200
    expect(past(page).first.get_by_role("link")).not_to_have_attribute("data-request", str(latest))

    # In another order they would come anywhere: the reader is told instead.
    visitor.open("activity?sort=duration&order=asc&tier=code-smart")
    expect(past(page).first).to_be_visible()
    for tier in ("code-fast", "code-smart"):
        assert ask(stack, {**said(COUNT, max_tokens=2), "model": tier}, tier) == 200
    page.get_by_role("button", name="1 new").click()
    expect(past(page).first).to_contain_text(session_of(stack))
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Time")


def test_what_is_hostile_is_text(visitor: Visitor, stack: Stack) -> None:
    page = visitor.page
    assert ask(stack, {**said(HOSTILE), "model": HOSTILE}, uuid4().hex) == 404
    refused = newest(stack)["id"]
    assert ask(stack, said(HOSTILE, max_tokens=4, user=HOSTILE), uuid4().hex) == 200
    visitor.open(f"activity?search={HOSTILE.split(' ', maxsplit=1)[0]}")
    expect(past(page).first).to_contain_text("<img src=x onerror=")
    past(page).first.click(position={"x": 300, "y": 10})
    panel = page.get_by_role("dialog", name=f"Request {refused}")
    expect(panel.locator(".what-failed")).to_contain_text("There is no such model or route.")
    expect(panel.locator(".what-failed")).to_contain_text("<img src=x")
    page.keyboard.press("Escape")
    visitor.open(f"activity?id={newest(stack)['id']}")
    expect(page.locator(".message.user")).to_contain_text(HOSTILE)
    page.get_by_text("Everything else").first.click()
    expect(page.locator(".header-list dd", has_text="<script>")).to_be_visible()
    expect(page).to_have_title("Activity - llmstack")
    assert page.locator("img[src=x], main script").count() == 0


def test_a_prompt_that_was_shortened_says_how(visitor: Visitor, stack: Stack) -> None:
    name = uuid4().hex
    turns = [
        {"role": role, "content": f"{name} {number} {'blah ' * 150}"}
        for number in range(15)
        for role in ("user", "assistant")
    ]
    body = {**said("hello", max_tokens=4), "model": "code-smart"}
    body["messages"] = [*turns, *body["messages"]]
    assert ask(stack, body, name) == 200
    visitor.open(f"activity?id={newest(stack)['id']}")
    panel = visitor.page.get_by_role("dialog")
    expect(panel).to_contain_text(re.compile(r"Shortened from [\d,]+ to (about )?[\d,]+ tokens"))
    expect(panel).to_contain_text(re.compile(r"were dropped: [\d,]+ tokens less"))
    expect(panel).to_contain_text("The request named its model, code-smart")


def test_columns_are_chosen_and_kept(visitor: Visitor, talk: str) -> None:
    page = visitor.page
    visitor.open(f"activity?session={talk}")
    expect(past(page)).to_have_count(5)
    page.get_by_text("Columns", exact=True).click()
    # What is shown because rows have it counts as chosen.
    expect(page.get_by_role("checkbox", name="Session")).to_be_checked()
    page.get_by_label("Backend").check()
    page.get_by_label("Reason").uncheck()
    page.reload()
    expect(past(page)).to_have_count(5)
    assert "Backend" in columns(page)
    assert "Session" in columns(page)
    assert "Reason" not in columns(page)
    assert cells(page, "Backend") == ["local"] * 5


def test_without_capture_it_says_how_to_switch_it_on(visitor: Visitor, stack: Stack) -> None:
    assert ask(stack, {**said("hello"), "model": "no-such-model"}, uuid4().hex) == 404
    row = eventually(lambda: newest(stack, status=404), "the refusal is in the log")
    assert not row["has_capture"]
    visitor.open(f"activity?id={row['id']}")
    panel = visitor.page.get_by_role("dialog")
    expect(panel).to_contain_text("capture_buffer = 16")
    expect(panel).to_contain_text("not stored unless you ask")


def test_it_fits_a_phone(browser: Browser, stack: Stack, talk: str) -> None:
    with Visitor(browser, stack.gateway, viewport=PHONE) as visitor:
        visitor.open(f"activity?session={talk}")
        expect(past(visitor.page)).to_have_count(5)
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        past(visitor.page).first.get_by_role("link").click()
        panel = visitor.page.get_by_role("dialog")
        expect(panel.get_by_role("img", name=re.compile("^Timeline of"))).to_be_visible()
        assert panel.evaluate("(panel) => panel.scrollWidth") <= PHONE["width"]
