"""Sends one request to one local model: lease, relay, release, one log line."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from llmstack.backends.local import LocalBackend
from llmstack.errors import ContextOverflow, ModelNotFound, RequestError
from llmstack.http1 import EXCHANGE
from llmstack.server.access_log import LOGGED
from llmstack.server.asgi import answer_error
from llmstack.server.departure import CLIENT_LEFT, Departure
from llmstack.server.errors import error_event, in_own_words
from llmstack.server.followed_socket import CANCELLED, ENDED, FollowedSocket
from llmstack.server.journey import Journey
from llmstack.server.loading import LoadingNotice
from llmstack.server.overflow_answer import answer_overflow, ends_in_stream
from llmstack.server.relay import relay
from llmstack.server.stop import LOCAL, Stop
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine
    from llmstack.http1 import Pool
    from llmstack.server.activity import Activity
    from llmstack.server.asgi import Headers, Receive, Scope, Send
    from llmstack.server.fitter import Fitter

log = logging.getLogger("llmstack.requests")


class RequestCancelled(RequestError):
    """Somebody cancelled the request in the live table before its answer began."""

    status = CLIENT_LEFT
    code = "request_cancelled"


class Dispatcher:
    """The engine and the client towards its processes, as every door uses them.

    ``activity`` follows every request, if there is one. ``local`` is the backend of the engine's
    models.
    """

    def __init__(self, engine: Engine, pool: Pool, activity: Activity | None = None) -> None:
        self.engine = engine
        self.pool = pool
        self.activity = activity
        self.local = LocalBackend(engine, pool)
        #: Makes requests fit, if there is one.
        self.fitter: Fitter | None = None

    def here(
        self,
        scope: Scope,
        model: SwapModel,
        body: bytes,
        raw_path: bytes | None = None,
        *,
        stream: bool = False,
        tier: str = "",
        fitted: bool = False,
    ) -> Stop:
        """The stop at a model that runs here."""
        announced = stream and model.send_loading_state and _is_chat(scope)
        return Stop(
            model.id,
            LOCAL,
            self.local,
            model.id,
            scope,
            body,
            raw_path,
            tier,
            stream,
            announced,
            fitted,
        )

    async def serve(
        self,
        receive: Receive,
        send: Send,
        stop: Stop,
        *,
        extra: Headers,
        others: Iterable[Stop] = (),
        note: str = "",
        named: bool = False,
    ) -> None:
        """Answer an HTTP request whose body has been read. Errors are answered, not raised.

        ``others`` are asked in their order when ``stop`` fails in a way that they need not.
        ``note`` is appended to the log line. ``named`` adds the header that names the model.
        """
        begun = time.perf_counter()
        scope = stop.scope
        journey = Journey(stop, iter(others), extra, named=named, fitter=self.fitter)
        departure = Departure(receive, exchange=scope.get(EXCHANGE))
        status = CLIENT_LEFT
        failure = ""
        notice: LoadingNotice | None = None
        meter = None
        if self.activity:
            meter = self.activity.begin(
                scope, stop.name, stop.body, stop.raw_path, departure.dismiss
            )
        try:
            with departure:
                try:
                    if stop.announced:
                        notice = LoadingNotice(send, journey.headers, stop.name)
                    answer = await journey.open(notice, meter)
                    unsent = None if notice and notice.begun else journey.headers()
                    status = await relay(scope, send, answer, journey.stop.broke_off, unsent, meter)
                except RequestError as raised:
                    error = in_own_words(raised, scope)
                    status = error.status
                    failure = str(error)
                    if notice and notice.begun:
                        event = error_event(error, scope["path"])
                        await send(
                            {"type": "http.response.body", "body": event, "more_body": False}
                        )
                    elif isinstance(error, ContextOverflow) and ends_in_stream(stop):
                        status = 200
                        await answer_overflow(send, error, stop, journey.headers())
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
        tell(scope, journey.stop.name, status, begun, note + journey.note())

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


def _is_chat(scope: Scope) -> bool:
    """Whether a client that has to wait for its model is told so in its stream."""
    path: str = scope["path"]
    return path.startswith("/v1/chat/completions")


def _path(scope: Scope) -> str:
    """The path as it was sent: line breaks and terminal codes in it are still escaped."""
    raw: bytes = scope["raw_path"]
    return raw.decode("latin-1")
