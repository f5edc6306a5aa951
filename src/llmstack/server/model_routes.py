"""Routes whose request names the model that answers it.

The list, and what is stripped of a path before it goes on, is llama-swap's (its behaviour report,
section 3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.names import Local
from llmstack.engine import State
from llmstack.errors import Conflict, ModelNotFound
from llmstack.server.asgi import read_body
from llmstack.server.followed_socket import FollowedSocket
from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS
from llmstack.server.model_request import read_request
from llmstack.server.naming import shortened
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from llmstack.config.names import Remote, Selected
    from llmstack.config.swap import SwapModel
    from llmstack.server.access import Access
    from llmstack.server.asgi import Headers, Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher
    from llmstack.server.model_request import ModelRequest
    from llmstack.server.naming import Naming
    from llmstack.server.peers import Peers

MODEL_ROUTES = MODEL_POSTS | MODEL_GETS

#: Prefixes that only choose the route and do not go upstream.
_PREFIXES = (b"/v/", b"/audioapi/")


class ModelRoutes:
    """Answers model routes, for the gateway and for the engine's own door."""

    def __init__(
        self, dispatcher: Dispatcher, naming: Naming, access: Access, peers: Peers
    ) -> None:
        self._dispatcher = dispatcher
        self._naming = naming
        self._access = access
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to one of ``MODEL_ROUTES`` whose method fits.

        Raises:
            RequestError: nothing has been sent to the client yet.
        """
        self._access.check(scope)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        body = await read_body(receive)
        await self.serve(scope, receive, send, read_request(scope, body), extra=[])

    async def serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: ModelRequest,
        *,
        extra: Headers,
        note: str = "",
    ) -> None:
        """Answer ``request``, which ``scope``, whose key has been checked, brought.

        ``extra`` are headers for the answer beside the one that names the model.

        Raises:
            RequestError: nothing has been sent to the client yet.
        """
        naming = self._naming
        target = self._find(scope, request.model)
        self._access.admit(scope, target)
        if self._access.limited(scope):
            request.check_only_name()
        with naming.chosen(target) as choice:
            if choice is not target:
                note += f" selector={target.canonical}"
                scope["llmstack.metadata"] = {"selector": target.canonical}
            headers: Headers = [(b"x-llmstack-model", _header_value(choice.canonical)), *extra]
            path = stripped(scope["raw_path"])
            if isinstance(choice, Local):
                model = self._dispatcher.engine.config.models[choice.id]
                request = request.named(choice.name).filtered(model)
                scope = self._outgoing(scope, request, model)
                await self._dispatcher.serve(
                    scope,
                    receive,
                    send,
                    model,
                    request.body,
                    extra=headers,
                    raw_path=path,
                    note=note,
                    stream=request.stream,
                )
                return
            filters = self._peers.peer(choice).filters
            request = request.filtered_for_peer(filters, choice.model)
            scope = self._outgoing(scope, request)
            await self._peers.serve(
                scope,
                receive,
                send,
                choice,
                request.body,
                extra=headers,
                raw_path=path,
                note=note,
            )

    def _find(self, scope: Scope, name: str) -> Local | Remote | Selected:
        try:
            return self._naming.find(name)
        except ModelNotFound as error:
            if self._dispatcher.activity:
                self._dispatcher.activity.refused(scope, shortened(name), error)
            raise

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = read_request(scope, b"")
        target = self._naming.find(request.model)
        self._access.admit(scope, target)
        if self._access.limited(scope):
            request.check_only_name()
        with self._naming.chosen(target) as choice:
            path = stripped(scope["raw_path"])
            if isinstance(choice, Local):
                request = request.named(choice.name)
                model = self._dispatcher.engine.config.models[choice.id]
                scope = self._outgoing(scope, request, model)
            else:
                scope = self._outgoing(scope, request.named(choice.model))
            await self.pass_websocket(scope, receive, send, choice, path)

    async def pass_websocket(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        choice: Local | Remote,
        raw_path: bytes | None,
    ) -> None:
        """Pass a WebSocket through to a model."""
        if not isinstance(choice, Local):
            await self._peers.serve_websocket(scope, receive, send, choice, raw_path)
            return
        model = self._dispatcher.engine.config.models[choice.id]
        if not model.ignore_websockets:
            await self._dispatcher.serve_websocket(scope, receive, send, model, raw_path)
            return
        # It must neither load the model nor keep it loaded (section 4.9 of the report).
        if self._dispatcher.engine.state(model.id) is not State.READY:
            raise Conflict(
                f"model {model.id} is not loaded; ignored websocket requests cannot start it"
            )
        if (await receive())["type"] == "websocket.connect":
            base = model.proxy.rstrip("/")
            with FollowedSocket(self._dispatcher.activity, scope, model.id, raw_path) as socket:
                await relay_websocket(scope, receive, send, base, raw_path, socket)

    def _outgoing(
        self, scope: Scope, request: ModelRequest, model: SwapModel | None = None
    ) -> Scope:
        scope = self._access.outgoing(scope, keep=model is not None and model.forward_api_key)
        if request.query != scope["query_string"]:
            scope = {**scope, "query_string": request.query}
        return scope


def stripped(raw_path: bytes) -> bytes | None:
    """The path as it goes upstream, None for the same."""
    for prefix in _PREFIXES:
        if raw_path.startswith(prefix):
            return raw_path[len(prefix) - 1 :]
    return None


def fits(scope: Scope) -> bool:
    """Whether one of ``MODEL_ROUTES`` is asked with a method that it has."""
    path = scope["path"]
    if scope["type"] == "websocket":
        return path in MODEL_ROUTES
    if scope["method"] == "POST":
        return path in MODEL_POSTS
    return path in MODEL_GETS and scope["method"] in ("GET", "HEAD")


def methods_of(path: str) -> set[str]:
    """The methods of a model route; none for another path."""
    gets = {"GET", "HEAD"} if path in MODEL_GETS else set()
    return gets | ({"POST"} if path in MODEL_POSTS else set())


def _header_value(name: str) -> bytes:
    return name.encode("ascii", "replace").replace(b"\r", b"?").replace(b"\n", b"?")
