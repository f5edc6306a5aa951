"""Somebody at a browser."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Request

#: Milliseconds after which a test gives up waiting. Generous: the machine may be busy.
PATIENCE = 30_000
#: A desktop and a phone, in pixels.
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@contextmanager
def launched(program: str) -> Iterator[Browser]:
    """A headless browser."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # Containers have neither a sandbox nor much shared memory.
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One page in a browser of its own, without cookies or storage of others.

    ``problems`` is what the browser complained of: errors in scripts, breaches of the page's
    security policy, requests to anywhere else. Left in the end, they fail the test; one that means
    to cause some takes them out. ``more`` are options of Playwright's ``new_context``.
    """

    def __init__(self, browser: Browser, base: str, **more: Any) -> None:
        self.base = base
        options: dict[str, Any] = {"viewport": DESKTOP, "reduced_motion": "reduce", **more}
        self._context = browser.new_context(base_url=base, **options)
        self._context.set_default_timeout(PATIENCE)
        self.problems: list[str] = []
        self.page = self._context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(error.stack or str(error)))
        self.page.on("request", self._asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._context.close()
        if kind is None:
            assert not self.problems, sorted(set(self.problems))[:5]

    def open(self, page: str = "") -> None:
        """Go to one of the pages, by its name in the address, and wait until it is connected."""
        self.page.goto(f"/ui/{page}")
        expect(self.page.get_by_text("Connected", exact=True)).to_be_visible()

    def picture(self, path: Path) -> None:
        """What is on the screen now, as a PNG file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, animations="disabled", caret="hide")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and not request.url.startswith(self.base):
            self.problems.append(f"asked {request.url}")
