"""The turns of a request, put together from its messages in their order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from llmstack.dialects.translation.conversation import Text, ToolResult, ToolUse, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.dialects.translation.conversation import Block, Role

#: What a late instruction stands between, so that the model sees that no user wrote it.
MARKS = ("<system>\n", "\n</system>")


@dataclass(slots=True)
class _Growing:
    """A turn that may go on. ``calling``: it calls tools, or tells what they gave."""

    role: Role
    blocks: list[Block] = field(default_factory=list)
    only_results: bool = True
    calling: bool = False

    def add(self, blocks: Sequence[Block]) -> None:
        self.blocks += blocks
        self.only_results = self.only_results and _only_results(blocks)
        self.calling = self.calling or _are_of_calls(blocks)


class Spoken:
    """Collects what the messages say: ``system`` before the first turn, and ``turns``."""

    def __init__(self) -> None:
        self.system: list[Text] = []
        self._growing: list[_Growing] = []
        self._waiting: list[Text] = []

    def __len__(self) -> int:
        return len(self._growing) + bool(self._waiting)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns so far."""
        told = [Turn(one.role, tuple(one.blocks)) for one in self._growing]
        return (*told, *([Turn("user", tuple(self._waiting))] if self._waiting else []))

    def say(self, role: Role, blocks: Sequence[Block], *, join: bool = False) -> None:
        """Add a turn of ``blocks``, none for none. ``join``: it goes on with the turn before it.

        Results of one round of calls are one turn, however many messages they came in.
        """
        if not blocks:
            return
        if self._waiting and not any(isinstance(block, ToolResult) for block in blocks):
            self._flush()
        last = self._growing[-1] if self._growing else None
        goes_on = join or (last is not None and last.only_results and _only_results(blocks))
        if last is None or last.role != role or not goes_on:
            last = _Growing(role)
            self._growing.append(last)
        last.add(blocks)

    def instruct(self, texts: Sequence[Text]) -> bool:
        """Add a system or developer message; whether it keeps its authority.

        The first ones are the system prompt. A later one keeps its place, as a user's turn between
        ``MARKS``: few upstreams take it as what it is, and moving it to the front would change the
        beginning of the prompt, which a cache has kept. It stands behind the results of the calls
        that are open, since nothing may come between these.
        """
        if not self._growing:
            self.system += texts
            return True
        said = [text for text in texts if text.text.strip()]
        begin, end = MARKS
        self._waiting += [replace(text, text=f"{begin}{text.text}{end}") for text in said]
        if not self._growing[-1].calling:
            self._flush()
        return not said

    def _flush(self) -> None:
        if self._waiting:
            self._growing.append(_Growing("user"))
            self._growing[-1].add(self._waiting)
            self._waiting.clear()


def _only_results(blocks: Sequence[Block]) -> bool:
    return all(isinstance(block, ToolResult) for block in blocks)


def _are_of_calls(blocks: Sequence[Block]) -> bool:
    return any(isinstance(block, ToolUse | ToolResult) for block in blocks)
