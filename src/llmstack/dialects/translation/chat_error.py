"""What went wrong at an upstream that speaks chat completions, as the end of an answer."""

from __future__ import annotations

import re
from typing import Any

from llmstack.dialects.ollama_piece import error_text, number
from llmstack.dialects.translation.reply import Failed
from llmstack.dialects.translation.tolerant import a_list, a_text, an_object

#: HTTP statuses of the types of errors, by words in them.
_STATUS = {
    "rate_limit": 429,
    "overloaded": 503,
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "timeout": 504,
}
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s?")
#: Thirty days: quotas are per month at most.
_LONGEST = 30 * 86400
#: Of a provider's own words behind OpenRouter's "Provider returned error".
_RAW_LIMIT = 500


def chat_failed(told: dict[str, Any]) -> Failed | None:
    """The error that ``told`` holds, in the form of OpenAI, OpenRouter, Google, vLLM or Ollama."""
    error = told.get("error")
    if not error and told.get("object") != "error":
        return None
    inner = error if isinstance(error, dict) else told
    message = error_text(error or told) or "The upstream failed and does not say why."
    metadata = an_object(inner.get("metadata"))
    if raw := a_text(metadata.get("raw")):
        message = f"{message}: {raw[:_RAW_LIMIT]}"
    kind = inner.get("type")
    status = next((_STATUS[word] for word in _STATUS if word in str(kind)), 502)
    code = inner.get("code")
    for given in (code, inner.get("status"), inner.get("status_code"), told.get("code")):
        if isinstance(given, int) and not isinstance(given, bool) and 400 <= given <= 599:
            status = given
            break
    return Failed(status, message, a_text(code), _retry_after(inner, metadata))


def _retry_after(error: dict[str, Any], metadata: dict[str, Any]) -> float | None:
    """Seconds, where a body says them: OpenRouter's metadata, Google's RetryInfo ("34s").

    OpenRouter's ``X-RateLimit-Reset`` is a time of day, which nothing here knows.
    """
    headers = {name.lower(): value for name, value in an_object(metadata.get("headers")).items()}
    delays = [an_object(detail).get("retryDelay") for detail in a_list(error.get("details"))]
    for given in (
        metadata.get("retry_after_seconds"),
        headers.get("retry-after"),
        error.get("retry_after"),
        *delays,
    ):
        found = _SECONDS.fullmatch(given.strip()) if isinstance(given, str) else None
        seconds = float(found[1]) if found else number(given)
        if seconds is not None and seconds <= _LONGEST:
            return float(seconds)
    return None
