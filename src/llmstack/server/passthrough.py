"""Whole web servers of models: ``/upstream/MODEL/...`` and ``/comfyui/...``.

Rules: llama-swap's behaviour report, sections 3.8 and 3.9. Nothing of a request is looked at or
changed but the prefix of its path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from llmstack.config.names import Disabled, Local, Unknown
from llmstack.engine import State
from llmstack.errors import Conflict, ModelNotFound
from llmstack.server.asgi import answer, read_body

if TYPE_CHECKING:
    from llmstack.config.names import Choice
    from llmstack.server.access import Access
    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher
    from llmstack.server.model_routes import ModelRoutes
    from llmstack.server.naming import Naming
    from llmstack.server.places import Places

UPSTREAM = b"/upstream/"
COMFYUI = b"/comfyui"
#: The model behind ``/comfyui``.
COMFYUI_MODEL = "comfyui_auto"


class PassThrough:
    """Forwards everything below a model's prefix."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        naming: Naming,
        access: Access,
        places: Places,
        model_routes: ModelRoutes,
    ) -> None:
        self._dispatcher = dispatcher
        self._engine = dispatcher.engine
        self._naming = naming
        self._access = access
        self._places = places
        self._model_routes = model_routes

    @staticmethod
    def fits(scope: Scope) -> bool:
        """Whether the path is below one of the prefixes."""
        path: bytes = scope["raw_path"]
        return path.startswith((UPSTREAM, b"/comfyui/")) or path == COMFYUI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a WebSocket.

        Raises:
            RequestError: nothing has been sent to the client yet.
        """
        self._access.check(scope)
        if scope["raw_path"].startswith(UPSTREAM):
            target, rest = self._split(scope["raw_path"][len(UPSTREAM) :])
        else:
            target, rest = Local(COMFYUI_MODEL, COMFYUI_MODEL), scope["raw_path"][len(COMFYUI) :]
            if rest and target.id not in self._engine.config.models:
                raise ModelNotFound(f"local model {target.id} not found")
        self._access.admit(scope, target)
        if not isinstance(target, Local):
            self._access.admit_everything(scope)
        if scope["type"] == "http" and not rest:
            await _add_slash(scope, send)
            return
        self._may_start(scope, target, rest or b"/")
        await self._forward(scope, receive, send, target, rest or b"/")

    async def _forward(
        self, scope: Scope, receive: Receive, send: Send, target: Choice, rest: bytes
    ) -> None:
        websocket = scope["type"] == "websocket"
        body = b"" if websocket else await read_body(receive)
        # A reload may have removed the model while its request came in.
        model = None
        if isinstance(target, Local):
            model = self._engine.config.models.get(target.id)
            if model is None:
                raise ModelNotFound("no local server found for requested model")
        scope = self._access.outgoing(scope, keep=model is not None and model.forward_api_key)
        if websocket:
            await self._model_routes.pass_websocket(scope, receive, send, target, rest)
        elif model is not None:
            stop = self._dispatcher.here(scope, model, body, rest)
            await self._dispatcher.serve(receive, send, stop, extra=[])
        elif not isinstance(target, Local):
            stop = self._places.passing(scope, target, body, rest)
            await self._dispatcher.serve(receive, send, stop, extra=[])

    def _split(self, path: bytes) -> tuple[Choice, bytes]:
        """The longest prefix of segments that names a model, pins first, and the raw rest."""
        segments = path.split(b"/")
        longest = min(len(segments), self._naming.longest)
        prefixes = []
        for count in range(longest, 0, -1):
            name = unquote_to_bytes(b"/".join(segments[:count])).decode("utf-8", "replace")
            after = segments[count:]
            prefixes.append((name, b"/" + b"/".join(after) if after else b""))
        pins = self._naming.pins()
        for name, rest in sorted(prefixes, key=lambda prefix: prefix[0] not in pins):
            target = self._naming.find_model(name)
            if isinstance(target, (Unknown, Disabled)):
                if name in pins:
                    break
                continue
            return target, rest  # type: ignore[return-value]
        raise ModelNotFound("model not found")

    def _may_start(self, scope: Scope, target: Choice, rest: bytes) -> None:
        """Raise Conflict when this request would have to load the model and must not."""
        if not isinstance(target, Local) or self._engine.state(target.id) is State.READY:
            return
        if not scope["raw_path"].startswith(UPSTREAM):
            if rest != b"/":
                raise Conflict(f"model {target.id} is not loaded; only /comfyui/ can start it")
            return
        path = unquote_to_bytes(rest).decode("utf-8", "replace")
        if any(ignored.search(path) for ignored in self._engine.config.ignore_paths):
            raise Conflict(f"model {target.id} is not loaded; path matches upstream.ignorePaths")


async def _add_slash(scope: Scope, send: Send) -> None:
    location = scope["raw_path"] + b"/"
    if scope["query_string"]:
        location += b"?" + scope["query_string"]
    status = 301 if scope["method"] in ("GET", "HEAD") else 308
    await answer(send, status, b"text/plain", b"", (b"location", location))
