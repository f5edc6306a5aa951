"""The gateway: one port for every model, and ``auto`` that chooses the tier.

Completion routes are plain ASGI; whatever is not the gateway's own goes to the engine's door
within the process, with its raw path, query, headers and body untouched.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from llmstack.dialects import read, replace_model
from llmstack.errors import BadRequest, Forbidden, ModelNotFound, RequestError
from llmstack.routing import requested
from llmstack.server.asgi import ClientGone, answer_error, read_body
from llmstack.server.chooser import ANYBODY, Asker
from llmstack.server.cors import is_preflight
from llmstack.server.errors import OWN_WORDS, in_own_words
from llmstack.server.listing import auto_record, list_response
from llmstack.server.model_request import ModelRequest
from llmstack.server.ollama_api import OllamaApi
from llmstack.server.route_api import RouteApi
from llmstack.server.routes import Routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from llmstack.config.stack import Stack
    from llmstack.dialects import RequestView
    from llmstack.routing import Decision
    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.chooser import Chooser
    from llmstack.server.dispatch import Dispatcher
    from llmstack.server.door import Door
    from llmstack.server.ladders import Ladders

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
#: Routes that the gateway reads itself.
COMPLETION_POSTS = AUTO_POSTS | {"/v1/embeddings"}


class Gateway:
    """ASGI application of the gateway's port.

    ``report`` returns what ``GET /api/status`` answers.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        door: Door,
        stack: Stack,
        ladders: Ladders,
        chooser: Chooser,
        report: Callable[[], dict[str, Any]],
    ) -> None:
        self._door = door
        self._stack = stack
        self._ladders = ladders
        self._chooser = chooser
        self._report = report
        ollama = OllamaApi(
            dispatcher.engine,
            door.naming,
            door.access,
            door.listing,
            self._answer,
            door.look,
            self._own,
        )
        models = [
            Route("/v1/models", self._models),
            Route("/models", self._models),
            RouteApi(chooser, AUTO_POSTS, self._asker).route,
            Route("/models.ini", self._models_ini),
            *ollama.routes,
        ]
        admin = [Route("/api/status", self._status)]
        self._table = Routes(door.access, every_key=models, admin=admin)
        self.routes = self._table.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["type"] != "http":
            await self._door(scope, receive, send)
            return
        scope[OWN_WORDS] = True
        try:
            access = self._door.access
            access.enter(scope)
            send = access.readable(scope, send)
            if scope["method"] == "POST" and scope["path"] in COMPLETION_POSTS:
                await self._completion(scope, receive, send)
            elif is_preflight(scope) or not await self._table(scope, receive, send):
                await self._door(scope, receive, send)
        except ClientGone:
            return
        except RequestError as error:
            await answer_error(send, in_own_words(error, scope), scope)

    async def _completion(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._door.access.check(scope)
        await self._answer(scope, receive, send, await read_body(receive), "")

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, body: bytes, note: str
    ) -> None:
        """Answer a request whose key has been checked; ``auto`` chooses on ``AUTO_POSTS``."""
        door = self._door
        if scope["path"] not in COMPLETION_POSTS:
            await door.serve_json(scope, receive, send, body, note)
            return
        view = read(scope["path"], body)
        if requested(view.model):
            decision = self._choose(view, scope)
            body = replace_model(body, decision.model)
            reason, tokens = decision.reason, decision.tokens
            note += f" auto: {reason}, {tokens} tokens"
            name = scope["llmstack.tier"] = decision.model
        else:
            name, reason, tokens = view.model or "", "named by the client", view.tokens
            session = self._chooser.named(view, scope["path"], scope["headers"], self._asker(scope))
            scope["llmstack.session"] = session
        request = ModelRequest("json", name, view.stream, body, scope["query_string"])
        scope["llmstack.reason"], scope["llmstack.tokens"] = reason, tokens
        extra = [
            (b"x-llmstack-reason", reason.encode("ascii", "replace")),
            (b"x-llmstack-tokens", str(tokens).encode()),
        ]
        await door.model_routes.serve(scope, receive, send, request, extra=extra, note=note)

    def _choose(self, view: RequestView, scope: Scope) -> Decision:
        if view.dialect == "embeddings":
            raise BadRequest(
                "auto cannot choose a model for embeddings",
                why="Vectors of different models cannot be compared.",
                fix="Name the model in the request.",
            )
        choice = self._chooser.choose(view, scope["path"], scope["headers"], self._asker(scope))
        scope["llmstack.session"] = choice.client.session
        scope["llmstack.choice"] = choice
        self._door.access.chosen(scope)
        return choice.routed.decision

    def _asker(self, scope: Scope) -> Asker:
        access = self._door.access
        owner = access.owner(scope)
        if not owner:
            return ANYBODY
        barred: frozenset[str] = frozenset()
        if access.limited(scope) and not access.may_choose_all(scope):
            barred = frozenset(
                tier.name for tier in self._stack.tiers if not self._may(scope, tier.name)
            )
        return Asker(owner, barred)

    def _may(self, scope: Scope, tier: str) -> bool:
        try:
            return self._door.access.allows(scope, self._door.naming.find(tier))
        except ModelNotFound:
            return False

    async def _models(self, request: Request) -> Response:
        """The names that can be asked for, ``auto`` first."""
        rows = await self._door.records(request.scope)
        return list_response(request, [*self._own(), *rows])

    def _own(self) -> list[dict[str, Any]]:
        return [auto_record(self._ladders.whole)]

    async def _models_ini(self, request: Request) -> Response:
        """The stack's ``models.ini`` as it is now, for thin clients with a key for all models."""
        if self._door.access.limited(request.scope):
            raise Forbidden("forbidden: this API key is for some models only")
        try:
            text = await asyncio.to_thread(Path(self._stack.source).read_bytes)
            return PlainTextResponse(text)
        except FileNotFoundError:
            return PlainTextResponse("this stack has no models.ini any more", status_code=404)
        except OSError as error:
            return PlainTextResponse(f"models.ini cannot be read: {error}", status_code=500)

    async def _status(self, _: Request) -> Response:
        """What ``llmstack status --json`` prints."""
        # In ASCII: the bytes of a directory's name need not be UTF-8.
        return Response(json.dumps(self._report()), media_type="application/json")
