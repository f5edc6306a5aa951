"""Routes whose request names the model that answers it.

The list, and what is stripped of a path before it goes on, is llama-swap's (its behaviour report,
section 3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.names import HostedModel, Local, Remote
from llmstack.engine import State
from llmstack.errors import Conflict, ModelNotFound
from llmstack.server.asgi import read_body
from llmstack.server.followed_socket import FollowedSocket
from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS
from llmstack.server.model_request import read_request
from llmstack.server.naming import shortened
from llmstack.server.places import outgoing
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from llmstack.backends.upstreams import Upstreams
    from llmstack.config.names import Choice, Selected
    from llmstack.server.access import Access
    from llmstack.server.asgi import Headers, Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher
    from llmstack.server.model_request import ModelRequest
    from llmstack.server.naming import Naming
    from llmstack.server.peers import Peers
    from llmstack.server.places import Places

MODEL_ROUTES = MODEL_POSTS | MODEL_GETS

#: Prefixes that only choose the route and do not go upstream.
_PREFIXES = (b"/v/", b"/audioapi/")


class ModelRoutes:
    """Answers model routes, for the gateway and for the engine's own door."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        naming: Naming,
        access: Access,
        peers: Peers,
        places: Places,
        upstreams: Upstreams | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._naming = naming
        self._access = access
        self._peers = peers
        self._upstreams = upstreams
        self._places = places

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
        target = await self._find(scope, request.model)
        self._access.admit(scope, target)
        if self._access.limited(scope):
            request.check_only_name()
        with naming.chosen(target) as choice:
            if choice is not target:
                note += f" selector={target.canonical}"
                scope["llmstack.metadata"] = {"selector": target.canonical}
            path = stripped(scope["raw_path"])
            places = self._places
            await self._dispatcher.serve(
                receive,
                send,
                places.stop(scope, request, choice, path),
                others=places.others(scope, request, choice, path),
                extra=extra,
                note=note,
                named=True,
            )

    async def _find(self, scope: Scope, name: str) -> Choice | Selected:
        naming, upstreams = self._naming, self._upstreams
        try:
            try:
                return naming.find(name)
            except ModelNotFound as error:
                if not upstreams:
                    raise
                # A model of a source that nobody has asked lately.
                if await upstreams.look_for(name):
                    return naming.find(name)
                if why := upstreams.silence(name):
                    raise ModelNotFound(error.what, why=why) from None
                raise
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
                scope = outgoing(self._access, scope, request, model)
            elif isinstance(choice, Remote):
                scope = outgoing(self._access, scope, request.named(choice.model))
            await self.pass_websocket(scope, receive, send, choice, path)

    async def pass_websocket(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        choice: Choice,
        raw_path: bytes | None,
    ) -> None:
        """Pass a WebSocket through to a model.

        Raises:
            Conflict: it is one that others host, or may not be loaded for it.
        """
        if isinstance(choice, HostedModel):
            raise Conflict(f"{choice.id} is served by others, and takes no WebSockets")
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
