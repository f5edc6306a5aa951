"""Names and ids as Converse takes them, and the way back.

A tool's name is of ``[a-zA-Z0-9_-]``, at most 64 long; a call's id has the same alphabet here,
which is narrower than Converse's, because Claude refuses the rest.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from llmstack.dialects.translation.conversation import ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.dialects.translation.conversation import Conversation

LONGEST = 64
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


class Names:
    """Gives every name its own valid name, always the same one for the same sequence of names."""

    def __init__(self) -> None:
        self._valid: dict[str, str] = {}
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def of(self, name: str) -> str:
        """The valid name of ``name``; itself when it is valid."""
        if name not in self._valid:
            self._valid[name] = self.fresh(name)
        return self._valid[name]

    def fresh(self, name: str) -> str:
        """A valid name that nothing has yet, like ``name``."""
        valid = cleaned(name)
        # Where it went on counting last time: one id may come thousands of times.
        count = self._counts.get(name, 1)
        while valid in self._taken:
            count += 1
            valid = _hashed(f"{name}\0{count}", cleaned(name))
        self._counts[name] = count
        self._taken.add(valid)
        return valid

    def back(self) -> dict[str, str]:
        """Valid names to what they were."""
        return {valid: name for name, valid in self._valid.items()}


def cleaned(name: str) -> str:
    """``name`` in Converse's alphabet; what would be too long ends in a hash of the whole."""
    valid = _FOREIGN.sub("_", name)
    if not valid:
        return "unnamed"
    return valid if len(valid) <= LONGEST else _hashed(name, valid)


def _hashed(whole: str, shown: str) -> str:
    digest = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{shown[: LONGEST - 11]}_{digest}"


def tool_names(conversation: Conversation) -> Names:
    """The names of all tools of ``conversation``, valid ones first: these keep their name."""
    names = list(_mentioned(conversation))
    known = Names()
    for name in sorted(dict.fromkeys(names), key=lambda name: cleaned(name) != name):
        known.of(name)
    return known


def _mentioned(conversation: Conversation) -> Iterator[str]:
    for tool in conversation.tools:
        yield tool.name
    if conversation.tool_choice and conversation.tool_choice.kind == "named":
        yield conversation.tool_choice.name
    for turn in conversation.turns:
        for block in turn.blocks:
            if isinstance(block, ToolUse):
                yield block.name
