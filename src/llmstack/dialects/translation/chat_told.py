"""What one message or delta of an upstream's chat completion says. Odd values say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.reply import Finished, ThinkingDelta, Usage
from llmstack.dialects.translation.tolerant import a_count, a_list, a_text, an_object

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
        content = "".join(a_text(one.get("text")) for one in _typed(content, "text"))
    return a_text(content) or a_text(told.get("refusal"))


def thinking_of(told: dict[str, Any]) -> str:
    """Thoughts. Some upstreams send them under both names."""
    plain = a_text(told.get("reasoning_content")) or a_text(told.get("reasoning"))
    content = told.get("content")
    if plain or not isinstance(content, list):
        return plain
    return "".join(text_of({"content": one.get("thinking")}) for one in _typed(content, "thinking"))


def details_of(told: dict[str, Any]) -> list[Event]:
    """Signatures and encrypted thoughts. Their text comes as plain thinking beside them."""
    events: list[Event] = []
    for one in a_list(told.get("reasoning_details")):
        if not isinstance(one, dict):
            continue
        if one.get("type") == "reasoning.encrypted" and a_text(one.get("data")):
            events.append(ThinkingDelta(redacted=one["data"]))
        elif a_text(one.get("signature")):
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
    prompt = an_object(usage.get("prompt_tokens_details"))
    written = an_object(usage.get("completion_tokens_details"))
    return Usage(
        input=a_count(usage.get("prompt_tokens")),
        output=a_count(usage.get("completion_tokens")),
        cached=a_count(prompt.get("cached_tokens"))
        or a_count(usage.get("prompt_cache_hit_tokens")),
        cache_written=a_count(prompt.get("cache_write_tokens"))
        or a_count(usage.get("cache_creation_input_tokens")),
        reasoning=a_count(written.get("reasoning_tokens")),
    )


def _typed(parts: list[Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in parts if isinstance(one, dict) and one.get("type") == kind]
