"""Errors in the words of Anthropic's API (its API reference, "Errors")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from llmstack.dialects.translation.reply import Failed

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_type(status: int) -> str:
    """What Anthropic's API calls an error of that HTTP status."""
    return _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def error_object(failed: Failed) -> dict[str, Any]:
    """The JSON object for ``failed``; that of a stream's event ``error`` too."""
    error = {"type": error_type(failed.status), "message": failed.message}
    return {"type": "error", "error": error}


def error_body(failed: Failed) -> bytes:
    """``error_object`` as JSON."""
    return msgspec.json.encode(error_object(failed))
