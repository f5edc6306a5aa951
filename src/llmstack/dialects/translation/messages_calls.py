"""Calls of tools, put one behind the other.

In a stream of Anthropic's API a block ends before the next one begins. Others may begin a second
call before the first has its arguments, or send the arguments of several in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmstack.dialects.translation.tolerant import json_object

#: What holds arguments that are no JSON object, as Anthropic's guide to streamed tools has it.
INVALID = "INVALID_JSON"


@dataclass(slots=True)
class Call:
    """One call. ``due`` are the arguments that are not yet sent, ``text`` all that came."""

    id: str
    name: str
    due: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def whole(self) -> bool:
        """Whether nothing can be missing from the arguments."""
        last = self.text[-1].rstrip() if self.text else ""
        if last and not last.endswith("}"):
            # Most pieces end within the object: nothing to join and parse then.
            return False
        return json_object("".join(self.text)) is not None


class Calls:
    """The calls that have begun and not ended, in order. The first of them is being sent."""

    def __init__(self) -> None:
        self._open: dict[int, Call] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def begin(self, index: int, call: Call) -> None:
        """Put ``call`` behind the others."""
        self._open.setdefault(index, call)

    def add(self, index: int, arguments: str) -> None:
        """More arguments of a call. Behind a whole object nothing but space can come."""
        call = self._open.get(index)
        if call is not None and arguments:
            call.due.append(arguments)
            call.text.append(arguments)

    def first(self) -> Call:
        """The call that is being sent. Raises StopIteration when there is none."""
        return next(iter(self._open.values()))

    def whole(self) -> bool:
        """Whether all of them have all their arguments."""
        return all(call.whole() for call in self._open.values())

    def ends(self) -> bool:
        """Whether the first call can give way to the one behind it."""
        return len(self._open) > 1 and self.first().whole()

    def drop_first(self) -> None:
        """Forget the first call: it has ended."""
        self._open.pop(next(iter(self._open)), None)


def arguments_object(text: str) -> dict[str, Any]:
    """The arguments as an object; those that are none stand in one as they came."""
    if not text.strip():
        return {}
    found = json_object(text)
    return {INVALID: text} if found is None else found
