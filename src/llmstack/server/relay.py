"""Streams one answer of a model process to the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from llmstack.errors import UpstreamUnreachable
from llmstack.server.errors import error_event
from llmstack.server.upstream import response_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from llmstack.server.asgi import Headers, Scope, Send
    from llmstack.server.upstream import Upstream


async def relay(
    scope: Scope,
    send: Send,
    upstream: Upstream,
    url: str,
    body: bytes | AsyncIterable[bytes] | None,
    extra: Headers,
) -> int:
    """Send the request to ``url`` and its answer to the client; the answer's status.

    Chunks leave as they arrive. A client that reads slowly stops the reading upstream (the
    server's ``send`` waits), so memory stays flat. Cancelling the caller closes the upstream
    connection, which ends a generation. ``extra`` headers are added to the answer.

    An event stream that breaks off gets an error event; any other answer that breaks off is left
    incomplete, so that the client notices.

    Raises:
        UpstreamUnreachable: nothing has been sent to the client yet.
    """
    response = await upstream.open(scope["method"], url, scope["headers"], body)
    begun = False
    try:
        headers = response_headers(response)
        streaming = response.content_type == "text/event-stream"
        if streaming:
            headers.append((b"x-accel-buffering", b"no"))
        headers += extra
        if not streaming and response.headers.get("Content-Length") is not None:
            # Most answers are short and whole: one write instead of two.
            first = await response.content.readany()
        else:
            first = None
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        begun = True
        if first is not None:
            ended = response.content.at_eof()
            await send({"type": "http.response.body", "body": first, "more_body": not ended})
            if ended:
                return response.status
        while chunk := await response.content.readany():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return response.status
    except (aiohttp.ClientError, OSError) as error:
        broken = UpstreamUnreachable(
            "the model process broke off its answer", why=f"{type(error).__name__}: {error}"
        )
        if not begun:
            raise broken from error
        if response.content_type == "text/event-stream":
            event = error_event(broken, scope["path"])
            await send({"type": "http.response.body", "body": event, "more_body": False})
        return 502
    finally:
        response.close() if not response.content.at_eof() else response.release()


def target(base: str, scope: Scope, raw_path: bytes | None = None) -> str:
    """The upstream URL for a request: ``base`` joined with the raw path and the raw query."""
    path = raw_path if raw_path is not None else scope.get("raw_path") or b"/"
    query = scope.get("query_string", b"")
    return base + path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
