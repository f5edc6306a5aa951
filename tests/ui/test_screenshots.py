"""Pictures for the README, of a stack at work; and whether everybody can use what they show.

They are left in ``build/screenshots``; ``make screenshots`` looks for longer, and puts them where
the README shows them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.ui.accessible import CONTRAST, violations
from tests.ui.browser import DESKTOP, PATIENCE, Visitor
from tests.ui.conftest import SCREENSHOTS
from tests.ui.palette import with_palette
from tests.ui.player import Player
from tests.ui.requests_made import ask, said
from tests.ui.scenes import SHOWN, WORK, at_work, shown_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.e2e.stack import Stack

#: Requests that the first picture tells of: more of them where pictures are made to be shown.
REQUESTS = 26 if SHOWN else 2

QUESTION = "Write a Python function that tells whether a word is a palindrome, and explain it."


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that has something to show."""
    with shown_stack(tmp_path_factory.mktemp("shown")) as stack:
        stack.start()
        yield stack


@pytest.fixture(scope="module")
def looker(browser: Browser, busy: Stack) -> Iterator[Visitor]:
    """Somebody with a good screen, whose browser runs a checker in the page."""
    more = {"device_scale_factor": 1.5, "color_scheme": "light", "bypass_csp": True}
    with Visitor(browser, busy.gateway, **more) as visitor:
        yield visitor


def shown(looker: Visitor, name: str) -> None:
    """Leave a picture in light and one in dark, of what everybody can use."""
    page = looker.page
    assert violations(page) == []
    picture = SCREENSHOTS / "readme" / f"{name}.png"
    looker.picture(picture)
    picture.write_bytes(with_palette(page, picture.read_bytes()))
    page.emulate_media(color_scheme="dark")
    assert violations(page, CONTRAST) == []
    looker.picture(picture.with_stem(f"{name}-dark"))
    page.emulate_media(color_scheme="light")


def test_the_overview_of_a_stack_at_work(looker: Visitor, busy: Stack) -> None:
    looker.open()
    page = looker.page
    with at_work(busy):
        page.wait_for_function(
            """(wanted) => wanted <=
              Number(document.querySelector(".tile:nth-child(3) .tile-value")?.textContent)""",
            arg=REQUESTS,
            timeout=10 * PATIENCE,
        )
        expect(page.locator(".requests .live .badge")).to_have_text("generating")
        expect(page.locator(".tile-value").first).not_to_have_text("0.0")
        shown(looker, "overview")


def test_one_request_with_its_timeline(looker: Visitor, busy: Stack) -> None:
    for text, tokens, _ in (WORK[4], WORK[1]):  # the second one needs another model
        assert ask(busy, said(text, max_tokens=tokens, stream=True), "session 1") == 200
    looker.open("activity")
    page = looker.page
    table = page.get_by_role("region", name="Finished requests")
    table.locator("tbody tr").first.get_by_role("link").press("Enter")
    expect(page.get_by_role("img", name=re.compile("^Timeline of"))).to_be_visible()
    expect(page.get_by_role("list", name="Rules that were tried")).to_be_visible()
    shown(looker, "activity")


def test_a_decision_with_the_ladder(looker: Visitor) -> None:
    page = looker.page
    page.set_viewport_size({**DESKTOP, "height": 1110})  # type: ignore[typeddict-item]
    looker.open("routing")
    page.get_by_role("textbox", name="Message", exact=True).fill(WORK[1][0])
    expect(page.get_by_role("list", name="Rules that were tried")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^The ladder:"))).to_be_visible()
    shown(looker, "routing")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


def test_a_conversation(looker: Visitor) -> None:
    player = Player(looker, "code-smart", max_tokens=220)
    looker.page.get_by_label("Temperature").fill("0.2")
    player.whole(QUESTION)
    shown(looker, "playground")
