"""Passes a WebSocket through to a model process, both ways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import WSMsgType

if TYPE_CHECKING:
    import aiohttp

    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.upstream import Upstream


async def relay_websocket(
    scope: Scope, receive: Receive, send: Send, upstream: Upstream, url: str
) -> None:
    """Connect upstream, accept the client, and copy messages until either side closes.

    Raises:
        UpstreamUnreachable: the model process did not accept; the client has not been accepted.
    """
    if (await receive())["type"] != "websocket.connect":
        return
    model = await upstream.websocket(url, scope["headers"], scope.get("subprotocols", []))
    await send({"type": "websocket.accept", "subprotocol": model.protocol})
    up = asyncio.ensure_future(_client_to_model(receive, model))
    down = asyncio.ensure_future(_model_to_client(model, send))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for half in (up, down):
            half.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        await model.close()


async def _client_to_model(receive: Receive, model: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await model.close(code=message.get("code") or 1000)
            return
        if (text := message.get("text")) is not None:
            await model.send_str(text)
        else:
            await model.send_bytes(message["bytes"])


async def _model_to_client(model: aiohttp.ClientWebSocketResponse, send: Send) -> None:
    async for message in model:
        if message.type is WSMsgType.TEXT:
            await send({"type": "websocket.send", "text": message.data})
        elif message.type is WSMsgType.BINARY:
            await send({"type": "websocket.send", "bytes": message.data})
    await send({"type": "websocket.close", "code": model.close_code or 1000})
