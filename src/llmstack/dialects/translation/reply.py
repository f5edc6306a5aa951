"""An answer in no API's words: events as they come, and the whole that they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

#: Why a model stopped. ``stop`` is its own end; ``stop_sequence`` one of the request's.
Reason = Literal["stop", "stop_sequence", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More of what the model thinks; ``signature`` and ``redacted`` as in ``Thinking``."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


@dataclass(frozen=True, slots=True)
class ToolStart:
    """A call begins; ``index`` counts the calls of this answer from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolDelta:
    """More of the JSON text of the arguments of call ``index``."""

    index: int
    arguments: str


class Usage(msgspec.Struct, frozen=True):
    """Tokens.

    ``input`` counts all of the prompt, with ``cached`` (read) and ``cache_written``; ``output``
    all that was written, with ``reasoning``.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The model stopped. At most ``Usage`` comes after it."""

    reason: Reason
    stop_sequence: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer ends in an error.

    ``status`` is the HTTP status it would have had at first; ``retry_after`` is in seconds.
    """

    status: int
    message: str
    code: str = ""
    retry_after: float | None = None


#: What is told when an answer has no end.
BROKEN = Failed(502, "The model's answer broke off before its end.", "bad_gateway")

Event = TextDelta | ThinkingDelta | ToolStart | ToolDelta | Usage | Finished | Failed


@dataclass(frozen=True, slots=True)
class Origin:
    """What every answer says of itself: an id without prefix, its model, seconds since 1970."""

    id: str
    model: str
    created: int
