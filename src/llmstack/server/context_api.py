"""Looking at and changing how requests are fitted: ``/api/model/{model}/...``.

Members and methods: the prompt optimizer's behaviour report, section 2. Names are ids or aliases,
with as many slashes as they have; profiles and selectors do not apply.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import Route

from llmstack.config.context_override import read_command
from llmstack.config.context_settings import POLICIES, TRUNCATIONS, read_policy, read_truncation
from llmstack.config.names import HostedModel, Local, Remote, Unknown
from llmstack.errors import BadRequest, ModelNotFound
from llmstack.server.asgi import read_body
from llmstack.server.overrides import MOST, is_size, without

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstack.backends.upstreams import Upstreams
    from llmstack.config.context_override import FitMode
    from llmstack.server.context_control import ContextControl
    from llmstack.server.naming import Naming

_OURS = "Its command line is not ours to change."


@dataclass(frozen=True, slots=True)
class _Target:
    """A model by its one name. ``fixed`` says why its process cannot be changed from here.

    ``context`` is what its source or its tier says of its window, 0 for nothing.
    """

    name: str
    fixed: str = ""
    context: int = 0


class ContextApi:
    """The routes; all are for admins."""

    def __init__(
        self, control: ContextControl, naming: Naming, upstreams: Upstreams | None = None
    ) -> None:
        self._control = control
        self._naming = naming
        self._upstreams = upstreams
        model = "/api/model/{model:path}"
        self.routes = [
            Route(f"{model}/ctxsize", self._get_size, methods=["GET"]),
            Route(f"{model}/ctxsize", self._set_size, methods=["POST"]),
            Route(f"{model}/ctxsize", self._reset_size, methods=["DELETE"]),
            Route(f"{model}/fit", self._get_fit, methods=["GET"]),
            Route(f"{model}/fit", self._set_fit, methods=["POST"]),
            Route(f"{model}/fit", self._reset_fit, methods=["DELETE"]),
            Route(f"{model}/pin", self._get_pin, methods=["GET"]),
            Route(f"{model}/pin", self._set_pin, methods=["POST"]),
            Route(f"{model}/pin", self._reset_pin, methods=["DELETE"]),
            Route(f"{model}/prompt-optimization/latest", self._latest, methods=["GET"]),
            Route(f"{model}/prompt-optimization", self._get_policy, methods=["GET"]),
            Route(f"{model}/prompt-optimization", self._set_policy, methods=["POST"]),
            Route(f"{model}/prompt-optimization", self._reset_policy, methods=["DELETE"]),
        ]

    async def _get_size(self, request: Request) -> Response:
        """The context in tokens: as configured, as set, as it will be; ``actual`` is served now.

        ``ctxSize`` is the effective one, 0 where nobody says. It counts for all slots together,
        ``actual`` for one. ``pending_restart`` says that the running process has another one.
        ``command`` is what the next start runs, secrets masked.
        """
        return JSONResponse(self._size(await self._target(request)))

    async def _set_size(self, request: Request) -> Response:
        """Set ``{"ctxSize": tokens}`` for the model's next start, or for now.

        With ``?apply=restart`` a running process is stopped when it is idle and started again.
        """
        target = await self._local(request)
        told = await _body(request)
        size = told.get("ctxSize")
        if not is_size(size):
            raise BadRequest("ctxSize must be a whole number of tokens", why=f"From 1 to {MOST}")
        restart = _restart(request, told)
        await self._control.change(
            target.name,
            lambda now: replace(now, process=replace(now.process, ctx_size=size)),
            restart=restart,
        )
        return JSONResponse({"msg": "context size set", **self._size(target)})

    async def _reset_size(self, request: Request) -> Response:
        """Go by the configured context again; ``?apply=restart`` as for setting it."""
        target = await self._reset(request, "ctxsize")
        return JSONResponse({"msg": "context size reset", **self._size(target)})

    async def _get_fit(self, request: Request) -> Response:
        """Whether the server fits what is not said into memory, and what the context is then.

        With mode ``max`` the number is what is asked for, with ``min`` the least that it may be.
        """
        return JSONResponse(self._fit(await self._target(request)))

    async def _set_fit(self, request: Request) -> Response:
        """Set ``{"fit": true or false, "mode": "max" or "min"}``; applied as a context is."""
        target = await self._local(request)
        told = await _body(request)
        fit, mode = told.get("fit"), told.get("mode", "max")
        if not isinstance(fit, bool):
            raise BadRequest("fit must be true or false")
        if mode not in ("max", "min"):
            raise BadRequest("mode must be max or min")
        restart = _restart(request, told)
        used: FitMode = "min" if fit and mode == "min" else "max"
        await self._control.change(
            target.name,
            lambda now: replace(now, process=replace(now.process, fit=fit, mode=used)),
            restart=restart,
        )
        return JSONResponse({"msg": "fit set", **self._fit(target)})

    async def _reset_fit(self, request: Request) -> Response:
        """Go by the configured flags again."""
        target = await self._reset(request, "fit")
        return JSONResponse({"msg": "fit reset", **self._fit(target)})

    async def _get_policy(self, request: Request) -> Response:
        """What is done so that requests fit. ``actual`` is ``off`` while no window is known."""
        return JSONResponse(self._policy(await self._target(request)))

    async def _set_policy(self, request: Request) -> Response:
        """Set ``{"policy": ..., "truncationMode": ...}``, both or one; holds for the next request.

        Policies are off, limit_only, always and llm_assisted; modes sliding_window and
        strict_error.
        """
        target = await self._target(request)
        told = await _body(request)
        policy, mode = told.get("policy"), told.get("truncationMode")
        if policy is None and mode is None:
            raise BadRequest("neither policy nor truncationMode is named")
        named = read_policy(policy) if isinstance(policy, str) else None
        if policy is not None and named is None:
            raise BadRequest(f"policy must be one of {', '.join(POLICIES)}")
        meant = read_truncation(mode) if isinstance(mode, str) else None
        if mode is not None and meant is None:
            raise BadRequest(f"truncationMode must be one of {', '.join(TRUNCATIONS)}")
        await self._control.change(
            target.name,
            lambda now: replace(
                now, policy=named or now.policy, truncation=meant or now.truncation
            ),
        )
        return JSONResponse({"msg": "prompt optimization set", **self._policy(target)})

    async def _reset_policy(self, request: Request) -> Response:
        """Go by the configured policy and mode again."""
        target = await self._target(request)
        await self._control.change(target.name, lambda now: without(now, "prompt-optimization"))
        return JSONResponse({"msg": "prompt optimization reset", **self._policy(target)})

    async def _get_pin(self, request: Request) -> Response:
        """Whether the model stays loaded: neither evicted for another nor stopped for being idle.

        Only the rule by memory can be configured so. Pinning loads nothing.
        """
        return JSONResponse(self._pin(await self._target(request)))

    async def _set_pin(self, request: Request) -> Response:
        """Pin the model or not: ``{"pinned": true or false}``; holds at once.

        409 says what to write into the configuration where its rule would stop the model for
        another one all the same.
        """
        target = await self._local(request, "is not pinned here")
        told = await _body(request)
        pinned = told.get("pinned")
        if not isinstance(pinned, bool):
            raise BadRequest("pinned must be true or false")
        await self._control.change(target.name, lambda now: replace(now, pinned=pinned))
        return JSONResponse({"msg": "pin set", **self._pin(target)})

    async def _reset_pin(self, request: Request) -> Response:
        """Go by the configuration again."""
        target = await self._local(request, "is not pinned here")
        await self._control.change(target.name, lambda now: without(now, "pin"))
        return JSONResponse({"msg": "pin reset", **self._pin(target)})

    async def _latest(self, request: Request) -> Response:
        """How the latest request was fitted; 404 if none was since the start.

        ``report`` has the numbers and what was done. The bodies are empty unless they were to be
        kept: with a ``captureBuffer``, or for a request with ``X-LLMStack-Context-Bodies: keep``.
        """
        target = await self._target(request)
        snapshot = self._control.snapshots.latest(target.name)
        if snapshot is None:
            raise ModelNotFound(f"no request for {target.name} has been fitted yet")
        return JSONResponse(snapshot.told())

    async def _reset(self, request: Request, what: str) -> _Target:
        target = await self._local(request)
        restart = _restart(request, {})
        await self._control.change(target.name, lambda now: without(now, what), restart=restart)
        return target

    def _size(self, target: _Target) -> dict[str, Any]:
        control, name = self._control, target.name
        configured: int | None = target.context or None
        effective = configured
        if not target.fixed:
            configured = read_command(control.configured.models[name].cmd).ctx_size
            effective = read_command(control.effective.models[name].cmd).ctx_size
        window = control.window(name)
        return {
            "model": name,
            "ctxSize": effective or 0,
            "configured": configured,
            "override": control.overrides.of(name).process.ctx_size,
            "effective": effective,
            "actual": window.tokens if window.source == "served" else None,
            **self._process(target),
        }

    def _fit(self, target: _Target) -> dict[str, Any]:
        control, name = self._control, target.name
        configured = effective = actual = None
        if not target.fixed:
            configured = _fitting(control.configured.models[name].cmd)
            effective = _fitting(control.effective.models[name].cmd)
            runs = control.engine.runs(name)
            actual = _fitting(runs.cmd) if runs else None
        process = control.overrides.of(name).process
        return {
            "model": name,
            "fit": bool(effective and effective["fit"]),
            "mode": effective["mode"] if effective else "max",
            "configured": configured,
            "override": None if process.fit is None else {"fit": process.fit, "mode": process.mode},
            "effective": effective,
            "actual": actual,
            **self._process(target),
        }

    def _policy(self, target: _Target) -> dict[str, Any]:
        control, name = self._control, target.name
        configured, settings = control.configured_settings(name), control.settings(name)
        override = control.overrides.of(name)
        effective = {"policy": settings.policy, "truncationMode": settings.truncation}
        window = control.window(name).tokens or target.context
        return {
            "model": name,
            **effective,
            "configured": {
                "policy": configured.policy,
                "truncationMode": configured.truncation,
            },
            "override": {"policy": override.policy, "truncationMode": override.truncation}
            if override.policy or override.truncation
            else None,
            "effective": effective,
            "actual": effective if window else {**effective, "policy": "off"},
            "pending_restart": False,
            **self._kept(),
        }

    def _pin(self, target: _Target) -> dict[str, Any]:
        control, name = self._control, target.name
        here = not target.fixed
        pinned = here and control.pinned(name)
        told = {
            "model": name,
            "pinned": pinned,
            "configured": here and control.configured_pinned(name),
            "override": control.overrides.of(name).pinned,
            "effective": pinned,
            "read_only": not here,
        }
        if problem := control.problems.get(name):
            told["problem"] = f"what was set does not hold: {problem}"
        return {**told, **self._kept()}

    def _process(self, target: _Target) -> dict[str, Any]:
        """What both kinds of flags have in common."""
        control, name = self._control, target.name
        told: dict[str, Any] = {"pending_restart": False, "read_only": bool(target.fixed)}
        if not target.fixed:
            told["pending_restart"] = control.pending_restart(name)
            told["command"] = control.command(name)
        if problem := control.problems.get(name):
            told["problem"] = f"what was set does not hold: {problem}"
        return {**told, **self._kept()}

    def _kept(self) -> dict[str, Any]:
        """Whether what is set survives a restart."""
        if self._control.overrides.path is not None:
            return {"persisted": True}
        return {"persisted": False, "note": "without a store, what is set is kept in memory only"}

    async def _local(self, request: Request, what: str = "") -> _Target:
        target = await self._target(request)
        if target.fixed:
            said = f"{target.name} {what}" if what else f"the context of {target.name} is read-only"
            raise BadRequest(said, why=target.fixed)
        return target

    async def _target(self, request: Request) -> _Target:
        name: str = request.path_params["model"]
        control = self._control
        found = self._naming.names.model(name)
        if isinstance(found, Unknown) and self._upstreams and await self._upstreams.look_for(name):
            found = self._naming.names.model(name)
        if isinstance(found, HostedModel):
            tier = control.tiers.get(found.id)
            return _Target(found.id, f"Others host it. {_OURS}", tier.ctx_size if tier else 0)
        if isinstance(found, Remote):
            return _Target(found.canonical, f"{found.peer} has it. {_OURS}", self._offered(found))
        if isinstance(found, Local) and found.id in control.configured.models:
            tier = control.tier_named(name)
            if tier is not None and tier.name != found.id:  # behind the program llama-swap
                return _Target(tier.name, f"{found.id} runs it. {_OURS}", tier.ctx_size)
            return _Target(found.id)
        raise ModelNotFound("model not found")

    def _offered(self, found: Remote) -> int:
        """The window that its source says the model has."""
        if self._upstreams is None:
            return 0
        offers = self._upstreams.found().get(found.peer, ())
        return next((offer.context for offer in offers if offer.name == found.model), 0)


def _fitting(cmd: str) -> dict[str, Any]:
    said = read_command(cmd)
    return {"fit": said.fit, "mode": said.mode}


def _restart(request: Request, told: dict[str, Any]) -> bool:
    """Whether what is set holds as soon as the model is idle, not from its next start on."""
    apply = request.query_params.get("apply", told.get("apply", "next_start"))
    if apply not in ("next_start", "restart"):
        raise BadRequest("apply must be next_start or restart")
    return bool(apply == "restart")


async def _body(request: Request) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(await read_body(request.receive))
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(told, dict):
        raise BadRequest("the body is not a JSON object")
    return told
