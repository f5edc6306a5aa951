"""The turns of a request, put together from its messages in their order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.dialects.translation.conversation import Text, ToolResult, ToolUse, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.dialects.translation.conversation import Block, Role

#: What a late instruction stands between, so that the model sees that no user wrote it.
MARKS = ("<system>\n", "\n</system>")


class Spoken:
    """Collects what the messages say: ``system`` before the first turn, and ``turns``."""

    def __init__(self) -> None:
        self.system: list[Text] = []
        self._turns: list[Turn] = []
        self._waiting: list[Text] = []

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns so far."""
        return (*self._turns, *self._instructions())

    def say(self, role: Role, blocks: Sequence[Block], *, join: bool = False) -> None:
        """Add a turn of ``blocks``, none for none. ``join``: it goes on with the turn before it.

        Results of one round of calls are one turn, however many messages they came in.
        """
        if not blocks:
            return
        if self._waiting and not _has_results(blocks):
            self._turns += self._instructions()
            self._waiting.clear()
        last = self._turns[-1] if self._turns else None
        if last is not None and last.role == role:
            results = _only_results(last.blocks) and _only_results(blocks)
            if join or results:
                self._turns[-1] = Turn(role, (*last.blocks, *blocks))
                return
        self._turns.append(Turn(role, tuple(blocks)))

    def instruct(self, texts: Sequence[Text]) -> bool:
        """Add a system or developer message; whether it keeps its authority.

        The first ones are the system prompt. A later one keeps its place, as a user's turn between
        ``MARKS``: few upstreams take it as what it is, and moving it to the front would change the
        beginning of the prompt, which a cache has kept. It stands behind the results of the calls
        that are open, since nothing may come between these.
        """
        if not self._turns:
            self.system += texts
            return True
        said = [text for text in texts if text.text.strip()]
        begin, end = MARKS
        self._waiting += [replace(text, text=f"{begin}{text.text}{end}") for text in said]
        last = self._turns[-1].blocks
        if not _has_results(last) and not any(isinstance(block, ToolUse) for block in last):
            self._turns += self._instructions()
            self._waiting.clear()
        return not said

    def _instructions(self) -> list[Turn]:
        return [Turn("user", tuple(self._waiting))] if self._waiting else []


def _only_results(blocks: Sequence[Block]) -> bool:
    return all(isinstance(block, ToolResult) for block in blocks)


def _has_results(blocks: Sequence[Block]) -> bool:
    return any(isinstance(block, ToolResult) for block in blocks)
