"""Everything at one look, as it changes."""

from __future__ import annotations

import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.e2e.stack import Stack
    from tests.ui.browser import Visitor

#: Keeps every state in which a model's row has been, as long as the page is not loaded again.
WATCH = """(model) => {
  const row = document.querySelector(`[data-model="${model}"]`);
  window.seen ??= {};
  const seen = (window.seen[model] = []);
  const look = () => {
    const now = row.querySelector(".badge").textContent;
    if (seen.at(-1) !== now) seen.push(now);
  };
  new MutationObserver(look).observe(row, { subtree: true, childList: true, characterData: true });
  look();
}"""

#: Shows an overview in one part of the page, in place of everything else.
PART = """async ([module, name, overview]) => {
  const made = (await import(`/ui/pages/${module}.js`))[name](new AbortController().signal);
  document.querySelector("main").replaceChildren(made.element);
  made.show(overview);
}"""

GIB = 1024**3


def row(page: Page, model: str) -> Locator:
    return page.locator(f'[data-model="{model}"]')


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile").filter(has_text=name)


def test_a_swap_is_watched_without_a_reload(visitor: Visitor, stack: Stack) -> None:
    assert stack.chat("code-smart", "hello", max_tokens=1).status == 200
    visitor.open()
    page = visitor.page
    expect(row(page, "code-smart").locator(".badge")).to_have_text("loaded")
    expect(row(page, "plan").locator(".badge")).to_have_text("not loaded")
    for model in ("plan", "code-smart"):
        page.evaluate(WATCH, model)
    assert stack.chat("plan", "hello", max_tokens=1).status == 200
    expect(row(page, "plan").locator(".badge")).to_have_text("loaded")
    expect(row(page, "code-smart").locator(".badge")).to_have_text("not loaded")
    seen = page.evaluate("window.seen")
    assert seen["plan"] == ["not loaded", "loading", "loaded"]
    assert seen["code-smart"][0] == "loaded"
    expect(tile(page, "Lost today")).to_contain_text(re.compile(r"in \d+ swap"))
    expect(page.locator(".shares")).to_contain_text("plan")
    expect(page.locator(".shares")).not_to_contain_text("code-smart")


def test_a_request_is_seen_while_it_is_answered_and_afterwards(
    visitor: Visitor, stack: Stack
) -> None:
    visitor.open()
    page = visitor.page
    expect(tile(page, "Requests today")).to_be_visible()
    before = int(tile(page, "Requests today").locator(".tile-value").inner_text())
    body = {"model": "code-fast", "messages": [{"role": "user", "content": "Count to 1000."}]}
    with stack.stream(
        "/v1/chat/completions", {**body, "max_tokens": 2000, "ignore_eos": True}
    ) as answer:
        answer.read(1)
        live = page.locator(".requests .live")
        expect(live).to_contain_text("code-fast")
        expect(row(page, "code-fast")).to_contain_text("answering 1")
        expect(tile(page, "Queue")).to_contain_text("1 being answered")
        pace = tile(page, "Tokens per second")
        expect(pace.locator(".tile-value")).not_to_have_text("0.0")
        expect(pace).to_contain_text("by code-fast")
    expect(live).to_have_count(0)
    expect(tile(page, "Queue")).to_contain_text("0 being answered")
    expect(tile(page, "Requests today").locator(".tile-value")).to_have_text(str(before + 1))
    expect(page.locator(".requests li").first).to_contain_text("code-fast")


def test_a_request_that_waits_for_another_model_is_counted(visitor: Visitor, stack: Stack) -> None:
    visitor.open()
    page = visitor.page
    queue = tile(page, "Queue").locator(".tile-value")
    body = {"model": "plan", "messages": [{"role": "user", "content": "Count to 1000."}]}
    with ThreadPoolExecutor() as pool:
        with stack.stream(
            "/v1/chat/completions", {**body, "max_tokens": 2000, "ignore_eos": True}
        ) as answer:
            answer.read(1)
            waiting = pool.submit(stack.chat, "code-smart", "hello", max_tokens=1)
            expect(queue).to_have_text("1")
            expect(row(page, "code-smart")).to_contain_text("1 waits")
        assert waiting.result().status == 200
    expect(queue).to_have_text("0")


def overview(**more: Any) -> dict[str, Any]:
    model = {"name": "", "provider": "local", "state": "ready", "since": None, "memory": None}
    counts = {"in_flight": 0, "waiting": 0, "ttl_left": None, "tokens_per_second": 0.0}
    return {
        "time": 1.0,
        "models": [{"id": name, **model, **counts} for name in ("one", "two")],
        "devices": [],
        "budgets": [],
        **more,
    }


def test_the_memory_bar_tells_every_share_and_marks_estimates(visitor: Visitor) -> None:
    visitor.open("nowhere")
    one = {"id": "one", "bytes": 4 * GIB, "estimated": False}
    two = {"id": "two", "bytes": 2 * GIB, "estimated": True}
    gpu = {"id": "gpu0", "name": "Card", "total": 16 * GIB, "used": 7 * GIB, "models": [one, two]}
    told = overview(devices=[gpu])
    visitor.page.evaluate(PART, ["overview-devices", "devices", told])
    expect(visitor.page.get_by_role("img")).to_have_accessible_name(
        "Card: one 4 GiB, two about 2 GiB, Other programs 1 GiB, 9 GiB free"
    )
    bars = visitor.page.locator(".bar > span")
    assert bars.evaluate_all("all => all.map(one => one.style.width)") == [
        "25%",
        "12.5%",
        "6.25%",
    ]
    expect(visitor.page.locator(".shares li").nth(1)).to_contain_text("about 2 GiB")


def test_estimates_beyond_what_is_used_neither_overflow_nor_go_below_nothing(
    visitor: Visitor,
) -> None:
    visitor.open("nowhere")
    big = {"id": "one", "bytes": 30 * GIB, "estimated": True}
    host = {"id": "host", "name": "", "total": 16 * GIB, "used": 1 * GIB, "models": [big]}
    nothing = {"id": "gpu0", "name": "", "total": 0, "used": 0, "models": []}
    visitor.page.evaluate(PART, ["overview-devices", "devices", overview(devices=[host, nothing])])
    first, second = visitor.page.get_by_role("img").all()
    expect(first).to_have_accessible_name("Main memory: one about 30 GiB, 0 B free")
    expect(second).to_have_accessible_name("gpu0: 0 B free")
    assert visitor.page.locator(".bar > span").evaluate_all(
        "all => all.map(one => one.style.width)"
    ) == ["100%"]


def test_budgets_say_what_is_left_in_words(visitor: Visitor) -> None:
    visitor.open("nowhere")
    budgets = [
        {"tier": "smart", "period": "day", "spent_usd": 0.5, "budget_usd": 2.0},
        {"tier": "smart", "period": "month", "spent_usd": 12, "budget_usd": 10},
        {"tier": "none", "period": "day", "spent_usd": 0, "budget_usd": 0},
    ]
    visitor.page.evaluate(PART, ["overview-budgets", "budgets", overview(budgets=budgets)])
    texts = visitor.page.locator(".budgets > div").all_inner_texts()
    assert [text.split("\n") for text in texts] == [
        ["smart, today", "$0.50 of $2.00 · 25 %"],
        ["smart, this month", "$12.00 of $10.00 · used up"],
        ["none, today", "$0.00 of $0.00 · used up"],
    ]


def test_the_first_command_is_safe_to_paste_whatever_the_model_is_called(
    visitor: Visitor,
) -> None:
    """A shell takes nothing of the name for a command, and what is sent is the name as it is."""
    visitor.open("nowhere")
    for name in ("'; touch /tmp/x; '", '"$(id)`id`"', "\u202egnp.exe", "a\nb\u200b", "\\'\\"):
        told = overview()
        told["models"][0]["id"] = name
        visitor.page.evaluate(PART, ["overview-requests", "requests", {**told, "auto": False}])
        command = visitor.page.locator(".first-command code").text_content() or ""
        assert command.isascii()
        assert command.isprintable()
        program, *arguments = shlex.split(command)
        assert program == "curl"
        assert json.loads(arguments[arguments.index("-d") + 1])["model"] == name
        assert len(arguments) == 5
