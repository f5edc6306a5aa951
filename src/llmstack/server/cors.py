"""What browsers ask before a page of another origin may send a request.

Rules: llama-swap's behaviour report, section 3.1. In a stack, ``Access.enter`` has turned down
pages that may not ask before anything is answered here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.server.asgi import header

if TYPE_CHECKING:
    from llmstack.server.asgi import Message, Scope, Send

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_USUAL = b"Content-Type, Authorization, Accept, X-Requested-With"
_ALLOWED = b"access-control-allow-origin"
_KEYS = frozenset({b"authorization", b"x-api-key"})


def is_preflight(scope: Scope) -> bool:
    """Whether the request is an OPTIONS, on whatever path."""
    return bool(scope["type"] == "http" and scope["method"] == "OPTIONS")


def will_show_key(scope: Scope) -> bool:
    """Whether the request that a preflight announces comes with a key."""
    requested = header(scope, b"access-control-request-headers") or b""
    return any(name.strip().lower() in _KEYS for name in requested.split(b","))


async def answer_preflight(scope: Scope, send: Send) -> None:
    """Allow everything: what is behind has its own keys."""
    headers = [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        (
            b"access-control-allow-headers",
            _allowed(header(scope, b"access-control-request-headers")),
        ),
        (b"access-control-max-age", b"86400"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def admitting(send: Send, origin: bytes) -> Send:
    """``send`` for a page of ``origin`` that was let in: it may read what is answered."""

    async def admitted(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            if not any(name.lower() == _ALLOWED for name, _ in headers):
                ours = [(_ALLOWED, origin), (b"vary", b"Origin")]
                message = {**message, "headers": [*headers, *ours]}
        await send(message)

    return admitted


def _allowed(requested: bytes | None) -> bytes:
    """The requested header names that are ones."""
    if not requested:
        return _USUAL
    names = (name.strip() for name in requested.split(b","))
    return b", ".join(name for name in names if _TOKEN.fullmatch(name))
