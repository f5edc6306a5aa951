"""What one event of an answer says: OpenAI's chunks and whole answers, and llama-server's own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counts:
    """What has been told of tokens and times. Times are milliseconds, None for not told."""

    prompt: int = 0
    generated: int = 0
    prompt_ms: float | None = None
    generated_ms: float | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Note what ``event`` tells: ``usage``, or llama-server's ``timings``."""
        timings = event.get("timings")
        if isinstance(timings, dict):
            cached, new = number(timings.get("cache_n")), number(timings.get("prompt_n"))
            self.prompt = int((cached or 0) + (new or 0)) or self.prompt
            self.generated = int(number(timings.get("predicted_n")) or 0) or self.generated
            self.prompt_ms = _first(number(timings.get("prompt_ms")), self.prompt_ms)
            self.generated_ms = _first(number(timings.get("predicted_ms")), self.generated_ms)
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.prompt = int(number(usage.get("prompt_tokens")) or 0) or self.prompt
            self.generated = int(number(usage.get("completion_tokens")) or 0) or self.generated


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer. ``finish`` is OpenAI's reason, empty while there is more to come."""

    text: str = ""
    thinking: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    finish: str = ""


def piece_of(event: dict[str, Any]) -> Piece:
    """What ``event`` adds to the answer; an empty piece for one that only counts."""
    choices = event.get("choices")
    if not isinstance(choices, list):
        return _native(event)
    choice = choices[0] if choices else None
    if not isinstance(choice, dict):
        return Piece()
    told = choice.get("delta") or choice.get("message")
    if not isinstance(told, dict):
        told = {"content": choice.get("text")}
    calls = told.get("tool_calls")
    logprobs = choice.get("logprobs")
    words = logprobs.get("content") if isinstance(logprobs, dict) else None
    return Piece(
        text=_text(told.get("content")),
        thinking=_text(told.get("reasoning_content") or told.get("reasoning")),
        calls=[call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else [],
        logprobs=words if isinstance(words, list) else [],
        finish=_text(choice.get("finish_reason")),
    )


def error_text(value: Any) -> str:
    """The message of an error in OpenAI's form, Anthropic's, Ollama's or as plain text."""
    if isinstance(value, dict):
        for name in ("error", "message", "detail"):
            if found := error_text(value.get(name)):
                return found
        return ""
    return value if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """A number that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Whole numbers may be too large to ask whether they are finite.
    return value if 0 <= value < math.inf else None


def _native(event: dict[str, Any]) -> Piece:
    """llama-server's own completions, as ``/infill`` streams them."""
    if not event.get("stop"):
        return Piece(text=_text(event.get("content")))
    finish = "length" if event.get("stop_type") == "limit" else "stop"
    return Piece(text=_text(event.get("content")), finish=finish)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _first(value: float | None, otherwise: float | None) -> float | None:
    return otherwise if value is None else value
