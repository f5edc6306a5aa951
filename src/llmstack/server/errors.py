"""Errors as the client's own dialect spells them."""

from __future__ import annotations

from copy import copy
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.translation.messages_error import error_type
from llmstack.errors import ConcurrencyLimit, ContextOverflow, ModelUnloaded, StartFailed

if TYPE_CHECKING:
    from llmstack.errors import RequestError
    from llmstack.server.asgi import Scope

#: In the scope of a request to a stack's gateway.
OWN_WORDS = "llmstack.own_words"

#: Who speaks in an error; clients of llama-swap look for exactly this.
SOURCE = "llama-swap"

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "authentication_error",
    429: "rate_limit_error",
}
#: Routes of Ollama's API. ``/api/version`` is llama-swap's too, whose errors it keeps.
OLLAMA_PATHS = frozenset(
    f"/api/{name}" for name in ("chat", "embed", "embeddings", "generate", "ps", "show", "tags")
)
_PAGE = "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><p>{1}</p></body></html>\n"


def error_object(error: RequestError, path: str) -> dict[str, Any]:
    """The JSON object for ``error`` in the dialect of ``path``: Anthropic's, Ollama's or OpenAI's.

    Both carry ``src`` beside ``error`` as llama-swap's does.
    """
    message = _message(error)
    if path in OLLAMA_PATHS:
        return {"error": message}
    if path.startswith("/v1/messages"):
        kind = error_type(error.status)
        if isinstance(error, ContextOverflow):  # Anthropic's own words: Claude Code waits for them
            message = (
                f"prompt is too long: {error.n_prompt_tokens} tokens > {error.maximum} maximum"
            )
        return {"src": SOURCE, "type": "error", "error": {"type": kind, "message": message}}
    kind = _OPENAI_TYPES.get(
        error.status, "server_error" if error.status >= 500 else "invalid_request_error"
    )
    told: dict[str, Any] = {"message": message, "type": kind, "param": None, "code": error.code}
    if isinstance(error, ContextOverflow):
        told["param"] = "input" if path.startswith("/v1/responses") else "messages"
        told |= {"n_prompt_tokens": error.n_prompt_tokens, "n_ctx": error.n_ctx}
    return {"src": SOURCE, "error": told}


def in_own_words(error: RequestError, scope: Scope) -> RequestError:
    """``error`` as a stack's gateway tells it: 503 for what cannot be loaded, 504 for too late.

    llama-swap has 500 for both, which the engine's own door keeps. An error may be told to several
    clients, so it is not changed.
    """
    if error.own is None or OWN_WORDS not in scope:
        return error
    told = copy(error)
    told.status, told.code = error.own
    return told


def _message(error: RequestError) -> str:
    """What clients read. llmstack's own words stand behind those that llama-swap begins with."""
    unspecific = isinstance(error, StartFailed | ModelUnloaded)
    return f"unspecific error: {error}" if unspecific else str(error)


def error_body(error: RequestError, path: str) -> bytes:
    """``error_object`` as JSON."""
    return msgspec.json.encode(error_object(error, path))


def error_answer(error: RequestError, path: str, accept: bytes) -> tuple[bytes, bytes]:
    """Content type and body of ``error`` for a client with that ``Accept`` header.

    Text or HTML when it names them, else JSON; the concurrency limit (llama-swap's behaviour
    report, section 3.3) and a prompt that is too long are always JSON: programs act on their codes.
    """
    if not isinstance(error, ConcurrencyLimit | ContextOverflow):
        if b"text/plain" in accept:
            return b"text/plain; charset=utf-8", f"{SOURCE}: {_message(error)}".encode()
        if b"text/html" in accept:
            return b"text/html; charset=utf-8", _PAGE.format(
                SOURCE, escape(_message(error))
            ).encode()
    return b"application/json", error_body(error, path)


def error_event(error: RequestError, path: str) -> bytes:
    """``error`` as a server-sent event, for a stream that has already begun.

    It begins with blank lines: the stream may have broken off within a line, which the error must
    not become part of. Between events they mean nothing.
    """
    name = b"event: error\n" if path.startswith("/v1/messages") else b""
    return b"\n\n" + name + b"data: " + error_body(error, path) + b"\n\n"
