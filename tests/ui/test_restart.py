"""The daemon comes and goes under the page."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.e2e.conftest import REPOSITORY
from tests.e2e.stack import Stack, models_ini
from tests.ui.browser import Visitor

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

TINY = str(REPOSITORY / "tests" / "models" / "tiny_chat" / "tiny-chat.gguf")


def test_the_page_says_what_to_do_first_and_survives_a_restart(
    tmp_path: Path, browser: Browser
) -> None:
    """A new stack's page shows a first command; a daemon that goes and comes back is noticed."""
    ini = models_ini({"code-smart": {"role": "agent", "path": TINY, "ctx_size": "1024"}})
    with Stack(tmp_path, ini) as stack, Visitor(browser, stack.gateway) as visitor:
        page = visitor.page
        connection = page.locator("#connection")
        with stack.serve():
            visitor.open()
            expect(page.get_by_text("No request yet.")).to_be_visible()
            command = shlex.split(page.locator(".first-command code").inner_text())
            assert command[1].startswith(stack.gateway)
            body = json.loads(command[command.index("-d") + 1])
            path = command[1].removeprefix(stack.gateway)
            assert stack.request("POST", path, {**body, "max_tokens": 1}).status == 200
            requests = page.locator(".requests li")
            # From the log, and no longer from what is in flight.
            expect(requests.locator(".badge")).to_have_text("done")
            expect(page.get_by_text("No request yet.")).to_be_hidden()
            uptime = page.locator(".overview-about").inner_text()
            page.evaluate("window.same = true")
        expect(connection).to_have_text(re.compile("^Not connected"))
        expect(page.get_by_text("llmstack does not answer.")).to_be_visible()
        expect(requests).to_have_count(1)
        with stack.serve():
            expect(connection).to_have_text("Connected")
            expect(page.get_by_text("llmstack does not answer.")).to_be_hidden()
            expect(page.locator(".overview-about")).not_to_have_text(uptime)
            expect(page.locator('[data-model="code-smart"] .badge')).to_have_text("not loaded")
            assert stack.request("POST", path, {**body, "max_tokens": 1}).status == 200
            expect(requests).to_have_count(2)
            assert page.evaluate("window.same"), "nothing was loaded again"
        page.goto("about:blank")
        # The browser reports every attempt that failed, and that is all.
        assert all("net::ERR_" in problem for problem in visitor.problems)
        visitor.problems.clear()
