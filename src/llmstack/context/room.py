"""The window divided between the prompt and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.context.settings import Room
from llmstack.dialects.reserve import output_reserve

if TYPE_CHECKING:
    from llmstack.context.settings import ContextSettings

#: A margin never takes more than this part of a window.
_MARGIN_PART = 16


def room_of(window: int, max_output: int | None, settings: ContextSettings) -> Room:
    """The room in a ``window`` for a request that asks for ``max_output`` tokens."""
    output = output_reserve(window, max_output)
    return Room(window, window - output - _margin(window, settings), output)


def free_output(room: Room, prompt: float, settings: ContextSettings) -> int:
    """The most that an answer to a prompt of ``prompt`` tokens can have, at least 1."""
    return max(1, int(room.window - _margin(room.window, settings) - prompt))


def begins_at(room: Room, settings: ContextSettings) -> float:
    """The prompt's size above which the policy acts."""
    # A step of llm_assisted may cost a summary: it waits until it must, to be worth one.
    if settings.policy != "always":
        return room.prompt
    return min(1.0, settings.trigger) * room.prompt


def summary_tokens(room: Room) -> int:
    """The most that a summary may have: an eighth of the prompt, within one to four thousand."""
    return max(min(1024, room.prompt // 4), min(4096, room.prompt // 8))


def _margin(window: int, settings: ContextSettings) -> int:
    return min(settings.margin, window // _MARGIN_PART)
