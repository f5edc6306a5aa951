"""The engine's own door: llama-swap's HTTP surface on the embedded engine.

Every rule here is in llama-swap's behaviour report, section 3.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from llmstack.backends.hops import hops_of
from llmstack.errors import ModelNotFound, RequestError
from llmstack.server.access import Access
from llmstack.server.asgi import ClientGone, answer, answer_error, refuse_websocket
from llmstack.server.config_api import ConfigApi
from llmstack.server.context_api import ContextApi
from llmstack.server.context_control import ContextControl
from llmstack.server.cors import answer_preflight, is_preflight
from llmstack.server.errors import in_own_words
from llmstack.server.hosted_report import hosted_status
from llmstack.server.keys_api import key_routes
from llmstack.server.listing import Listing, list_response
from llmstack.server.log_views import LogViews
from llmstack.server.model_request import json_request
from llmstack.server.model_routes import MODEL_ROUTES, ModelRoutes, fits, methods_of
from llmstack.server.models_api import ModelsApi
from llmstack.server.naming import Naming
from llmstack.server.ollama_api import OllamaApi
from llmstack.server.openapi import openapi
from llmstack.server.overrides_api import OverridesApi
from llmstack.server.passthrough import PassThrough
from llmstack.server.peers import Peers
from llmstack.server.places import Places
from llmstack.server.profiles_api import ProfilesApi
from llmstack.server.routes import NO_SNIFFING, Routes, answer_not_allowed
from llmstack.server.routing_settings import RoutingSettings
from llmstack.server.schema_route import SCHEMA
from llmstack.server.steering_api import SettingsApi
from llmstack.server.ui import UiFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.backends.upstreams import Upstreams
    from llmstack.engine.logs import Log
    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher


#: Seconds that a list of models waits for what others have.
LISTING = 1.0


class Door:
    """ASGI application of the engine's port.

    ``access``, ``naming``, ``listing`` and ``model_routes`` are shared with the gateway.
    ``proxy`` is the log of the server's own lines, ``shown`` that of what goes to standard output.
    ``control`` fits requests; without one what is set at run time is kept in memory. ``steering``
    are the routes by which the routing of a stack is looked at and changed, for admins. ``access``
    is a stack's; without one the keys are those of the engine's configuration.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        proxy: Log | None = None,
        shown: Log | None = None,
        upstreams: Upstreams | None = None,
        control: ContextControl | None = None,
        steering: Sequence[Route] = (),
        access: Access | None = None,
    ) -> None:
        engine = dispatcher.engine
        peers = Peers(dispatcher)
        self._dispatcher = dispatcher
        self._upstreams = upstreams
        self.access = access or Access(engine)
        self.naming = Naming(engine, upstreams)
        self.access.resolve = self.naming.find_any
        self.listing = Listing(engine, self.naming, upstreams)
        places = Places(dispatcher, self.naming, self.access, upstreams)
        self.model_routes = ModelRoutes(
            dispatcher, self.naming, self.access, peers, places, upstreams
        )
        self._pass_through = PassThrough(
            dispatcher, self.naming, self.access, places, self.model_routes
        )
        activity = dispatcher.activity
        if activity is not None:
            activity.active_profile = lambda: self.naming.active
            if upstreams:
                activity.elsewhere = lambda: hosted_status(upstreams)
            proxy = proxy or activity.proxy_log
        if control is None:
            control = ContextControl(engine.config)
            control.attach(engine)
        self.control = control
        if activity is not None:
            overviews = activity.overviews
            control.changed = lambda name: overviews.publish("settingsChanged", {"model": name})
        self.context_routes = [
            *ContextApi(control, self.naming, upstreams).routes,
            *ConfigApi(control).routes,
            *OverridesApi(control).routes,
            *(steering or SettingsApi(RoutingSettings(control.overrides)).routes),
        ]
        self.key_routes = key_routes(self.access, activity, self.naming)
        profiles = ProfilesApi(engine, self.naming, self._profile_changed)
        self._table = Routes(
            self.access,
            open=[
                Route("/health", _health),
                Route("/wol-health", _health),
                Route("/", _root),
                Route("/favicon.ico", _no_icon),
                Route("/upstream", _upstream_page),
            ],
            every_key=[
                Route("/v1/models", self._models),
                Route("/models", self._models),
                Route("/api/openapi.json", self._openapi),
                profiles.version,
                SCHEMA,
                *OllamaApi(
                    engine, self.naming, self.access, self.listing, self.serve_json, self.look
                ).routes,
            ],
            admin=[
                *ModelsApi(engine, control).routes,
                *self.context_routes,
                *profiles.routes,
                *LogViews(engine, proxy, shown).routes,
                *UiFiles().routes,
                *(activity.routes() if activity is not None else ()),
                *self.key_routes,
            ],
        )
        self.routes = self._table.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        try:
            self.access.enter(scope)
            if fits(scope):
                await self.model_routes(scope, receive, send)
            elif is_preflight(scope):
                await answer_preflight(scope, send)
            elif self._pass_through.fits(scope):
                await self._pass_through(scope, receive, send)
            elif not await self._table(scope, receive, send):
                await _not_found(scope, receive, send)
        except ClientGone:
            return
        except RequestError as error:
            if scope["type"] == "http":
                await answer_error(send, in_own_words(error, scope), scope)
            elif (await receive())["type"] == "websocket.connect":
                await refuse_websocket(scope, send, error)

    async def serve_json(
        self, scope: Scope, receive: Receive, send: Send, body: bytes, note: str
    ) -> None:
        """Answer a request whose key has been checked and whose ``body``, JSON, has been read."""
        request = json_request(body, scope["query_string"])
        await self.model_routes.serve(scope, receive, send, request, extra=[], note=note)

    def description(self) -> dict[str, Any]:
        """Everything that can be asked here, as an OpenAPI document."""
        return openapi(self._table.routes, self._table.open)

    def _profile_changed(self) -> None:
        """Tell those who follow the events."""
        if self._dispatcher.activity is not None:
            self._dispatcher.activity.profile_changed()

    async def _models(self, request: Request) -> Response:
        """The names that can be asked for, with what is known of them."""
        return list_response(request, await self.records(request.scope))

    async def records(self, scope: Scope) -> list[dict[str, Any]]:
        """The records that the client of ``scope`` may see.

        Sources that nobody has asked yet get a moment to say what they have. A peer that asks is
        told what we have ourselves.
        """
        own = hops_of(scope["headers"]) > 0
        if not own:
            await self.look()
        return self.listing.records(lambda target: self.access.allows(scope, target), own=own)

    async def look(self) -> None:
        """Give sources a moment to say what they have."""
        if self._upstreams:
            await self._upstreams.discovery.fresh(LISTING)

    async def _openapi(self, _: Request) -> Response:
        """This list as an OpenAPI description."""
        return JSONResponse(self.description())


async def _health(_: Request) -> Response:
    """``OK`` while the daemon lives."""
    return PlainTextResponse("OK")


async def _root(request: Request) -> Response:
    """The way to the web page; Ollama's clients are told that there is somebody."""
    if request.headers.get("user-agent", "").startswith("ollama"):
        return PlainTextResponse("Ollama is running")
    return RedirectResponse("/ui", 302)


async def _upstream_page(_: Request) -> Response:
    """The way to the page that lists the models."""
    return RedirectResponse("/ui/models", 302)


async def _no_icon(_: Request) -> Response:
    """There is none."""
    return PlainTextResponse("404 page not found\n", 404)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """A path with another method, a path that can be cleaned up, or nothing at all."""
    if scope["type"] == "websocket":
        if (await receive())["type"] == "websocket.connect":
            await refuse_websocket(scope, send, ModelNotFound("not found"))
        return
    path: str = scope["path"]
    clean = cleaned(path)
    if path in MODEL_ROUTES:
        await answer_not_allowed(send, methods_of(path))
    elif clean != path:
        location = quote(clean).encode()
        if scope["query_string"]:
            location += b"?" + scope["query_string"]
        await answer(send, 307, b"text/plain", b"", (b"location", location))
    else:
        kind = b"text/plain; charset=utf-8"
        await answer(send, 404, kind, b"404 page not found\n", NO_SNIFFING)


def cleaned(path: str) -> str:
    """``path`` without double slashes and dot segments, as Go's server redirects."""
    if "//" not in path and "/." not in path:
        return path
    clean = "/" + posixpath.normpath(path).lstrip("/")
    return clean + "/" if path.endswith("/") and clean != "/" else clean
