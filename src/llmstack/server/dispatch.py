"""Sends one request to one local model: lease, relay, release, one log line."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.errors import RequestError
from llmstack.server.asgi import answer_error
from llmstack.server.departure import Departure
from llmstack.server.relay import relay
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine
    from llmstack.http1 import Pool
    from llmstack.server.asgi import Headers, Receive, Scope, Send

log = logging.getLogger("llmstack.requests")

#: Status noted for a client that left before its answer was complete (nginx's number for it).
CLIENT_LEFT = 499


@dataclass(slots=True)
class Dispatcher:
    """The engine and the client towards its processes, as every door uses them."""

    engine: Engine
    pool: Pool

    async def serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        model: SwapModel,
        body: bytes,
        *,
        extra: Headers,
        raw_path: bytes | None = None,
        note: str = "",
    ) -> None:
        """Answer an HTTP request whose body has been read. Errors are answered, not raised.

        ``note`` is appended to the log line.
        """
        begun = time.perf_counter()
        departure = Departure(receive)
        status = CLIENT_LEFT
        with departure:
            try:
                lease = self.engine.try_lease(model)
                if lease is None:
                    lease = await self.engine.lease(model)
                with lease:
                    status = await relay(
                        scope, send, self.pool, lease.base_url, body, extra, raw_path
                    )
            except RequestError as error:
                status = error.status
                await answer_error(send, error, scope["path"])
        took = (time.perf_counter() - begun) * 1000
        if departure.left:
            status = CLIENT_LEFT
        path = _path(scope)
        log.info("%s %s %s %d %.1fms%s", scope["method"], path, model.id, status, took, note)

    async def serve_websocket(
        self, scope: Scope, receive: Receive, send: Send, model: SwapModel, raw_path: bytes | None
    ) -> None:
        """Pass a WebSocket through; refuse it when the model cannot be had."""
        if (await receive())["type"] != "websocket.connect":
            return
        lease = None
        with Departure(receive):
            try:
                lease = await self.engine.lease(model)
            except RequestError as error:
                log.info("WEBSOCKET %s %s refused: %s", _path(scope), model.id, error.what)
                await send({"type": "websocket.close", "code": 1011, "reason": error.what[:120]})
        if lease is None:
            return
        with lease:
            try:
                await relay_websocket(scope, receive, send, lease.base_url, raw_path)
            except RequestError as error:
                log.info("WEBSOCKET %s %s failed: %s", _path(scope), model.id, error.what)
                await send({"type": "websocket.close", "code": 1011, "reason": error.what[:120]})


def _path(scope: Scope) -> str:
    """The path as it was sent: line breaks and terminal codes in it are still escaped."""
    raw: bytes = scope["raw_path"]
    return raw.decode("latin-1")
