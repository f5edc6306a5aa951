"""What of a request goes to a model process, and what of its answer comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.backends.protocol import Answer
    from llmstack.server.asgi import Headers, Scope

#: Hop-by-hop headers (RFC 9110, section 7.6.1).
_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_USUAL = frozenset({b"keep-alive", b"close", b"upgrade"})
# The body has been read, so its length is known and nobody waits for a 100 Continue.
_REQUEST_ONLY = _HOP | {b"content-length", b"expect"}


def request_headers(scope: Scope) -> Headers:
    """The client's headers as they go upstream: all, repeated ones too, but the hop-by-hop."""
    dropped = _without(_REQUEST_ONLY, scope["headers"])
    return [pair for pair in scope["headers"] if pair[0] not in dropped]


def response_headers(response: Answer) -> Headers:
    """The upstream's headers as they go to the client, repeated ones too."""
    dropped = _without(_HOP, response.headers)
    return [pair for pair in response.headers if pair[0] not in dropped]


def _without(fixed: frozenset[bytes], headers: Headers) -> frozenset[bytes]:
    """``fixed`` and what ``Connection`` names beside what it usually does."""
    for name, value in headers:
        if name == b"connection" and value.lower() not in _USUAL:
            names = (token.strip().lower() for token in value.split(b","))
            fixed |= frozenset(names) - {b"host"}  # the request needs one
    return fixed


def raw_target(scope: Scope, raw_path: bytes | None = None) -> bytes:
    """The raw path (or ``raw_path`` in its place) with the raw query."""
    path: bytes = scope["raw_path"] if raw_path is None else raw_path
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path
