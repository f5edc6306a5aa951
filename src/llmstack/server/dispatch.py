"""Sends one request to one local model: lease, relay, release, one log line."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.backends.limits import limits_of
from llmstack.errors import ModelNotFound, RequestError, UpstreamUnreachable
from llmstack.http1 import EXCHANGE
from llmstack.server.access_log import LOGGED
from llmstack.server.asgi import answer_error
from llmstack.server.departure import CLIENT_LEFT, Departure
from llmstack.server.errors import error_event
from llmstack.server.followed_socket import CANCELLED, ENDED, FollowedSocket
from llmstack.server.loading import LoadingNotice
from llmstack.server.relay import relay
from llmstack.server.second_chance import has_died, may_repeat
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine
    from llmstack.http1 import Pool
    from llmstack.server.activity import Activity
    from llmstack.server.asgi import Headers, Receive, Scope, Send
    from llmstack.server.meter import Meter

log = logging.getLogger("llmstack.requests")


class RequestCancelled(RequestError):
    """Somebody cancelled the request in the live table before its answer began."""

    status = CLIENT_LEFT
    code = "request_cancelled"


@dataclass(slots=True)
class Dispatcher:
    """The engine and the client towards its processes, as every door uses them.

    ``activity`` follows every request, if there is one.
    """

    engine: Engine
    pool: Pool
    activity: Activity | None = None

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
        stream: bool = False,
    ) -> None:
        """Answer an HTTP request whose body has been read. Errors are answered, not raised.

        ``note`` is appended to the log line. ``stream`` says that the client asked for a stream.
        """
        begun = time.perf_counter()
        departure = Departure(receive, exchange=scope.get(EXCHANGE))
        status = CLIENT_LEFT
        failure = ""
        notice: LoadingNotice | None = None
        meter = None
        if self.activity:
            meter = self.activity.begin(scope, model.id, body, raw_path, departure.dismiss)
        try:
            with departure:
                try:
                    if stream and announced(scope, model):
                        notice = LoadingNotice(send, extra, model.id)
                    try:
                        status = await self._relay(
                            scope, send, model, body, extra, raw_path, notice, meter
                        )
                    except UpstreamUnreachable as error:
                        repeat = may_repeat(error)
                        if not (repeat and await has_died(self.engine, model.id)):
                            raise
                        status = await self._relay(
                            scope, send, model, body, extra, raw_path, notice, meter
                        )
                except RequestError as error:
                    status = error.status
                    failure = str(error)
                    if notice and notice.begun:
                        event = error_event(error, scope["path"])
                        await send(
                            {"type": "http.response.body", "body": event, "more_body": False}
                        )
                    else:
                        await answer_error(send, error, scope)
        finally:
            if departure.left:
                status, failure = CLIENT_LEFT, "the client left before its answer was complete"
            elif departure.dismissed:
                status, failure = CLIENT_LEFT, CANCELLED
            if meter:
                meter.finish(status, failure)
        if departure.dismissed and not (notice and notice.begun) and not (meter and meter.answered):
            await answer_error(send, RequestCancelled(CANCELLED), scope)
        tell(scope, model.id, status, begun, note)

    async def _relay(
        self,
        scope: Scope,
        send: Send,
        model: SwapModel,
        body: bytes,
        extra: Headers,
        raw_path: bytes | None,
        notice: LoadingNotice | None,
        meter: Meter | None,
    ) -> int:
        """Wait for the model and have it answer; the answer's status.

        Raises:
            RequestError: nothing has been sent to the client yet, but for ``notice``.
        """
        lease = self.engine.try_lease(model)
        if lease is None and notice and not notice.begun:
            lease = await notice.wait(
                self.engine.lease(model), lambda: self.engine.queue_position(model)
            )
        elif lease is None:
            lease = await self.engine.lease(model)
        with lease:
            if meter:
                meter.leased(lease.waited)
            unsent = None if notice and notice.begun else extra
            return await relay(
                scope,
                send,
                self.pool,
                lease.base_url,
                body,
                unsent,
                raw_path,
                meter,
                limits_of(model.timeouts),
            )

    def resolve(self, scope: Scope, name: str) -> SwapModel:
        """The model that ``name`` (an id or an alias) stands for; one that is unknown is noted.

        Raises:
            ModelNotFound: there is none of that name.
        """
        try:
            return self.engine.resolve(name)
        except ModelNotFound as error:
            if self.activity:
                self.activity.refused(scope, name, error)
            raise

    async def serve_websocket(
        self, scope: Scope, receive: Receive, send: Send, model: SwapModel, raw_path: bytes | None
    ) -> None:
        """Pass a WebSocket through; refuse it when the model cannot be had."""
        if (await receive())["type"] != "websocket.connect":
            return
        with FollowedSocket(self.activity, scope, model.id, raw_path) as socket:
            lease = None
            with Departure(receive) as departure:
                socket.departure = departure
                try:
                    lease = await self.engine.lease(model)
                except RequestError as error:
                    socket.failed(error)
                    log.info("WEBSOCKET %s %s refused: %s", _path(scope), model.id, error.what)
                    await send(_refusal(error))
            socket.departure = None
            if departure.dismissed:
                await send({"type": "websocket.close", "code": ENDED, "reason": CANCELLED})
            if lease is None:
                return
            if departure.left or departure.dismissed:  # in the very moment in which it came
                lease.release()
                return
            with lease:
                socket.leased(lease.waited)
                try:
                    await relay_websocket(scope, receive, send, lease.base_url, raw_path, socket)
                except RequestError as error:
                    socket.failed(error)
                    log.info("WEBSOCKET %s %s failed: %s", _path(scope), model.id, error.what)
                    await send(_refusal(error))


def _refusal(error: RequestError) -> dict[str, object]:
    return {"type": "websocket.close", "code": 1011, "reason": error.what[:120]}


def tell(scope: Scope, model: str, status: int, begun: float, note: str) -> None:
    """Log a request that began at ``begun`` (``perf_counter``), unless another log has it."""
    if LOGGED in scope:
        return
    took = (time.perf_counter() - begun) * 1000
    path = _path(scope)
    log.info("%s %s %s %d %.1fms%s", scope["method"], path, model, status, took, note)


def announced(scope: Scope, model: SwapModel) -> bool:
    """Whether a client that has to wait for ``model`` is told so in its stream."""
    path: str = scope["path"]
    return model.send_loading_state and path.startswith("/v1/chat/completions")


def _path(scope: Scope) -> str:
    """The path as it was sent: line breaks and terminal codes in it are still escaped."""
    raw: bytes = scope["raw_path"]
    return raw.decode("latin-1")
