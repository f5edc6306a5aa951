"""Passes a WebSocket through to a model process, both ways."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from llmstack.backends.local import unreachable
from llmstack.server.followed_socket import CANCELLED, ENDED
from llmstack.server.upstream import raw_target, request_headers

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.followed_socket import FollowedSocket

#: Seconds that a model has to agree to a close; its slot is held for as long.
CLOSE = 1.0


async def relay_websocket(
    scope: Scope,
    receive: Receive,
    send: Send,
    base: str,
    raw_path: bytes | None,
    socket: FollowedSocket,
) -> None:
    """Connect upstream, accept the client, and copy messages until either side closes.

    ``websocket.connect`` has been received. A close or the end of one side ends the other; so does
    cancelling ``socket``, which is told what happens.

    Raises:
        UpstreamUnreachable: the model process did not accept; the client has not been accepted.
    """
    url = base.replace("http", "ws", 1) + raw_target(scope, raw_path).decode("latin-1")
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request_headers(scope)
        if name != b"host" and not name.startswith(b"sec-websocket-")
    ]
    offered = [Subprotocol(name) for name in scope.get("subprotocols", [])]
    try:
        # Pings and compression are between client and model; a busy model may answer late.
        model = await _Connect(
            url,
            additional_headers=headers,
            subprotocols=offered or None,
            user_agent_header=None,
            compression=None,
            ping_interval=None,
            close_timeout=CLOSE,
            max_size=None,
            proxy=None,
        )
    except (WebSocketException, OSError, TimeoutError) as error:
        raise unreachable(base, error) from error
    try:
        await send({"type": "websocket.accept", "subprotocol": model.subprotocol})
        socket.accepted()
        await _copy(receive, send, model, socket)
    finally:  # the client may have left before it was accepted
        await model.close()


class _Connect(connect):
    """A connection that never goes to another address than the one that was asked for."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _copy(
    receive: Receive, send: Send, model: ClientConnection, socket: FollowedSocket
) -> None:
    up = asyncio.ensure_future(_client_to_model(receive, model))
    down = asyncio.ensure_future(_model_to_client(model, send, socket))
    cancelled = asyncio.ensure_future(socket.cancelled.wait())
    try:
        await asyncio.wait({up, down, cancelled}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = socket.cancelled.is_set() and not (up.done() or down.done())
        for part in (up, down, cancelled):
            part.cancel()
        await asyncio.gather(up, down, cancelled, return_exceptions=True)
    if ended:
        with suppress(Exception):  # the client has left in this very moment
            await send({"type": "websocket.close", "code": ENDED, "reason": CANCELLED})
        await model.close(ENDED, CANCELLED)


async def _client_to_model(receive: Receive, model: ClientConnection) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code, reason = _sendable(message.get("code")), message.get("reason") or ""
            await model.close(code, reason)
            return
        text = message.get("text")
        await model.send(message["bytes"] if text is None else text)


async def _model_to_client(model: ClientConnection, send: Send, socket: FollowedSocket) -> None:
    try:
        while True:
            data = await model.recv()
            kind = "text" if isinstance(data, str) else "bytes"
            socket.passed(data)
            await send({"type": "websocket.send", kind: data})
    except ConnectionClosed:
        code = _sendable(model.close_code)
        await send({"type": "websocket.close", "code": code, "reason": model.close_reason or ""})


def _sendable(code: int | None) -> int:
    """A close code that may be sent: 1005, 1006 and 1015 only describe what was not (RFC 6455)."""
    return 1000 if code is None or code in (1005, 1006, 1015) else code
