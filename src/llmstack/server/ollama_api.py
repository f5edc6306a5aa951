"""Ollama's API in front of the same models, for clients that speak nothing else.

A request is translated, goes the way of every other one, and its answer is translated back: names,
keys, filters, queue, activity and cancelling are those of ``/v1``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from llmstack.config.names import Local, Unknown
from llmstack.dialects.ollama_body import Named, decode_ollama
from llmstack.dialects.ollama_embeddings import nothing_embedded
from llmstack.dialects.ollama_request import read_ollama
from llmstack.engine import State
from llmstack.errors import BadRequest, ModelNotFound
from llmstack.server.asgi import read_body
from llmstack.server.departure import Departure
from llmstack.server.ollama import running, show, tags
from llmstack.server.ollama_send import OllamaSend, now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.dialects.ollama_request import Kind, OllamaRequest
    from llmstack.engine import Engine
    from llmstack.server.access import Access
    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.listing import Listing
    from llmstack.server.naming import Naming

    #: Answers an OpenAI request with that body; the text is for its log line.
    Serve = Callable[[Scope, Receive, Send, bytes, str], Awaitable[None]]

_LATEST = ":latest"
_SHOWN = (State.STARTING, State.READY)
_ANSWERS: dict[Kind, str] = {
    "chat": "Ollama's chat; streams unless ``stream`` is false.",
    "generate": "Ollama's completion of a prompt; streams unless ``stream`` is false.",
    "embed": "Ollama's embeddings of one text or several.",
    "embeddings": "Ollama's embedding of one text.",
}


class OllamaApi:
    """The routes of one door. Every key may ask; what it may not use is not there for it.

    ``serve`` sends a translated request on. ``look`` finds out what others have. ``own`` returns
    the records of names that only this door knows, such as ``auto``.
    """

    def __init__(
        self,
        engine: Engine,
        naming: Naming,
        access: Access,
        listing: Listing,
        serve: Serve,
        look: Callable[[], Awaitable[None]],
        own: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        self._engine = engine
        self._naming = naming
        self._access = access
        self._listing = listing
        self._serve = serve
        self._look = look
        self._own = own
        self.routes = [
            Route("/api/tags", self._tags),
            Route("/api/ps", self._ps),
            Route("/api/show", self._show, methods=["POST"]),
            *(
                Route(f"/api/{kind}", _Endpoint(self, kind, meaning), methods=["POST"])
                for kind, meaning in _ANSWERS.items()
            ),
        ]

    async def answer(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose key has been checked.

        Raises:
            RequestError: nothing has been sent to the client yet.
        """
        request = read_ollama(kind, await read_body(receive))
        name = self._spelled(request.model)
        if not name and not self._own():
            raise BadRequest("model is required")
        if request.path is None:
            await self._nothing(scope, receive, send, request, name)
            return
        translated = OllamaSend(send, request)
        inner = _inner(scope, request.path)
        note = f" for {scope['path']}"
        try:
            await self._serve(inner, receive, translated, request.encoded(name), note)
        except ModelNotFound as error:
            raise _not_found(request.model, error) from None
        await translated.finish()

    async def _tags(self, request: Request) -> Response:
        """The models for Ollama's clients."""
        await self._look()
        return JSONResponse(tags(self._records(request.scope)))

    async def _ps(self, request: Request) -> Response:
        """The loaded models for Ollama's clients."""
        allowed = [
            status
            for status in await self._engine.measured_status()
            if status.state in _SHOWN
            and self._access.allows(request.scope, Local(status.id, status.id))
        ]
        return JSONResponse(running(allowed, self._engine.config.models, datetime.now(UTC)))

    async def _show(self, request: Request) -> Response:
        """What is known of one model, for Ollama's clients."""
        wanted = decode_ollama(await read_body(request.receive), Named)
        asked = wanted.model or wanted.name or ""
        if not asked:
            raise BadRequest("model is required")
        await self._look()
        name = self._spelled(asked)
        if self._is_own(name):
            return JSONResponse(show(self._own()[0], None))
        try:
            target = self._naming.find(name)
        except ModelNotFound as error:
            raise _not_found(asked, error) from None
        self._access.admit(request.scope, target)
        model = self._engine.config.models[target.id] if isinstance(target, Local) else None
        records = (row for row in self._records(request.scope) if row["id"] == target.canonical)
        plain = {"id": target.canonical, "created": 0}
        if model:
            plain |= {"name": model.name, "description": model.description}
        return JSONResponse(show(next(records, plain), model))

    def _records(self, scope: Scope) -> list[dict[str, Any]]:
        rows = self._listing.records(lambda target: self._access.allows(scope, target))
        return [*self._own(), *rows]

    async def _nothing(
        self, scope: Scope, receive: Receive, send: Send, request: OllamaRequest, name: str
    ) -> None:
        """Load the model, or unload it: what Ollama does for a request without a prompt.

        A peer's model and ``auto`` are loaded by their first real request. Unloading is management
        and needs an admin's key.
        """
        if name and not self._is_own(name):
            try:
                target = self._naming.find(name)
            except ModelNotFound as error:
                raise _not_found(request.model, error) from None
            self._access.admit(scope, target)
            if request.unload:
                await self._unload(scope, target)
            else:
                with self._naming.chosen(target) as choice, Departure(receive) as departure:
                    if isinstance(choice, Local):
                        await self._load(choice.id)
                if departure.left:
                    return
        await JSONResponse(_loaded(request))(scope, receive, send)

    async def _load(self, model: str) -> None:
        (await self._engine.lease(self._engine.config.models[model])).release()

    async def _unload(self, scope: Scope, target: object) -> None:
        self._access.check(scope, admin=True)
        if not isinstance(target, Local):
            raise BadRequest(
                "only a model that runs here can be unloaded", fix="Name the model itself."
            )
        await self._engine.unload(target.id)

    def _is_own(self, name: str) -> bool:
        return any(row["id"] == name.lower() for row in self._own())

    def _spelled(self, name: str) -> str:
        """``name`` as the configuration spells it: Ollama's names may end in ``:latest`` or not."""
        other = name.removesuffix(_LATEST) if name.endswith(_LATEST) else name + _LATEST
        return other if name and not self._known(name) and self._known(other) else name

    def _known(self, name: str) -> bool:
        if self._is_own(name):
            return True
        return not isinstance(self._naming.names.resolve(name, self._naming.active), Unknown)


class _Endpoint:
    """One route, as a plain ASGI application that can stream."""

    def __init__(self, api: OllamaApi, kind: Kind, meaning: str) -> None:
        self._api = api
        self._kind = kind
        self.__doc__ = meaning

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._api.answer(self._kind, scope, receive, send)


def _inner(scope: Scope, path: str) -> Scope:
    """The request as it would have come to ``path``."""
    ours = (b"accept", b"accept-encoding", b"content-type", b"content-length")
    headers = [pair for pair in scope["headers"] if pair[0] not in ours]
    headers += [
        (b"content-type", b"application/json"),
        (b"accept", b"application/json, text/event-stream"),
        (b"accept-encoding", b"identity"),
    ]
    raw = path.encode()
    return {**scope, "path": path, "raw_path": raw, "query_string": b"", "headers": headers}


def _loaded(request: OllamaRequest) -> dict[str, Any]:
    if request.kind in ("embed", "embeddings"):
        return nothing_embedded(request)
    said = {"message": {"role": "assistant", "content": ""}, "response": ""}
    member = "message" if request.kind == "chat" else "response"
    return {
        "model": request.model,
        "created_at": now(),
        member: said[member],
        "done": True,
        "done_reason": "unload" if request.unload else "load",
    }


def _not_found(name: str, error: ModelNotFound) -> ModelNotFound:
    """The message that Ollama's clients know."""
    return ModelNotFound(f"model {name!r} not found", why=error.why)
