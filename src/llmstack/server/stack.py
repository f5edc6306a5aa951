"""A running stack: engine, gateway and door in one event loop."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from llmstack import __version__
from llmstack.backends.upstreams import Upstreams, new_house, sources_of
from llmstack.config.local_key import ensure_local_key
from llmstack.config.names import Local
from llmstack.engine import Engine, State
from llmstack.http1 import Pool
from llmstack.server.access import Access
from llmstack.server.activity import Activity
from llmstack.server.chooser import Chooser
from llmstack.server.context_control import ContextControl
from llmstack.server.dispatch import Dispatcher
from llmstack.server.door import Door
from llmstack.server.doorways import Doorways, is_for_network, key_ring
from llmstack.server.ending import DRAIN, end
from llmstack.server.fitting import Fitting
from llmstack.server.foreign import NAME, ForeignDoor
from llmstack.server.gateway import Gateway
from llmstack.server.guard import Guard
from llmstack.server.hosted_report import hosted_report, sources_report
from llmstack.server.http import HttpServers
from llmstack.server.ladders import Ladders, Unavailable
from llmstack.server.memory import resident, return_memory, trimmer
from llmstack.server.overrides import Overrides
from llmstack.server.overview import Standing
from llmstack.server.routing_settings import RoutingSettings
from llmstack.server.sessions import Sessions
from llmstack.server.speeds import Speeds
from llmstack.server.steering_api import LadderApi, SettingsApi

if TYPE_CHECKING:
    from llmstack.engine import ModelChanged
    from llmstack.errors import RequestError
    from llmstack.server.asgi import App
    from llmstack.server.plan import StackPlan


class RunningStack:
    """Starts on ``start``, serves until ``stop``. Ports come from the plan's settings.

    ``gateway`` and ``door`` are the base URLs once started.
    """

    def __init__(
        self,
        plan: StackPlan,
        *,
        gateway_port: int | None = None,
        engine_port: int | None = None,
    ) -> None:
        settings = plan.stack.settings
        self._plan = plan
        self._began = time.time()
        self._preloaded: dict[str, RequestError | None] | None = None
        self._foreign = settings.engine == "llama-swap"
        self._doorways = doorways = Doorways(settings, gateway_port, engine_port)
        try:
            self.local_key = ensure_local_key(plan.work)
            self.keys = key_ring(plan.work, settings, os.environ, self.local_key)
        except BaseException:
            doorways.close()
            raise
        self.gateway, self.public = doorways.gateway, doorways.public
        self.door = plan.runs.models[NAME].proxy if self._foreign else doorways.door
        self.engine: Engine | None = None
        self._trimming: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve HTTP. Models are not loaded yet; see ``preload``."""
        plan = self._plan
        self.control = ContextControl(
            plan.runs,
            Overrides(plan.work.overrides),
            tiers=plan.stack.tiers,
            default=plan.stack.settings.context,
        )
        self.control.path = plan.stack.source
        self.engine = Engine(self.control.effective, log_dir=plan.work.logs)
        self.control.attach(self.engine)
        self._pool = Pool()
        self._activity = self._new_activity(self.engine)
        await self._activity.start()
        dispatcher = Dispatcher(self.engine, self._pool, self._activity)
        self.upstreams = Upstreams(
            new_house(self._pool, os.environ, self._doorways.ports()),
            tiers=plan.stack.tiers,
            channel=plan.channel,
            sources=sources_of(plan.stack),
            peers=plan.runs.peers.values(),
            ollama=plan.stack.settings.ollama,
        )
        self._fitting = Fitting(
            self.engine,
            self._pool,
            self.upstreams,
            os.environ,
            self.control,
            folder=plan.work.state,
            foreign=self._foreign,
            activity=self._activity,
        )
        dispatcher.fitter = self._fitting.fitter
        self._speeds = Speeds(plan.work.speeds)
        self.engine.events.subscribe(self._model_changed)
        self._activity.listeners.append(self._speeds.answered)
        gateway, door = self._applications(self.engine, dispatcher)
        doorways = self._doorways
        apps: list[App] = [gateway, gateway if doorways.door_is_gateway else door]
        self._http = HttpServers(
            list(zip(apps, doorways.sockets, strict=False)),
            drain=DRAIN,
            tls=doorways.tls,
            plain=doorways.plain,
        )
        self._watching = asyncio.ensure_future(self.keys.watch())
        if trim := trimmer():
            self._trimming = asyncio.ensure_future(return_memory(resident, trim))
        await self._http.start()

    def _new_activity(self, engine: Engine) -> Activity:
        """What is kept of the requests, with what the tiers cost."""
        plan = self._plan
        activity = Activity(
            engine,
            captures=plan.stack.settings.capture_buffer > 0,
            tiers=frozenset(tier.name for tier in plan.stack.tiers),
            prices={tier.name: tier.prices for tier in plan.stack.tiers},
            budgets={tier.name: tier.budget for tier in plan.stack.tiers},
            fallback=plan.work.activity,
        )
        auto = bool(plan.ladder.rungs)
        activity.overviews.standing = Standing("stack", plan.channel, auto=auto)
        return activity

    def _applications(self, engine: Engine, dispatcher: Dispatcher) -> tuple[Gateway, Door]:
        """What answers on the two ports."""
        plan = self._plan
        ladders = Ladders(plan.stack, plan.ladder, self._unavailable)
        sessions = Sessions(time.monotonic)
        settings = RoutingSettings(self.control.overrides, ladders, self._setting_changed)
        steering = [*LadderApi(ladders, sessions).routes, *SettingsApi(settings).routes]
        access = self._access(engine)
        door: Door
        if self._foreign:
            door = ForeignDoor(
                dispatcher,
                upstreams=self.upstreams,
                control=self.control,
                steering=steering,
                access=access,
            )
        else:
            door = Door(
                dispatcher,
                shown=self._activity.proxy_log,
                upstreams=self.upstreams,
                control=self.control,
                steering=steering,
                access=access,
            )
        upstreams = self.upstreams
        chooser = Chooser(
            ladders,
            sessions,
            engine,
            self._speeds,
            hosted=lambda tier: upstreams.hosted(tier) is not None,
        )
        return Gateway(dispatcher, door, plan.stack, ladders, chooser, self.report), door

    async def preload(self) -> dict[str, RequestError | None]:
        """Load the models that are to be resident; what became of each."""
        assert self.engine is not None
        self._preloaded = await self.engine.preload()
        return self._preloaded

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Let running answers end, stop every process, close every connection.

        Setting ``hurry`` ends the waiting at once.
        """
        if self.engine is None:
            self._doorways.close()
            return
        if self._watching:
            self._watching.cancel()
        if self._trimming:
            self._trimming.cancel()
        await self.control.close()
        self._activity.retire()
        await end(self.engine, self._http, hurry)
        await self._activity.stop()  # what it keeps last teaches the ruler
        await self._fitting.close()
        await self.upstreams.close()
        await asyncio.to_thread(self._speeds.save)
        self._pool.close()

    def _setting_changed(self, key: str) -> None:
        self._activity.overviews.publish("settingsChanged", {"key": key})

    def _access(self, engine: Engine) -> Access:
        """Who may ask: by the keys, and by what pages of others' may not make a browser do."""
        settings = self._plan.stack.settings
        hosts = list(settings.allowed_hosts)
        if is_for_network(settings):
            hosts.append(settings.router_host)
        guard = Guard(hosts, settings.allowed_origins)
        guard.learn_names()
        access = Access(engine, self.keys, guard, open=settings.insecure)
        if self._foreign:  # one program, which has the names of all models
            ids = self._plan.swap.names()
            access.canonical = lambda one: (
                ids.get(one.name, one.name) if isinstance(one, Local) else one.canonical
            )
        return access

    def _model_changed(self, event: ModelChanged) -> None:
        """A load has taken its time: learn it, and keep it at once for the next daemon."""
        self._speeds.changed(event)
        if event.state is State.READY:
            asyncio.get_running_loop().run_in_executor(None, self._speeds.save)

    def _unavailable(self) -> dict[str, Unavailable]:
        """The tiers that cannot answer now, for routing to step over them."""
        missing = {}
        for tier, health in self.upstreams.health().items():
            if not health.usable:
                why = "is down" if health.state == "down" else "is not usable"
                missing[tier] = Unavailable(why, health.retry_in)
        for tier, exceeded in self._activity.budgets.over().items():
            missing[tier] = Unavailable(exceeded.why, exceeded.retry_in)
        return missing

    def report(self) -> dict[str, Any]:
        """What ``GET /api/status`` answers.

        ``ready`` is true once everything that is to be preloaded is; ``problems`` says what could
        not be.
        """
        engine = self.engine
        assert engine is not None
        now = engine.now()
        spending = {row["tier"]: row for row in self._activity.spending()}
        preloaded = self._preloaded
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.time() - self._began, 1),
            "work_dir": str(self._plan.work.root),
            "channel": self._plan.channel,
            "gateway": self.gateway,
            "engine": self.door,
            "public": self.public,
            "keys": len(self.keys.keys),
            "llama_server": server.source if (server := self._plan.llama_server) else "",
            "ready": preloaded is not None and not any(preloaded.values()),
            "loading": preloaded is None,
            "problems": [
                str(error) if str(error).startswith(f"{model}: ") else f"{model}: {error}"
                for model, error in (preloaded or {}).items()
                if error
            ],
            "warnings": [str(problem) for problem in self._plan.warnings],
            "models": [
                {
                    "id": status.id,
                    "state": str(status.state),
                    "in_flight": status.in_flight,
                    "since_s": round(now - status.since, 1),
                    "pid": status.pid,
                }
                for status in engine.status()
            ],
            "hosted": hosted_report(self.upstreams, spending),
            "sources": sources_report(self.upstreams),
        }
