"""The few ASGI pieces that the hot path needs: types, bodies, whole answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from llmstack.errors import BackendFailed, BodyTooLarge
from llmstack.server.errors import error_answer

if TYPE_CHECKING:
    from llmstack.errors import RequestError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: Largest request body in bytes. Agents send images as base64; nobody sends more than this.
BODY_LIMIT = 256 * 1024 * 1024


class ClientGone(Exception):
    """The client left before its request was complete."""


async def read_body(receive: Receive) -> bytes:
    """The whole request body.

    Raises:
        ClientGone: the client left while sending it.
        BodyTooLarge: it is larger than ``BODY_LIMIT``.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT:
            raise BodyTooLarge(f"the request body is larger than {BODY_LIMIT >> 20} MiB")
        if not message.get("more_body"):
            # Most bodies come in one message; those are not copied.
            return b"".join((*parts, part)) if parts else part
        parts.append(part)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first request header of that lower-case name, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


async def answer(send: Send, status: int, content_type: bytes, body: bytes, *extra: Any) -> None:
    """Send one whole answer. ``extra`` are further header pairs."""
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answer_error(send: Send, error: RequestError, where: Scope | str) -> None:
    """Send ``error`` as a whole answer.

    ``where`` is the request's scope, whose ``Accept`` says in which form, or only its path.
    """
    if isinstance(where, str):
        kind, body = error_answer(error, where, b"")
    else:
        kind, body = error_answer(error, where["path"], header(where, b"accept") or b"")
    await answer(send, error.status, kind, body, *_error_headers(error))


async def refuse_websocket(scope: Scope, send: Send, error: RequestError) -> None:
    """Turn down a WebSocket, whose ``websocket.connect`` has been received, with ``error``."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.what[:120]})
        return
    kind, body = error_answer(error, scope["path"], header(scope, b"accept") or b"")
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        *_error_headers(error),
    ]
    start = {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})


def _error_headers(error: RequestError) -> Headers:
    headers: Headers = []
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    # For our own keys only: a browser would ask for a password that helps nothing upstream.
    if error.status == 401 and not isinstance(error, BackendFailed):
        headers.append((b"www-authenticate", b'Basic realm="llama-swap"'))
    return headers
