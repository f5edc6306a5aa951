"""The engine: owns the scheduler, carries out its effects, hands out leases."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Self

from llmstack.engine.alarm import Alarm, Changes
from llmstack.engine.clock import SystemClock
from llmstack.engine.departing import last_ends
from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.events import Events, ModelChanged
from llmstack.engine.footprints import Footprints
from llmstack.engine.guard import ProcessGuard
from llmstack.engine.health import HttpProbe
from llmstack.engine.lease import Lease
from llmstack.engine.memory import with_memory
from llmstack.engine.model_logs import ModelLogs
from llmstack.engine.names import unknown
from llmstack.engine.plan import State
from llmstack.engine.process import launch
from llmstack.engine.queue import Limits
from llmstack.engine.runner import Runner, environment
from llmstack.engine.scheduler import Scheduler
from llmstack.engine.status import ModelStatus, Outlook
from llmstack.engine.weighing import Weighing
from llmstack.errors import RequestError
from llmstack.residency import compile_residency

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from llmstack.config.swap import SwapConfig, SwapModel
    from llmstack.engine.clock import Clock
    from llmstack.engine.guard import Guard
    from llmstack.engine.health import Probe
    from llmstack.engine.logs import Log
    from llmstack.engine.process import Launcher
    from llmstack.residency import MemoryFacts


class Engine:
    """Runs the models of one swap configuration. Use as an async context manager.

    All methods must be called on the event loop that entered it. Clock, launcher, probe and guard
    are injected so that tests can simulate time and processes.
    """

    def __init__(
        self,
        config: SwapConfig,
        *,
        log_dir: Path | None = None,
        clock: Clock | None = None,
        launcher: Launcher = launch,
        probe: Probe | None = None,
        guard: Guard | None = None,
        environ: Mapping[str, str] | None = None,
        footprints: Footprints | None = None,
    ) -> None:
        self.config = config
        self.footprints = footprints or Footprints(environment(environ))
        self.memory = self.footprints.facts(config)
        self.events = Events()
        self._logs = ModelLogs(log_dir)
        self.output = self._logs.everything
        self._clock: Clock = clock or SystemClock()
        self._launcher = launcher
        self._probe: Probe = probe or HttpProbe()
        self._guard: Guard = guard or ProcessGuard()
        self._environ = environment(environ)
        residency = compile_residency(config, self.memory)
        self._scheduler = Scheduler(
            config.models.values(), residency, dict(config.priorities), Limits.of(config)
        )
        self._names = config.names()
        self._logs.open(config.models)
        self._runners: dict[str, Runner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._granted: dict[int, asyncio.Future[SwapModel]] = {}
        self._since: dict[str, float] = dict.fromkeys(config.models, self._clock.now())
        self._reasons: dict[str, str] = {}
        self._tickets = count(1)
        self._alarm = Alarm(self._clock, self._expire)
        self._changes = Changes()
        self._weighing = Weighing(self, self._clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def resolve(self, name: str) -> SwapModel:
        """The model that ``name`` (an id or an alias) stands for.

        Raises:
            ModelNotFound: no model has that name.
        """
        model = self._names.get(name)
        if model is None:
            raise unknown(name)
        return self.config.models[model]

    def status(self) -> list[ModelStatus]:
        """Every model and its state, in configuration order. Memory is not measured."""
        return [self._status(model) for model in self.config.models]

    def _status(self, model: str) -> ModelStatus:
        ends = self._scheduler.idle_deadline(model)
        return ModelStatus(
            id=model,
            state=self._scheduler.state(model),
            in_flight=self._scheduler.in_flight(model),
            since=self._since[model],
            pid=self._runners[model].pid if model in self._runners else None,
            ttl_left=None if ends is None else max(0.0, ends - self._clock.now()),
            queue=self._scheduler.waiting(model),
            used=self._scheduler.used(model),
        )

    async def measured_status(self) -> list[ModelStatus]:
        """``status`` with the memory that each model's processes take now; asks in a thread."""
        rows = await asyncio.to_thread(with_memory, self.status())
        return [row for row in rows if row.id in self.config.models]  # a reload takes no longer

    def state(self, model: str) -> State:
        """The state of the model with that id."""
        return self._scheduler.state(model)

    def outlook(self, model: str) -> Outlook:
        """What a request for a model (an id) would meet now."""
        return self._scheduler.outlook(model)

    def runs(self, model: str) -> SwapModel | None:
        """What the present process of a model (an id) was started from, None without one."""
        return self._scheduler.runs(model)

    def now(self) -> float:
        """The time on the engine's clock, in seconds."""
        return self._clock.now()

    def log(self, model: str) -> Log:
        """The output of the model with that id.

        Raises:
            ModelNotFound: there is none, or a reload removed it.
        """
        if model not in self._logs:
            raise unknown(model)
        return self._logs[model]

    def queue_position(self, model: SwapModel) -> int | None:
        """The place in the queue, from 1, of the first request that waits for ``model``.

        None when nobody waits, or when it is being loaded already.
        """
        return self._scheduler.position_of(model.id)

    def try_lease(self, model: SwapModel) -> Lease | None:
        """A lease if the model is ready this instant, else None. Never waits, never loads."""
        if not self._scheduler.is_clear(model.id):
            return None
        ticket = next(self._tickets)
        self._perform(self._scheduler.acquire(ticket, model.id, self._clock.now()))
        return self._lease(ticket, self.config.models[model.id], waited=0.0)

    async def lease(self, model: SwapModel) -> Lease:
        """Wait until ``model`` may be used, loading it and evicting others as need be.

        Cancelling the wait leaves the queue; a load that already runs goes on.

        Raises:
            ConcurrencyLimit: the model admits no more requests.
            QueueTimeout: it could not be had within ``queueTimeout``.
            StartFailed: its process did not become ready.
            ModelNotFound: a reload removed it meanwhile.
            ModelUnloaded: it was unloaded meanwhile.
            ShuttingDown: the engine is closing.
        """
        return await self._wait(model.id, uses=True)

    async def load(self, model: str) -> None:
        """Load a model (an id or an alias) without using it; the errors are those of ``lease``.

        Takes none of the places of ``concurrencyLimit``, and ``queueTimeout`` does not apply.
        """
        (await self._wait(self.resolve(model).id, uses=False)).release()

    async def _wait(self, model: str, *, uses: bool) -> Lease:
        asked = self._clock.now()
        ticket = next(self._tickets)
        granted: asyncio.Future[SwapModel] = asyncio.get_running_loop().create_future()
        self._granted[ticket] = granted
        try:
            self._perform(self._scheduler.acquire(ticket, model, asked, uses=uses))
            if not granted.done():
                self._set_alarm()
            served_by = await granted
        except BaseException:
            self._perform(self._scheduler.abandon(ticket, self._clock.now()))
            self._after()
            raise
        finally:
            self._granted.pop(ticket, None)
        return self._lease(ticket, served_by, waited=self._clock.now() - asked)

    async def unload(self, model: str | None = None, *, force: bool = False) -> None:
        """Stop one model (an id) or all, after their running answers unless ``force``."""
        for target in (targets := [model] if model else list(self.config.models)):
            self._perform(self._scheduler.unload(target, force=force))
        lives = {target: self._runners.get(target) for target in targets}
        while any(runner and self._runners.get(t) is runner for t, runner in lives.items()):
            await self._changes.next()

    async def preload(self) -> dict[str, RequestError | None]:
        """Load what the configuration wants loaded, one after another; what became of each."""
        outcome: dict[str, RequestError | None] = {}
        for name in self.config.preload:
            try:
                await self.load(name)
                outcome[name] = None
            except RequestError as error:
                outcome[name] = error
        return outcome

    async def reconfigure(
        self, config: SwapConfig, *, keep: Container[str] = (), preload: bool = True
    ) -> None:
        """Go by ``config`` from now on, and touch only what it changes.

        At once: its names, rules and limits hold, and every process runs on whose cmd, cmdStop,
        env, proxy and checkEndpoint are what they were, and those of models in ``keep``. Others
        stop when they are idle. Returns when those have gone and, with ``preload``, the preloads
        that evict nobody have been tried; cancelling it ends only that wait. A later call takes
        over from an earlier one that still waits.

        Raises:
            ConfigError: the rules contradict themselves; nothing has changed.
        """
        memory = self.footprints.facts(config)
        residency = compile_residency(config, memory)
        effects = self._scheduler.reconfigure(
            config.models.values(), residency, dict(config.priorities), Limits.of(config), keep
        )
        self.config, self.memory, self._names = config, memory, config.names()
        for model in self._logs.open(config.models):
            self._since[model] = self._clock.now()
        self._perform(effects)
        for model in self._logs.models() - config.models.keys() - self._runners.keys():
            self._forget(model)
        self._after()
        leaving = {model: self._runners.get(model) for model in self._scheduler.leaving()}
        while any(runner and self._runners.get(m) is runner for m, runner in leaving.items()):
            await self._changes.next()
        for model in config.preload if preload else ():
            if self.config is config:
                await self.load_beside(model)

    async def load_beside(self, model: str) -> None:
        """Load a model (an id) if that evicts nobody. A failed load is told by its event."""
        running = self._scheduler.situation().running()
        residency = compile_residency(self.config, self.memory)
        with suppress(RequestError):
            if model in self.config.models and not residency.evict(model, running):
                await self.load(model)

    def adopt(self, memory: MemoryFacts | None) -> None:
        """Go by ``memory``, the newest facts about the present configuration."""
        self.memory = memory
        self._perform(self._scheduler.adopt(compile_residency(self.config, memory)))
        self._after()

    def retire(self) -> None:
        """Turn waiters and newcomers away and end log streams. Running answers go on."""
        self._perform(self._scheduler.close())
        self._logs.end_readers()

    async def close(self, drain: float = 30.0, grace: float | None = None) -> None:
        """Retire, let running answers end for up to ``drain`` seconds, stop every process.

        What has not ended ``grace`` seconds after it was asked to is killed, whatever its own
        ``unloadTimeout``. None lets every process have that.
        """
        self.retire()
        deadline = self._clock.now() + drain
        while not self._scheduler.idle and self._clock.now() < deadline:
            await self._changes.next_within(min(0.1, drain), self._clock)
        self._perform(self._scheduler.stop_all())
        if self._tasks:
            await last_ends(self._tasks, self._runners.values(), self._clock, grace)
        await self._weighing.close()
        self._alarm.close()
        self._logs.close()
        if isinstance(self._probe, HttpProbe):
            self._probe.close()
        if isinstance(self._guard, ProcessGuard):
            self._guard.close()

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Grant(ticket, model):
                    if (future := self._granted.get(ticket)) and not future.done():
                        future.set_result(self.config.models[model])
                case Reject(ticket, error):
                    if (future := self._granted.get(ticket)) and not future.done():
                        future.set_exception(error)
                case Start(model, generation):
                    self._launch(model, generation)
                case Stop(model, reason):
                    self._reasons[model] = reason
                    self._runners[model].stop()
                    self._announce(model, State.STOPPING, reason)

    def _launch(self, model: str, generation: int) -> None:
        def ready() -> None:
            effects = self._scheduler.started(model, generation, self._clock.now())
            # Said before the effects are carried out: one may be the stop of this very model.
            self._announce(model, State.READY, "ready")
            self._perform(effects)
            self._after()

        def gone(error: RequestError | None) -> None:
            self._runners.pop(model, None)
            reason = self._reasons.pop(model, None)
            crashed = self._scheduler.state(model) is State.READY
            effects = self._scheduler.stopped(model, generation, error)
            what = reason or ("crashed" if crashed else "failed")
            self._announce(model, State.STOPPED, what, error)
            if model not in self.config.models:
                self._forget(model)
            self._perform(effects)
            self._after()

        entry = self.config.models[model]
        runner = Runner(
            entry,
            self._logs[model],
            clock=self._clock,
            launcher=self._launcher,
            probe=self._probe,
            guard=self._guard,
            environ=self._environ,
            start_limit=float(self.config.health_check_timeout),
            on_ready=ready,
            on_exit=gone,
            vacated=lambda: self._vacated(entry),
        )
        self._runners[model] = runner
        self._announce(model, State.STARTING, "starting")
        task = asyncio.ensure_future(runner.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _vacated(self, model: SwapModel) -> None:
        """Wait until no process that is on its way out has the address of ``model``."""
        while any(
            other != model.id and runner.address == model.proxy
            for other in self._scheduler.leaving()
            if (runner := self._runners.get(other))
        ):
            await self._changes.next()

    def _lease(self, ticket: int, model: SwapModel, *, waited: float) -> Lease:
        def release() -> None:
            now = self._clock.now()
            self._perform(self._scheduler.release(ticket, now))
            present = self.config.models.get(model.id, model)
            if present.ttl:
                self._alarm.set(now + present.ttl)
            self._changes.tell()

        return Lease(model=model, waited=waited, release_once=release)

    def _announce(
        self, model: str, state: State, what: str, error: RequestError | None = None
    ) -> None:
        self._since[model] += (after := self._clock.now() - self._since[model])
        self.events.publish(ModelChanged(model, state, what, after, error))

    def _expire(self) -> None:
        self._perform(self._scheduler.expire(self._clock.now()))
        self._set_alarm()

    def _set_alarm(self) -> None:
        self._alarm.set(self._scheduler.next_deadline())

    def _after(self) -> None:
        """What every change of the scheduler's state calls for."""
        self._set_alarm()
        self._changes.tell()

    def _forget(self, model: str) -> None:
        """Drop what is kept of a model that a reload removed and that has stopped."""
        self._logs.forget(model)
        self._since.pop(model, None)
