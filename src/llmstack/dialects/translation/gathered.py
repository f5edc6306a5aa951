"""What the events of an answer add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.reply import (
    BROKEN,
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from llmstack.dialects.translation.thoughts import Thoughts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.dialects.translation.reply import Event


@dataclass(slots=True)
class Call:
    """One call of a tool."""

    id: str
    name: str
    arguments: str = ""


@dataclass(slots=True)
class Gathered:
    """A whole answer. ``details`` are the thoughts that a provider signed or encrypted."""

    text: str = ""
    thinking: str = ""
    details: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    usage: Usage | None = None
    ending: Finished | Failed = BROKEN


def gather(events: Iterable[Event]) -> Gathered:
    """All of ``events``; what comes after the end is left out, but for ``Usage``."""
    told, thoughts = Gathered(), Thoughts()
    text: list[str] = []
    thinking: list[str] = []
    calls: dict[int, tuple[Call, list[str]]] = {}
    over = False
    for event in events:
        if isinstance(event, Usage):
            told.usage = event
        if over:
            continue
        told.details += thoughts.take(event)
        match event:
            case TextDelta(more):
                text.append(more)
            case ThinkingDelta():
                thinking.append(event.text)
            case ToolStart(index, given, name):
                calls[index] = (Call(given, name), [])
            case ToolDelta(index, arguments) if index in calls:
                calls[index][1].append(arguments)
            case Finished() | Failed():
                told.ending, over = event, True
    told.text, told.thinking = "".join(text), "".join(thinking)
    for call, pieces in calls.values():
        call.arguments = "".join(pieces)
        told.calls.append(call)
    return told
