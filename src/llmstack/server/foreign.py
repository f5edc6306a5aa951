"""``engine = llama-swap``: a real llama-swap runs the models, behind the same gateway.

For our own engine that program is one model: it is started, watched, restarted after a crash and
stopped as any other, and answers to the names of all tiers. What it is told to run is the
generated configuration, unchanged.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.backends.hops import hops_of
from llmstack.config.render import reachable
from llmstack.config.swap import SwapConfig, SwapModel
from llmstack.errors import EngineMissing, Forbidden, RequestError, UpstreamUnreachable
from llmstack.http1 import Broken, Unreachable
from llmstack.hub.data_dir import data_dir
from llmstack.hub.swap_binary import find_llama_swap, installed_number
from llmstack.server.activity_routes import overview_route
from llmstack.server.asgi import ClientGone, answer_error, read_body, refuse_websocket
from llmstack.server.cors import answer_preflight, is_preflight
from llmstack.server.door import Door
from llmstack.server.doorways import inner_host
from llmstack.server.model_request import read_request
from llmstack.server.model_routes import fits
from llmstack.server.routes import Routes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from starlette.routing import Route

    from llmstack.backends.upstreams import Upstreams
    from llmstack.config.stack import Settings
    from llmstack.server.access import Access
    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.context_control import ContextControl
    from llmstack.server.dispatch import Dispatcher

#: What the program is called among our own engine's models.
NAME = "llama-swap"

#: The first release that knows ``matrix``.
OLDEST = 202

#: Requests side by side that nobody means as a limit; the program has limits of its own.
MANY = 1_000_000

#: What is told to everybody, and the paths below which models' own servers are.
_OPEN = frozenset({"/health", "/wol-health", "/", "/favicon.ico", "/upstream"})
_MODELS = ("/upstream/", "/v1/models", "/models", "/api/version", "/comfyui")

#: Bytes of a list of models that is believed.
LARGEST = 16 * 1024 * 1024


def foreign_program(environ: Mapping[str, str]) -> Path:
    """The llama-swap to run.

    Raises:
        EngineMissing: there is none, or it is too old.
    """
    program = find_llama_swap(environ, data_dir(environ))
    if program is None:
        raise EngineMissing(
            "engine = llama-swap, and there is no llama-swap",
            fix="Fetch it: llmstack install-llama-swap\nOr remove engine from models.ini.",
        )
    number = installed_number(program)
    if number is not None and number < OLDEST:
        raise EngineMissing(
            f"{program} is llama-swap v{number}, which does not know the generated configuration",
            fix="Fetch a newer one: llmstack install-llama-swap",
        )
    return program


def foreign_config(
    swap: SwapConfig, program: Path, generated: Path, settings: Settings
) -> SwapConfig:
    """What our own engine runs: ``program`` on the file ``generated``, which holds ``swap``."""
    address = f"{reachable(inner_host(settings))}:{settings.engine_port}"
    argv = [str(program), "-config", str(generated), "-listen", address]
    models = swap.models.values()
    names = [name for model in models for name in (model.id, *model.aliases)]
    whole = SwapModel(
        id=NAME,
        cmd=shlex.join(argv),
        proxy=f"http://{address}",
        aliases=tuple(name for name in names if name != NAME),
        unload_timeout=30,
        concurrency_limit=MANY,
        description="Runs the models of this stack.",
    )
    return SwapConfig(
        source=swap.source,
        models={NAME: whole},
        preload=(NAME,),
        include_aliases_in_list=True,
        capture_buffer=swap.capture_buffer,
        health_check_timeout=60,
        min_residency=0,
    )


class ForeignDoor(Door):
    """The door whose other side is llama-swap itself: everything goes there as it came.

    What the program does not know, how requests are fitted, is answered here.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        upstreams: Upstreams | None = None,
        control: ContextControl | None = None,
        steering: Sequence[Route] = (),
        access: Access | None = None,
    ) -> None:
        super().__init__(
            dispatcher, upstreams=upstreams, control=control, steering=steering, access=access
        )
        activity = dispatcher.activity
        ours = [overview_route(activity)] if activity else []
        self._own = Routes(self.access, admin=[*self.context_routes, *self.key_routes, *ours])
        self._model = dispatcher.engine.config.models[NAME]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request or WebSocket on."""
        try:
            self.access.enter(scope)
            if is_preflight(scope):
                await answer_preflight(scope, send)
                return
            if await self._own(scope, receive, send):
                return
            self._check(scope)
            out = self.access.outgoing(scope)
            if scope["type"] == "websocket":
                await self._dispatcher.serve_websocket(out, receive, send, self._model, None)
                return
            body = await read_body(receive)
            if self.access.limited(scope):
                self._admit(scope, body)
            stop = self._dispatcher.here(out, self._model, body)
            await self._dispatcher.serve(receive, send, stop, extra=[])
        except ClientGone:
            return
        except RequestError as error:
            if scope["type"] == "http":
                await answer_error(send, error, scope)
            elif (await receive())["type"] == "websocket.connect":
                await refuse_websocket(scope, send, error)

    def _check(self, scope: Scope) -> None:
        """What is open is open; models need a key, and anything else the program can do an admin's.

        Raises:
            Unauthorized, Forbidden, RateLimited: see ``Access.check``.
        """
        path: str = scope["path"]
        if path in _OPEN and scope["type"] == "http":
            return
        self.access.check(scope, admin=not (fits(scope) or path.startswith(_MODELS)))
        if self.access.limited(scope) and (scope["type"] == "websocket" or not fits(scope)):
            raise Forbidden("forbidden: this API key may only name its models in requests to /v1")

    def _admit(self, scope: Scope, body: bytes) -> None:
        """Raise Forbidden unless the client's key is for the model that the request names."""
        request = read_request(scope, body)
        self.access.admit(scope, self.naming.find(request.model))
        request.check_only_name()

    async def records(self, scope: Scope) -> list[dict[str, Any]]:
        """What llama-swap lists. Raises UpstreamUnreachable."""
        pool, base = self._dispatcher.pool, self._model.proxy
        try:
            response = await pool.request("GET", base, b"/v1/models", [], b"")
            try:
                text = b""
                while not response.exhausted and len(text) < LARGEST:
                    text += await response.read()
            finally:
                response.close()
            rows: list[dict[str, Any]] = msgspec.json.decode(text)["data"]
        except (Unreachable, Broken, msgspec.DecodeError, KeyError, TypeError) as error:
            raise UpstreamUnreachable("llama-swap does not list models", why=str(error)) from error
        if self.access.limited(scope):
            rows = [
                row for row in rows if self.access.allows(scope, self.naming.find_any(row["id"]))
            ]
        return [*rows, *self.listing.hosted(own=hops_of(scope["headers"]) > 0)]
