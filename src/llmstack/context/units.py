"""Items that belong together become units, the same way for every API.

An API's module says of each item what it is (``Seen``); here calls meet their results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from llmstack.context.calls import looks_failed
from llmstack.context.content import Weight, is_placeholder
from llmstack.context.history import ToolResult, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.context.history import Kind

Role = Literal["system", "user", "assistant", "result", "other"]


@dataclass(slots=True, eq=False)
class Call:
    """A tool call; ``id`` is None where the client gave none."""

    id: str | None
    tool: str
    about: str
    answered: bool = False


@dataclass(slots=True, eq=False)
class Found:
    """A tool's result. ``text`` is None where it is nothing that a text could replace."""

    call: str | None
    block: int | None
    text: str | None
    error: bool | None = None
    answers: Call | None = None


@dataclass(slots=True)
class Seen:
    """One item. ``words`` says that a user speaks in it.

    ``turn`` says that it goes with an assistant's item before it, since both are of one turn.
    """

    role: Role
    weight: Weight = field(default_factory=Weight)
    calls: Sequence[Call] = ()
    results: Sequence[Found] = ()
    words: bool = False
    turn: bool = False


def build(seen: Sequence[Seen]) -> tuple[Unit, ...]:
    """The units of all items, in order."""
    inner = _Ties(seen).found()
    bounds = [index for index in range(len(seen)) if not inner[index]] + [len(seen)]
    return tuple(_unit(seen, start, end) for start, end in pairwise(bounds))


def spoken_units(units: Sequence[Unit], seen: Sequence[Seen]) -> tuple[int | None, int | None]:
    """The first and the last unit in which the user speaks."""
    speaking = [
        number
        for number, unit in enumerate(units)
        if any(item.words for item in seen[unit.start : unit.end])
    ]
    return (speaking[0], speaking[-1]) if speaking else (None, None)


@dataclass(slots=True, eq=False)
class _Asked:
    """Calls that are waiting for results, answered in order."""

    place: int
    calls: list[Call] = field(default_factory=list)
    answered: int = 0

    def answer(self, *, again: bool) -> Call | None:
        """The next call without a result; else the last one when it may be answered ``again``."""
        while self.answered < len(self.calls):
            call = self.calls[self.answered]
            self.answered += 1
            if not call.answered:
                call.answered = True
                return call
        return self.calls[-1] if again and self.calls else None


class _Ties:
    """Finds which items go with the item before them, and the call of each result."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self._seen = seen
        self._depth = [0] * (len(seen) + 1)
        # An id may occur again: the latest calls of that name count.
        self._known: dict[str, _Asked] = {}
        # The turn that is being answered.
        self._latest: _Asked | None = None

    def found(self) -> list[bool]:
        """For each item whether it goes with the one before it."""
        for index, item in enumerate(self._seen):
            follows = item.turn and index > 0 and self._seen[index - 1].turn
            if follows:
                self._tie(index - 1, index)
            for result in item.results:
                self._answer(index, result)
            if item.calls:
                self._ask(index, item.calls, follows=follows)
            elif item.role != "result":
                self._latest = None
        running, inner = 0, []
        for change in self._depth[:-1]:
            running += change
            inner.append(running > 0)
        return inner

    def _tie(self, first: int, last: int) -> None:
        self._depth[first + 1] += 1
        self._depth[last + 1] -= 1

    def _ask(self, index: int, calls: Sequence[Call], *, follows: bool) -> None:
        if self._latest is None or not follows:
            self._latest = _Asked(index)
        self._latest.place = index
        self._latest.calls.extend(calls)
        for call in calls:
            if call.id is not None:
                known = self._known.get(call.id)
                if known is None or known.place != index:
                    known = self._known[call.id] = _Asked(index)
                known.calls.append(call)

    def _answer(self, index: int, result: Found) -> None:
        # Without an id that says more, a result answers the turn right before it.
        asked = self._known.get(result.call, self._latest) if result.call else self._latest
        if asked is None:
            return
        call = asked.answer(again=result.call is not None)
        result.answers = call or Call(None, "", "")
        self._tie(asked.place, index)


def _unit(seen: Sequence[Seen], start: int, end: int) -> Unit:
    items = seen[start:end]
    weights = [item.weight for item in items]
    return Unit(
        kind=_kind(items),
        start=start,
        end=end,
        text_chars=sum(weight.text for weight in weights),
        other_chars=sum(weight.other for weight in weights),
        wide_chars=sum(weight.wide for weight in weights),
        images=sum(weight.images for weight in weights),
        results=tuple(
            _result(index, found, found.answers, found.text)
            for index, item in enumerate(items, start)
            for found in item.results
            if found.answers is not None and found.text is not None
        ),
        open=any(not call.answered for item in items for call in item.calls),
    )


def _kind(items: Sequence[Seen]) -> Kind:
    if any(item.calls or any(found.answers for found in item.results) for item in items):
        return "round"
    role = items[0].role
    if role == "result":  # of a call that is not there
        return "user" if items[0].words else "other"
    return role


def _result(index: int, found: Found, call: Call, text: str) -> ToolResult:
    cleared = is_placeholder(text)
    return ToolResult(
        item=index,
        block=found.block,
        call=found.call or call.id or "",
        tool=call.tool,
        about=call.about,
        chars=len(text),
        sha=sha256(text.encode("utf-8", "replace")).hexdigest(),
        error=not cleared and (looks_failed(text) if found.error is None else found.error),
        cleared=cleared,
    )
