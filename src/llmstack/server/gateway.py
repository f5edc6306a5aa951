"""The gateway: one port for every model, and ``auto`` that chooses the tier.

Completion routes are plain ASGI; whatever is not the gateway's own goes to the engine's door
within the process, with its raw path, query, headers and body untouched.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, Router

from llmstack.dialects import read, replace_model
from llmstack.errors import BadRequest, RequestError
from llmstack.routing import decide, requested
from llmstack.server.asgi import ClientGone, answer_error, read_body
from llmstack.server.listing import auto_record, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.config.stack import Stack
    from llmstack.dialects import RequestView
    from llmstack.routing import Decision, Ladder
    from llmstack.server.asgi import App, Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher

#: Routes on which ``auto`` chooses a tier.
AUTO_POSTS = frozenset(
    {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/responses",
    }
)


class Gateway:
    """ASGI application of the gateway's port.

    ``report`` returns what ``GET /api/status`` answers.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        door: App,
        stack: Stack,
        ladder: Ladder,
        report: Callable[[], dict[str, Any]],
    ) -> None:
        self._dispatcher = dispatcher
        self._engine = dispatcher.engine
        self._stack = stack
        self._ladder = ladder
        self._report = report
        self.routes = [
            Route("/v1/models", self._models),
            Route("/models.ini", self._models_ini),
            Route("/api/status", self._status),
        ]
        self._router = Router(self.routes, default=door)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._router(scope, receive, send)
        elif scope["path"] in AUTO_POSTS or scope["path"] == "/v1/embeddings":
            try:
                await self._completion(scope, receive, send)
            except ClientGone:
                return
            except RequestError as error:
                await answer_error(send, error, scope["path"])
        else:
            await self._router(scope, receive, send)

    async def _completion(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        view = read(scope["path"], body)
        if requested(view.model):
            decision = self._choose(view)
            body = replace_model(body, decision.model)
            reason, tokens = decision.reason, decision.tokens
            note = f" auto: {reason}, {tokens} tokens"
            name = decision.model
        else:
            name, reason, tokens, note = view.model or "", "named by the client", view.tokens, ""
        model = self._engine.resolve(name)
        extra = [
            (b"x-llmstack-model", model.id.encode("ascii", "replace")),
            (b"x-llmstack-reason", reason.encode("ascii", "replace")),
            (b"x-llmstack-tokens", str(tokens).encode()),
        ]
        await self._dispatcher.serve(
            scope, receive, send, model, body, extra=extra, note=note, stream=view.stream
        )

    def _choose(self, view: RequestView) -> Decision:
        if view.dialect == "embeddings":
            raise BadRequest(
                "auto cannot choose a model for embeddings",
                why="Vectors of different models cannot be compared.",
                fix="Name the model in the request.",
            )
        return decide(view, self._ladder)

    async def _models(self, _: Request) -> Response:
        """The models that can be asked for, ``auto`` first."""
        return JSONResponse(
            {"object": "list", "data": [auto_record(self._ladder), *records(self._engine)]}
        )

    async def _models_ini(self, _: Request) -> Response:
        """The stack's ``models.ini`` as it is now, for thin clients."""
        try:
            text = await asyncio.to_thread(Path(self._stack.source).read_bytes)
            return PlainTextResponse(text)
        except FileNotFoundError:
            return PlainTextResponse("this stack has no models.ini any more", status_code=404)
        except OSError as error:
            return PlainTextResponse(f"models.ini cannot be read: {error}", status_code=500)

    async def _status(self, _: Request) -> Response:
        """What ``llmstack status --json`` prints."""
        return JSONResponse(self._report())
