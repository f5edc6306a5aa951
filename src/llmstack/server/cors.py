"""What browsers ask before a page of another origin may send a request.

Rules: llama-swap's behaviour report, section 3.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.server.asgi import header

if TYPE_CHECKING:
    from llmstack.server.asgi import Scope, Send

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_USUAL = b"Content-Type, Authorization, Accept, X-Requested-With"


def is_preflight(scope: Scope) -> bool:
    """Whether the request is an OPTIONS, on whatever path."""
    return bool(scope["type"] == "http" and scope["method"] == "OPTIONS")


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


def _allowed(requested: bytes | None) -> bytes:
    """The requested header names that are ones."""
    if not requested:
        return _USUAL
    names = (name.strip() for name in requested.split(b","))
    return b", ".join(name for name in names if _TOKEN.fullmatch(name))
