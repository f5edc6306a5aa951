"""The few ASGI pieces that the hot path needs: types, bodies, whole answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from llmstack.errors import BodyTooLarge
from llmstack.server.errors import error_body

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
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT:
            raise BodyTooLarge(f"the request body is larger than {BODY_LIMIT >> 20} MiB")
    return b"".join(parts)


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


async def answer_error(send: Send, error: RequestError, path: str) -> None:
    """Send ``error`` as a whole answer in the dialect of ``path``."""
    extra = []
    if error.retry_after is not None:
        extra.append((b"retry-after", str(error.retry_after).encode()))
    await answer(send, error.status, b"application/json", error_body(error, path), *extra)
