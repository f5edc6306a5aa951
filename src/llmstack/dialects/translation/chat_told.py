"""What one message or delta of an upstream's chat completion says. Odd values say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.ollama_piece import number
from llmstack.dialects.translation.reply import Finished, ThinkingDelta, Usage

if TYPE_CHECKING:
    from llmstack.dialects.translation.reply import Event

_REASONS = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
    "stop_sequence": "stop_sequence",
}


def text_of(told: dict[str, Any]) -> str:
    """The words: a string, or Mistral's array of parts, or a refusal."""
    content = told.get("content")
    if isinstance(content, list):
        content = "".join(_string(one.get("text")) for one in _typed(content, "text"))
    return _string(content) or _string(told.get("refusal"))


def thinking_of(told: dict[str, Any]) -> str:
    """Thoughts. Some upstreams send them under both names."""
    plain = _string(told.get("reasoning_content")) or _string(told.get("reasoning"))
    content = told.get("content")
    if plain or not isinstance(content, list):
        return plain
    return "".join(text_of({"content": one.get("thinking")}) for one in _typed(content, "thinking"))


def details_of(told: dict[str, Any]) -> list[Event]:
    """Signatures and encrypted thoughts. Their text comes as plain thinking beside them."""
    details = told.get("reasoning_details")
    events: list[Event] = []
    for one in details if isinstance(details, list) else []:
        if not isinstance(one, dict):
            continue
        if one.get("type") == "reasoning.encrypted" and _string(one.get("data")):
            events.append(ThinkingDelta(redacted=one["data"]))
        elif _string(one.get("signature")):
            events.append(ThinkingDelta(signature=one["signature"]))
    return events


def finish_reason(reason: str, stopped: Any, *, calls: bool) -> Finished:
    """Why it stopped. ``stopped`` is vLLM's ``stop_reason``; ``calls``: whether it called tools."""
    word = _REASONS.get(reason.lower(), "stop")
    if word in {"stop", "stop_sequence"}:
        # Ollama and some servers before it say "stop" after a call.
        if calls:
            return Finished("tool_calls")
        if isinstance(stopped, str) and stopped:
            return Finished("stop_sequence", stopped)
    match word:
        case "length" | "tool_calls" | "content_filter" | "stop_sequence":
            return Finished(word)
    return Finished("stop")


def usage_of(told: dict[str, Any]) -> Usage | None:
    """Tokens, with OpenAI's details, OpenRouter's writes to the cache, or DeepSeek's hits."""
    usage = told.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = _object(usage, "prompt_tokens_details")
    written = _object(usage, "completion_tokens_details")
    return Usage(
        input=_count(usage.get("prompt_tokens")),
        output=_count(usage.get("completion_tokens")),
        cached=_count(prompt.get("cached_tokens")) or _count(usage.get("prompt_cache_hit_tokens")),
        cache_written=_count(prompt.get("cache_write_tokens"))
        or _count(usage.get("cache_creation_input_tokens")),
        reasoning=_count(written.get("reasoning_tokens")),
    )


def _typed(parts: list[Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in parts if isinstance(one, dict) and one.get("type") == kind]


def _object(members: dict[str, Any], name: str) -> dict[str, Any]:
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return int(number(value) or 0)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
