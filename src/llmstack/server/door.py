"""The engine's own door: llama-swap's routes on the embedded engine.

This release answers the routes that the stack itself needs; the complete surface follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote_to_bytes

from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route, Router

from llmstack.dialects import read
from llmstack.engine import State
from llmstack.errors import ModelNotFound, RequestError
from llmstack.server.asgi import ClientGone, answer, answer_error, read_body
from llmstack.server.listing import records

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.config.swap import SwapModel
    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher

#: POST routes that carry the model in a JSON body (llama-swap's behaviour report, section 3.5).
MODEL_POSTS = frozenset(
    {
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/completions",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/embeddings",
        "/v1/rerank",
        "/v1/reranking",
        "/rerank",
        "/reranking",
        "/infill",
        "/completion",
    }
)
#: GET routes that carry the model in the query.
MODEL_GETS = frozenset({"/props"})

_UPSTREAM = b"/upstream/"


class Door:
    """ASGI application of the engine's port."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._engine = dispatcher.engine
        models = self._engine.config.models.values()
        names = (name for model in models for name in (model.id, *model.aliases))
        self._longest_name = max((name.count("/") + 1 for name in names), default=0)
        self.routes = [
            Route("/health", self._health),
            Route("/running", self._running),
            Route("/unload", self._unload),
            Route("/api/models/unload", self._unload_json, methods=["POST"]),
            Route("/api/models/unload/{model:path}", self._unload_one, methods=["POST"]),
            Route("/v1/models", self._models),
            Route("/models", self._models),
            Route("/logs", self._logs),
            Route("/logs/stream", self._log_stream),
            Route("/logs/stream/{model:path}", self._log_stream),
        ]
        self._router = Router(self.routes, default=self._not_found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        try:
            if scope["raw_path"].startswith(_UPSTREAM):
                await self._pass_through(scope, receive, send)
            elif scope["type"] == "http" and self._is_model_route(scope):
                await self._model_route(scope, receive, send)
            elif scope["type"] == "websocket" and scope["path"] in MODEL_POSTS | MODEL_GETS:
                model = self._engine.resolve(query_model(scope))
                await self._dispatcher.serve_websocket(scope, receive, send, model, None)
            else:
                await self._router(scope, receive, send)
        except ClientGone:
            return
        except RequestError as error:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": error.what[:120]})
            else:
                await answer_error(send, error, scope["path"])

    def _is_model_route(self, scope: Scope) -> bool:
        method, path = scope["method"], scope["path"]
        return (method == "POST" and path in MODEL_POSTS) or (
            method in ("GET", "HEAD") and path in MODEL_GETS
        )

    async def _model_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        if scope["method"] == "POST":
            view = read(scope["path"], body)
            name, stream = view.model or "", view.stream
        else:
            name, stream = query_model(scope), False
        if not name:
            raise ModelNotFound("no model id could be identified")
        model = self._engine.resolve(name)
        await self._dispatcher.serve(
            scope,
            receive,
            send,
            model,
            body,
            extra=[(b"x-llmstack-model", model.id.encode())],
            stream=stream,
        )

    async def _pass_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        model, rest = self._split_upstream(scope)
        if scope["type"] == "websocket":
            await self._dispatcher.serve_websocket(scope, receive, send, model, rest or b"/")
            return
        if rest is None:
            location = scope["raw_path"] + b"/"
            if scope["query_string"]:
                location += b"?" + scope["query_string"]
            status = 301 if scope["method"] in ("GET", "HEAD") else 308
            await answer(send, status, b"text/plain", b"", (b"location", location))
            return
        body = await read_body(receive)
        await self._dispatcher.serve(scope, receive, send, model, body, extra=[], raw_path=rest)

    def _split_upstream(self, scope: Scope) -> tuple[SwapModel, bytes | None]:
        """The longest prefix of path segments that names a model, and the raw rest."""
        segments = scope["raw_path"][len(_UPSTREAM) :].split(b"/")
        for count in range(min(len(segments), self._longest_name), 0, -1):
            name = unquote_to_bytes(b"/".join(segments[:count])).decode("utf-8", "replace")
            try:
                model = self._engine.resolve(name)
            except ModelNotFound:
                continue
            rest = segments[count:]
            return model, (b"/" + b"/".join(rest) if rest else None)
        raise ModelNotFound("model not found")

    async def _health(self, _: Request) -> Response:
        """``OK`` while the daemon lives."""
        return PlainTextResponse("OK")

    async def _running(self, _: Request) -> Response:
        """The models that are loaded, loading or stopping."""
        rows = []
        for status in sorted(self._engine.status(), key=lambda status: status.id):
            if status.state is State.STOPPED:
                continue
            model = self._engine.config.models[status.id]
            rows.append(
                {
                    "model": status.id,
                    "state": str(status.state),
                    "cmd": model.cmd,
                    "proxy": model.proxy,
                    "ttl": model.ttl,
                    "name": model.name,
                    "description": model.description,
                }
            )
        return JSONResponse({"running": rows})

    async def _unload(self, request: Request) -> Response:
        """Stop every model after its running answers (at once with ``?force=1``); ``OK``."""
        await self._engine.unload(force=forced(request))
        return PlainTextResponse("OK")

    async def _unload_json(self, request: Request) -> Response:
        """As ``/unload``; ``{"msg": "ok"}``."""
        await self._engine.unload(force=forced(request))
        return JSONResponse({"msg": "ok"})

    async def _unload_one(self, request: Request) -> Response:
        """Stop one model, named by id or alias; ``OK``."""
        try:
            model = self._engine.resolve(request.path_params["model"])
        except ModelNotFound:
            raise ModelNotFound("model not found") from None
        await self._engine.unload(model.id, force=forced(request))
        return PlainTextResponse("OK")

    async def _models(self, _: Request) -> Response:
        """The models that can be asked for, with their state."""
        return JSONResponse({"object": "list", "data": records(self._engine)})

    async def _logs(self, _: Request) -> Response:
        """The last output of all model processes."""
        return PlainTextResponse(self._engine.output.history())

    async def _log_stream(self, request: Request) -> Response:
        """The output of all models, or of one, as it comes; ``?no-history`` leaves out the past."""
        name = request.path_params.get("model", "upstream")
        if name == "upstream":
            source = self._engine.output
        else:
            try:
                source = self._engine.log(self._engine.resolve(name).id)
            except ModelNotFound:
                return PlainTextResponse(
                    "invalid logger. Use 'upstream' or a model's ID", status_code=400
                )
        history = "no-history" not in request.query_params
        return StreamingResponse(
            source.follow(history=history),
            media_type="text/plain",
            headers={"x-accel-buffering": "no", "x-content-type-options": "nosniff"},
        )

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "not found"})
            return
        if scope["method"] == "GET" and scope["path"] == "/":
            await RedirectResponse("/running", 302)(scope, receive, send)
            return
        error = ModelNotFound(f"nothing is served at {scope['method']} {scope['path']}")
        await answer_error(send, error, scope["path"])


def query_model(scope: Scope) -> str:
    """The ``model`` parameter of the query, or an empty text."""
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("model", [""])[0]


def forced(request: Request) -> bool:
    """Whether the query asks to stop without waiting for running answers."""
    return request.query_params.get("force") in ("1", "true")
