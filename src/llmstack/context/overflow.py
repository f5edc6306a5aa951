"""An upstream's own words for a prompt that is too long, and the numbers in them.

Sources: llama.cpp's server (``exceed_context_size_error`` with ``n_prompt_tokens`` and ``n_ctx``),
the API references of OpenAI and Anthropic, vLLM's and Ollama's messages, Bedrock's Converse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

#: Statuses that may tell of it. llama-server has used 500 before 400.
_STATUSES: Final = (400, 413, 422, 500)
#: An error body is short; nobody looks for words in megabytes.
_LONGEST: Final = 64 * 1024
_CODES: Final = (
    "exceed_context_size_error",
    "context_length_exceeded",
    "model_max_prompt_tokens_exceeded",
)
_WORDS: Final = re.compile(
    r"exceeds? the (?:available |model'?s )?context (?:size|window|length)"
    r"|maximum context length|context[ _]length[ _]exceeded|context length is only"
    r"|prompt is too long|input is too long|input length and `?max_tokens`? exceed context limit"
    r"|prompt too long|maximum model length|greater than the context length"
    r"|maximum prompt length is|input token count.{0,40}exceeds the maximum"
    r"|reduce the length of the (?:messages|prompt)|input length.{0,60}exceeds.{0,40}context length"
    r"|exceeds the limit of \d|context window exceeds limit|exceeded model token limit"
    r"|too many (?:input )?tokens",
    re.IGNORECASE,
)
#: Limits of another kind, which may speak of too many tokens too.
_OTHERS: Final = re.compile(r"throttl|rate limit|too many requests|per (?:minute|day)", re.I)
_N: Final = r"(\d[\d,]{0,11})"
#: Where the prompt's tokens are told, and where the window's: the first pattern that is found.
_PROMPT: Final = (
    rf"prompt is too long: {_N} tokens",
    rf"(?:request|prompt|input|task) \({_N} tokens\)",
    rf"messages resulted in {_N} tokens",
    rf"{_N} (?:tokens )?(?:in|from|of) (?:the |your )?(?:messages|prompt|input)",
    rf"passed {_N} input tokens|prompt contains (?:at least )?{_N}",
    rf"(?:prompt|request|input)(?: \(| length \(?| contains | has | of length ){_N}",
    rf"input token count \({_N}\)|prompt token count of {_N}|exceed context limit: {_N} \+",
    rf"(?:requested|requested about) {_N} tokens",
)
_WINDOW: Final = (
    rf"> {_N} maximum",
    rf"maximum (?:context|model|prompt) length (?:is|of) {_N}",
    rf"context (?:size|window|length)(?: is only| of| is)? ?\(?{_N}",
    rf"exceed context limit: [\d,]+ \+ [\d,]+ > {_N}",
    rf"exceeds the limit of {_N}|maximum number of tokens allowed \({_N}\)",
)


@dataclass(frozen=True, slots=True)
class Learned:
    """What an upstream said of its window and of the prompt it was sent, in tokens."""

    n_ctx: int | None = None
    n_prompt: int | None = None


def read_overflow(status: int, body: bytes) -> Learned | None:
    """What an error answer tells of a prompt that is too long; None when it tells something else.

    Bedrock says so without numbers.
    """
    if status not in _STATUSES or len(body) > _LONGEST:
        return None
    error, message = _error(body)
    named = error.get("code") in _CODES or error.get("type") in _CODES
    if not named and (not _WORDS.search(message) or _OTHERS.search(message)):
        return None
    return Learned(
        _number(error.get("n_ctx")) or _found(_WINDOW, message),
        _number(error.get("n_prompt_tokens")) or _found(_PROMPT, message),
    )


def _error(body: bytes) -> tuple[dict[str, Any], str]:
    """The error's members with plain values, and its message or all of the body's text."""
    text = body.decode("utf-8", "replace")
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}, text
    error = decoded.get("error", decoded) if isinstance(decoded, dict) else {}
    if isinstance(error, str):  # Ollama
        return {}, error
    if not isinstance(error, dict):
        return {}, text
    plain = {name: value for name, value in error.items() if isinstance(value, str | int)}
    message = plain.get("message")
    return plain, message if isinstance(message, str) else text


def _found(patterns: tuple[str, ...], message: str) -> int | None:
    for pattern in patterns:
        if found := re.search(pattern, message, re.IGNORECASE):
            number = next(group for group in found.groups() if group)
            return _number(int(number.replace(",", "")))
    return None


def _number(value: Any) -> int | None:
    plain = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9
    return value if plain else None
