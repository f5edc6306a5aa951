"""The engine: owns the scheduler, carries out its effects, hands out leases."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from llmstack.engine.clock import SystemClock
from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.events import Events, ModelChanged
from llmstack.engine.guard import ProcessGuard
from llmstack.engine.health import HttpProbe
from llmstack.engine.lease import Lease
from llmstack.engine.logs import Log, LogFile
from llmstack.engine.plan import State
from llmstack.engine.process import launch
from llmstack.engine.runner import Runner, environment
from llmstack.engine.scheduler import Scheduler
from llmstack.errors import ModelNotFound, RequestError
from llmstack.residency import compile_residency

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmstack.config.swap import SwapConfig, SwapModel
    from llmstack.engine.clock import Clock
    from llmstack.engine.guard import Guard
    from llmstack.engine.health import Probe
    from llmstack.engine.process import Launcher


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What the engine knows about one model now. ``since`` is on the engine's clock."""

    id: str
    state: State
    in_flight: int
    since: float
    pid: int | None


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
    ) -> None:
        self.config = config
        self.events = Events()
        self.output = Log()  # everything that any model prints
        self._clock: Clock = clock or SystemClock()
        self._launcher = launcher
        self._probe: Probe = probe or HttpProbe()
        self._guard: Guard = guard or ProcessGuard()
        self._environ = environment(environ)
        self._scheduler = Scheduler(
            config.models.values(), compile_residency(config), dict(config.priorities)
        )
        self._names = {a: m.id for m in config.models.values() for a in m.aliases}
        self._names |= {model: model for model in config.models}
        self._logs = {model: self._open_log(model, log_dir) for model in config.models}
        self._runners: dict[str, Runner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._granted: dict[int, asyncio.Future[None]] = {}
        self._since: dict[str, float] = dict.fromkeys(config.models, self._clock.now())
        self._reasons: dict[str, str] = {}
        self._tickets = 0
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0
        self._closed = False
        self._observers: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Looking.

    def resolve(self, name: str) -> SwapModel:
        """The model that ``name`` (an id or an alias) stands for.

        Raises:
            ModelNotFound: no model has that name.
        """
        model = self._names.get(name)
        if model is None:
            raise ModelNotFound(
                "no router for requested model",
                why=f"{name!r} is not a model or alias of this configuration",
            )
        return self.config.models[model]

    def status(self) -> list[ModelStatus]:
        """Every model and its state, in configuration order."""
        return [
            ModelStatus(
                id=model,
                state=self._scheduler.state(model),
                in_flight=self._scheduler.in_flight(model),
                since=self._since[model],
                pid=self._runners[model].pid if model in self._runners else None,
            )
            for model in self.config.models
        ]

    def state(self, model: str) -> State:
        """The state of the model with that id."""
        return self._scheduler.state(model)

    def now(self) -> float:
        """The time on the engine's clock, in seconds."""
        return self._clock.now()

    def log(self, model: str) -> Log:
        """The output of the model with that id."""
        return self._logs[model]

    def queue_position(self, model: SwapModel) -> int | None:
        """The place in the queue, from 1, of the first request that waits for ``model``.

        None when nobody waits, or when it is being loaded already.
        """
        return self._scheduler.position_of(model.id)

    # Using.

    def try_lease(self, model: SwapModel) -> Lease | None:
        """A lease if the model is ready this instant, else None. Never waits, never loads."""
        if not self._scheduler.is_clear(model.id):
            return None
        ticket = self._next_ticket()
        self._perform(self._scheduler.acquire(ticket, model.id))
        return self._lease(ticket, model, waited=0.0)

    async def lease(self, model: SwapModel) -> Lease:
        """Wait until ``model`` may be used, loading it and evicting others as need be.

        Cancelling the wait leaves the queue; a load that already runs goes on.

        Raises:
            ConcurrencyLimit: the model admits no more requests.
            StartFailed: its process did not become ready.
            ModelUnloaded: it was unloaded meanwhile.
            ShuttingDown: the engine is closing.
        """
        asked = self._clock.now()
        ticket = self._next_ticket()
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._granted[ticket] = granted
        try:
            self._perform(self._scheduler.acquire(ticket, model.id))
            await granted
        except BaseException:
            self._perform(self._scheduler.abandon(ticket, self._clock.now()))
            self._set_alarm()
            self._wake()
            raise
        finally:
            self._granted.pop(ticket, None)
        return self._lease(ticket, model, waited=self._clock.now() - asked)

    async def unload(self, model: str | None = None, *, force: bool = False) -> None:
        """Stop one model (an id) or all, after their running answers unless ``force``."""
        targets = [model] if model else list(self.config.models)
        for target in targets:
            self._perform(self._scheduler.unload(target, force=force))
        lives = {target: self._runners.get(target) for target in targets}
        while any(runner and self._runners.get(t) is runner for t, runner in lives.items()):
            await self._next_change()

    async def preload(self) -> dict[str, RequestError | None]:
        """Load what the configuration wants loaded, one after another; what became of each."""
        outcome: dict[str, RequestError | None] = {}
        for name in self.config.preload:
            try:
                (await self.lease(self.config.models[name])).release()
                outcome[name] = None
            except RequestError as error:
                outcome[name] = error
        return outcome

    def retire(self) -> None:
        """Turn waiters and newcomers away and end log streams. Running answers go on."""
        self._perform(self._scheduler.close())
        for log in (*self._logs.values(), self.output):
            log.end_readers()

    async def close(self, drain: float = 30.0) -> None:
        """Retire, let running answers end for up to ``drain`` seconds, stop every process."""
        self.retire()
        deadline = self._clock.now() + drain
        while not self._scheduler.idle and self._clock.now() < deadline:
            nap = asyncio.ensure_future(self._clock.sleep(min(0.1, drain)))
            change = asyncio.ensure_future(self._next_change())
            await asyncio.wait({nap, change}, return_when=asyncio.FIRST_COMPLETED)
            nap.cancel()
            change.cancel()
        self._perform(self._scheduler.stop_all())
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._closed = True
        if self._alarm:
            self._alarm.cancel()
        for log in (*self._logs.values(), self.output):
            log.close()
        if isinstance(self._probe, HttpProbe):
            self._probe.close()
        if isinstance(self._guard, ProcessGuard):
            self._guard.close()

    # Carrying out.

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Grant(ticket, _):
                    if (future := self._granted.get(ticket)) and not future.done():
                        future.set_result(None)
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
            self._set_alarm()
            self._wake()

        def gone(error: RequestError | None) -> None:
            self._runners.pop(model, None)
            reason = self._reasons.pop(model, None)
            crashed = self._scheduler.state(model) is State.READY
            effects = self._scheduler.stopped(model, generation, error)
            what = reason or ("crashed" if crashed else "failed")
            self._announce(model, State.STOPPED, what, error)
            self._perform(effects)
            self._set_alarm()
            self._wake()

        runner = Runner(
            self.config.models[model],
            self._logs[model],
            clock=self._clock,
            launcher=self._launcher,
            probe=self._probe,
            guard=self._guard,
            environ=self._environ,
            start_limit=float(self.config.health_check_timeout),
            on_ready=ready,
            on_exit=gone,
        )
        self._runners[model] = runner
        self._announce(model, State.STARTING, "starting")
        task = asyncio.ensure_future(runner.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lease(self, ticket: int, model: SwapModel, *, waited: float) -> Lease:
        def release() -> None:
            now = self._clock.now()
            self._perform(self._scheduler.release(ticket, now))
            if model.ttl:
                self._set_alarm(now + model.ttl)
            self._wake()

        return Lease(model=model, waited=waited, release_once=release)

    def _announce(
        self, model: str, state: State, what: str, error: RequestError | None = None
    ) -> None:
        now = self._clock.now()
        self.events.publish(
            ModelChanged(model, state, what, after=now - self._since[model], error=error)
        )
        self._since[model] = now

    def _set_alarm(self, due: float | None = None) -> None:
        """See to it that somebody wakes up when the first idle time-out is due.

        An alarm that is set for earlier is left alone: it wakes, finds nothing to do and sets
        itself again. A busy model therefore does not pay for moving it with every request.
        """
        if due is None:
            due = self._scheduler.next_deadline()
        if due is None or self._closed or (self._alarm and self._alarm_at <= due):
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = asyncio.ensure_future(self._expire_at(due))

    async def _expire_at(self, due: float) -> None:
        await self._clock.sleep(max(0.0, due - self._clock.now()))
        self._alarm = None
        self._perform(self._scheduler.expire(self._clock.now()))
        self._set_alarm()

    def _next_ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def _wake(self) -> None:
        for observer in self._observers:
            if not observer.done():
                observer.set_result(None)
        self._observers.clear()

    async def _next_change(self) -> None:
        observer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._observers.append(observer)
        await observer

    def _open_log(self, model: str, log_dir: Path | None) -> Log:
        safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in model)
        file = None
        if log_dir:
            with suppress(OSError):
                file = LogFile(log_dir / f"model-{safe}.log")
        return Log(file, also=self.output)
