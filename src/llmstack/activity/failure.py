"""What an answer that is no success says about its reason (llama-swap's rules, section 5.4)."""

from __future__ import annotations

import json
from http import HTTPStatus

#: Longest message in bytes.
_LONGEST = 500
#: Where servers put the message, in the order in which it is looked for.
_PLACES = (("error", "message"), ("error",), ("message",), ("detail",))


def error_message(status: int, body: bytes) -> str:
    """The message of an error answer, or the status and its name when it has none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    for place in _PLACES:
        value = answer
        for name in place:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return shortened(value)
    return f"{status} {reason(status)}".rstrip()


def told_problem(event: bytes) -> str:
    """Why a stream failed, if ``event`` of it says so; else empty.

    An error is the member ``error`` in most APIs; of the responses API an event of type ``error``,
    or a response that failed.
    """
    try:
        told = json.loads(event)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    failed = told.get("response") if told.get("type") == "response.failed" else told
    error = failed.get("error") if isinstance(failed, dict) else None
    if not error:
        if told.get("type") != "error":
            return ""
        error = told
    message = error.get("message") if isinstance(error, dict) else error
    return shortened(message) if isinstance(message, str) and message else "the answer failed"


def reason(status: int) -> str:
    """The standard name of an HTTP status, empty for numbers without one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def shortened(text: str) -> str:
    """``text`` as it is kept: without what is longer than 500 bytes."""
    written = text.encode("utf-8", "replace")
    if len(written) <= _LONGEST:
        return written.decode()
    return written[:_LONGEST].decode("utf-8", "ignore") + "..."
