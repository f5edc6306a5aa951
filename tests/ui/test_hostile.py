"""Names, logs and answers that want to run: every page shows them, and nothing runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.cli.swaps import Swap, free_run, swapping
from tests.ui.browser import DESKTOP, PHONE, Visitor
from tests.ui.hostile_server import EVIL, command
from tests.ui.player import Player
from tests.ui.test_shell import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

IMAGE = "<img src=x onerror=alert(1)>"
NAMES = (
    IMAGE,
    "\"'><script>alert(1)</script>",
    "javascript:alert(1)",
    "__proto__",
    "constructor",
    "\u202egnp.exe",
    "{{7*7}}${7*7}",
    "n" * 300,
    "a/../../b?c#d %2e",
)

#: What a text that was taken for markup would have made.
MADE = "img[src='x'], iframe, object, embed, main script, [onerror], [onload], [srcdoc], main style"


@pytest.fixture(scope="module")
def swap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swap]:
    """``llmstack swap`` whose models are called ``NAMES`` and answer ``EVIL``."""
    models = {name: {"cmd": command(), "description": EVIL, "name": name} for name in NAMES}
    config = {
        "startPort": free_run(),
        "logLevel": "info",
        "captureBuffer": 8,
        "models": models,
        "profiles": {IMAGE: {"pins": {NAMES[0]: NAMES[1]}}},
    }
    with swapping(tmp_path_factory.mktemp("hostile"), json.dumps(config)) as swap:
        for name in (*NAMES[:2], f"unknown {IMAGE}"):
            swap.chat(name)
        yield swap


def harmed(page: Page) -> str:
    """What a page has taken for code; empty if nothing."""
    made: list[str] = page.eval_on_selector_all(MADE, "all => all.map(one => one.outerHTML)")
    links: list[str] = page.eval_on_selector_all("a", "all => all.map(one => one.protocol)")
    made += [link for link in links if link not in ("http:", "https:", "blob:")]
    if page.evaluate("typeof window.hacked !== 'undefined'"):
        made.append("a script ran")
    return ", ".join(made)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_shows_hostile_names_and_runs_nothing(
    swap: Swap, browser: Browser, size: dict[str, int]
) -> None:
    with Visitor(browser, f"http://127.0.0.1:{swap.port}", viewport=size) as visitor:
        page = visitor.page
        page.on("dialog", lambda dialog: visitor.problems.append(f"dialog {dialog.message}"))
        for name in PAGES:
            visitor.open("" if name == "Overview" else name.lower())
            expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
            if name in ("Overview", "Models", "Activity", "Performance"):
                expect(page.locator("main")).to_contain_text(IMAGE)
            assert harmed(page) == "", name
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} is {wide} pixels too wide"
        # `llmstack swap` has neither ladder nor keys, and the browser reports every 404.
        absent = ("/api/ladder", "/api/keys")
        visitor.problems = [
            told for told in visitor.problems if not told.rstrip(")").endswith(absent)
        ]


def test_a_hostile_answer_is_shown_as_text_wherever_it_is_shown(
    swap: Swap, browser: Browser
) -> None:
    """In the playground, among the kept bodies of a request, and in the model's own log."""
    with Visitor(browser, f"http://127.0.0.1:{swap.port}") as visitor:
        page = visitor.page
        page.on("dialog", lambda dialog: visitor.problems.append(f"dialog {dialog.message}"))
        player = Player(visitor, IMAGE)
        expect(player.whole("hello")).to_contain_text("<script>hacked = 1; alert(1)</script>")
        assert harmed(page) == ""
        visitor.open("activity")
        finished = page.get_by_role("region", name="Finished requests")
        finished.locator("tbody tr").filter(has_text=IMAGE).first.get_by_role("link").click()
        expect(page.get_by_role("dialog")).to_contain_text("<script>hacked = 1")
        assert harmed(page) == ""
        visitor.open("logs")
        page.get_by_label("Log of").select_option(label=IMAGE)
        expect(page.locator("main")).to_contain_text("<script>hacked = 1")
        assert harmed(page) == ""
