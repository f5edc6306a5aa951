"""Somebody at the playground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.ui.browser import Visitor


class Player:
    """Opens the playground with ``model`` chosen."""

    def __init__(self, visitor: Visitor, model: str, *, max_tokens: int = 0) -> None:
        visitor.open("playground")
        self.page = visitor.page
        self.choose(model)
        if max_tokens:
            self.page.get_by_label("Max. tokens").fill(str(max_tokens))

    @property
    def message(self) -> Locator:
        """Where the next message is written."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def stop(self) -> Locator:
        """There while an answer is being written."""
        return self.page.get_by_role("button", name="Stop", exact=True)

    @property
    def asked(self) -> Locator:
        """The user's messages."""
        return self.page.locator(".turn.user")

    @property
    def answers(self) -> Locator:
        """The models' messages."""
        return self.page.locator(".turn.assistant")

    def choose(self, model: str) -> None:
        """Choose a model."""
        self.page.get_by_label("Model", exact=True).select_option(model)

    def ask(self, text: str) -> Locator:
        """Send a message; the answer that begins."""
        count = self.answers.count()
        self.message.fill(text)
        self.message.press("Enter")
        expect(self.answers).to_have_count(count + 1)
        return self.answers.last

    def whole(self, text: str) -> Locator:
        """Send a message and wait for the answer's end."""
        answer = self.ask(text)
        ended(answer)
        return answer


def ended(answer: Locator) -> None:
    """Wait until an answer is whole, stopped or failed."""
    expect(answer).to_have_attribute("aria-busy", "false")


def begun(answer: Locator) -> None:
    """Wait until an answer is being written, and not yet whole."""
    expect(answer.locator(".prose")).not_to_be_empty()
    expect(answer).to_have_attribute("aria-busy", "true")
