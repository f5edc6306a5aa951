"""The calls of an upstream's answer, put together from deltas that may leave out much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.translation.reply import ToolDelta, ToolStart
from llmstack.dialects.translation.tolerant import a_list, a_text, an_object

if TYPE_CHECKING:
    from llmstack.dialects.translation.reply import Event


@dataclass(slots=True)
class _Open:
    """A call of which ``number`` is None until its name is known; ``held`` waits for that."""

    id: str
    number: int | None = None
    held: str = ""


class Calls:
    """Counts calls from 0, whatever their indexes are. ``made`` begins ids that are made up."""

    def __init__(self, made: str) -> None:
        self._made = made
        self._count = 0
        self._open: dict[object, _Open] = {}
        self._last: object = None

    @property
    def any(self) -> bool:
        """Whether any call has begun."""
        return self._count > 0

    def take(self, told: dict[str, Any]) -> list[Event]:
        """What the calls of a message or delta add."""
        events: list[Event] = []
        for call in a_list(told.get("tool_calls")):
            if isinstance(call, dict):
                events += self._call(call)
        legacy = told.get("function_call")
        if isinstance(legacy, dict):
            events += self._call({"index": "function_call", "function": legacy})
        return events

    def _call(self, call: dict[str, Any]) -> list[Event]:
        function = an_object(call.get("function"))
        given, name = a_text(call.get("id")), a_text(function.get("name"))
        one = self._find(call.get("index"), given, name)
        arguments = function.get("arguments")
        if isinstance(arguments, (dict, list)):
            arguments = msgspec.json.encode(arguments).decode()
        one.held += a_text(arguments)
        events: list[Event] = []
        if one.number is None:
            if not name:
                return []
            one.number = self._count
            self._count += 1
            one.id = one.id or given or f"{self._made}_{one.number}"
            events.append(ToolStart(one.number, one.id, name))
        if one.held:
            events.append(ToolDelta(one.number, one.held))
            one.held = ""
        return events

    def _find(self, index: Any, given: str, name: str) -> _Open:
        """The call that is meant: by index, else by id, else the last one.

        Gemini's API and others give all calls the index 0 and tell them apart by id.
        """
        key: object = index if isinstance(index, (int, str)) else (given or self._last)
        if not isinstance(index, (int, str)) and name and not given:
            key = ("nameless", self._count)
        one = self._open.get(key)
        if one is None or (given and name and one.id and one.id != given):
            one = self._open[key] = _Open(given)
        self._last = key
        return one
