"""What a server says when a prompt was too long for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

#: Statuses with which servers refuse a prompt for its length; 413 and 422 are rare.
_STATUSES: Final = (400, 413, 422, 500)
#: No error needs more, in bytes and characters.
_LONGEST: Final = 64 * 1024
_SHOWN: Final = 4000
_MOST: Final = 1 << 40

_NUMBER: Final = r"(\d[\d,_]{0,18})"
#: How servers name window and prompt, in that order of preference. Sources: the error texts of
#: llama-server, OpenAI, vLLM, OpenRouter, Anthropic and Bedrock, Gemini, Mistral, SGLang and TGI.
_WINDOW: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:maximum|max|model'?s?) context (?:length|window)(?: is| of|:)?(?: only)? {_NUMBER}",
        rf"available context size \({_NUMBER} tokens\)",
        rf"tokens? > {_NUMBER} (?:maximum|tokens)",
        rf"maximum (?:number of )?tokens allowed \({_NUMBER}\)",
        rf"context (?:length|window|size)(?: limit)?(?: is| of|:) {_NUMBER}",
        rf"\bn_ctx\D{{1,3}}{_NUMBER}",
    )
)
_PROMPT: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER} tokens? > ",
        rf"request \({_NUMBER} tokens\) exceeds",
        rf"input token count \({_NUMBER}\)",
        rf"\({_NUMBER} (?:in the messages|of text input|input tokens|in the prompt)",
        rf"messages? resulted in {_NUMBER} tokens",
        rf"prompt contains (?:at least )?{_NUMBER}(?: input)? tokens",
        rf"passed {_NUMBER} input tokens",
    )
)
_SAYS_SO: Final = re.compile(
    r"exceed_context_size|context_length_exceeded|context (?:length|window|size)|"
    r"prompt is too long|input is too long|too many (?:input )?tokens|"
    r"exceeds? (?:the )?(?:maximum|available|model)[^.]{0,60}(?:tokens|context)",
    re.IGNORECASE,
)
#: Limits of another kind, which may speak of too many tokens too.
_OTHERS: Final = re.compile(r"throttl|rate limit|too many requests|per (?:minute|day)", re.I)


@dataclass(frozen=True, slots=True)
class Overflow:
    """A prompt that was too long. Tokens; 0 is not told."""

    window: int = 0
    prompt: int = 0


def read_overflow(status: int, body: bytes) -> Overflow | None:
    """What an answer with ``status`` tells of a prompt that did not fit; None if that is not it."""
    if status not in _STATUSES or len(body) > _LONGEST:
        return None
    text = body.decode("utf-8", "replace")
    error = _error_of(body)
    message = error.get("message")
    said = (message if isinstance(message, str) else text)[:_SHOWN]
    kinds = " ".join(str(error.get(name))[:100] for name in ("type", "code"))
    if not _SAYS_SO.search(f"{kinds} {said}") or _OTHERS.search(said):
        return None
    window = _count(error.get("n_ctx")) or _first(_WINDOW, said)
    prompt = _count(error.get("n_prompt_tokens")) or _first(_PROMPT, said)
    return Overflow(window, prompt)


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    if isinstance(told, list) and told:  # Gemini's
        told = told[0]
    if not isinstance(told, dict):
        return {}
    error = told.get("error", told)
    return error if isinstance(error, dict) else {"message": error}


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> int:
    for pattern in patterns:
        if found := pattern.search(text):
            return _count(int(re.sub(r"\D", "", found[1])))
    return 0


def _count(value: object) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST
    return value if usable and isinstance(value, int) else 0
