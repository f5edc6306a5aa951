"""Looking at models, loading and unloading them: ``/running``, ``/unload``, ``/api/models...``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from llmstack.config.context_override import read_command
from llmstack.config.redact import masked
from llmstack.engine import State
from llmstack.errors import ModelNotFound
from llmstack.server.asgi import read_body
from llmstack.server.departure import CLIENT_LEFT, Departure
from llmstack.server.events_route import HEADERS
from llmstack.server.load_progress import load_frames

if TYPE_CHECKING:
    from starlette.requests import Request

    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine, ModelStatus
    from llmstack.server.context_control import ContextControl


class ModelsApi:
    """Management of the engine's models. Names are ids or aliases; profiles do not apply."""

    def __init__(self, engine: Engine, control: ContextControl) -> None:
        self._engine = engine
        self._control = control
        self.routes = [
            Route("/running", self._running),
            Route("/unload", self._unload),
            Route("/api/models", self._models),
            Route("/api/models/unload", self._unload_json, methods=["POST"]),
            Route("/api/models/unload/{model:path}", self._unload_one, methods=["POST"]),
            Route("/api/models/load/{model:path}", self._load, methods=["POST"]),
        ]

    async def _running(self, _: Request) -> Response:
        """The models that are loaded, loading or stopping. Secrets in commands are masked."""
        config = self._engine.config
        rows = []
        for status in sorted(self._engine.status(), key=lambda status: status.id):
            if status.state is State.STOPPED:
                continue
            # What runs; a change of its configuration may still wait for its next start.
            model = self._engine.runs(status.id) or config.models[status.id]
            rows.append(
                {
                    "model": status.id,
                    "state": str(status.state),
                    "cmd": masked(model.cmd, config.secrets),
                    "proxy": masked(model.proxy, config.secrets),
                    "ttl": model.ttl,
                    "name": model.name,
                    "description": model.description,
                }
            )
        return JSONResponse({"running": rows})

    async def _models(self, _: Request) -> Response:
        """Every model with its state, since when (unix seconds), and how many wait for it.

        ``ttl_left`` is in seconds, null where there is none. ``memory`` is what its processes
        take of the machine's memory now, in bytes; null if it is not loaded. ``footprint`` is what
        the rule by memory reckons with, null under another rule. ``failure`` is what its last start
        is blamed on, or its sudden end; null once it starts again. ``context`` is in tokens over
        all slots, but ``served`` for one; ``command`` is what the next start runs, secrets masked.
        More of both: ``/api/model/{model}/...``.
        """
        rows = [self._row(status) for status in await self._engine.measured_status()]
        return JSONResponse({"models": rows})

    def _row(self, status: ModelStatus) -> dict[str, Any]:
        model = self._engine.config.models[status.id]
        return {
            "id": status.id,
            "name": model.name,
            "description": model.description,
            "aliases": list(model.aliases),
            "unlisted": model.unlisted,
            "state": str(status.state),
            "since": round(time.time() - (self._engine.now() - status.since), 3),
            "in_flight": status.in_flight,
            "ttl": model.ttl,
            "concurrency_limit": model.concurrency_limit,
            "queue_length": status.queue,
            "ttl_left": status.ttl_left,
            "memory": status.memory,
            "footprint": self._footprint(status.id),
            "pid": status.pid,
            "failure": self._control.failures.of(status.id),
            "provider": "local",
            "pinned": self._control.pinned(status.id),
            "context": self._context(status.id),
            "policy": self._policy(status.id),
            "command": self._control.command(status.id),
        }

    def _context(self, model: str) -> dict[str, int | None]:
        control = self._control
        window = control.window(model)
        present = self._engine.config.models[model]
        configured = control.configured.models.get(model, present)  # a reload may be under way
        return {
            "configured": read_command(configured.cmd).ctx_size,
            "override": control.overrides.of(model).process.ctx_size,
            "effective": read_command(present.cmd).ctx_size,
            "served": window.tokens if window.source == "served" else None,
        }

    def _policy(self, model: str) -> dict[str, str | None]:
        control = self._control
        return {
            "configured": control.configured_settings(model).policy,
            "override": control.overrides.of(model).policy,
            "effective": control.settings(model).policy,
        }

    def _footprint(self, model: str) -> dict[str, Any] | None:
        facts, plan = self._engine.memory, self._engine.config.memory
        if facts is None or plan is None:
            return None
        known = facts.known[model]
        return {"size": known.size, "source": known.source, "pinned": model in plan.pinned}

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
        await self._engine.unload(self._model(request).id, force=forced(request))
        return PlainTextResponse("OK")

    async def _load(self, request: Request) -> Response:
        """Load one model and answer once it is ready; ``{"msg": "ok"}``.

        With ``Accept: text/event-stream`` the progress is told as it goes. A client that leaves
        leaves the queue.
        """
        model = self._model(request)
        await read_body(request.receive)
        if "text/event-stream" in request.headers.get("accept", ""):
            return StreamingResponse(load_frames(self._engine, model), headers=HEADERS)
        with Departure(request.receive) as departure:
            await self._engine.load(model.id)
        return Response(status_code=CLIENT_LEFT) if departure.left else JSONResponse({"msg": "ok"})

    def _model(self, request: Request) -> SwapModel:
        try:
            return self._engine.resolve(request.path_params["model"])
        except ModelNotFound:
            raise ModelNotFound("model not found") from None


def forced(request: Request) -> bool:
    """Whether the query asks to stop without waiting for running answers."""
    return request.query_params.get("force") in ("1", "true")
