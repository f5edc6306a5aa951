"""How requests of each model are fitted, and what may be changed of that while models run."""

from __future__ import annotations

import asyncio
import logging
import shlex
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.config.command import split_command
from llmstack.config.context_override import overridden
from llmstack.config.context_settings import ContextSettings
from llmstack.config.redact import masked
from llmstack.context.settings import Window
from llmstack.engine.life import same_process
from llmstack.engine.plan import State
from llmstack.errors import BadRequest, ConfigError, Conflict, RequestError
from llmstack.residency.pins import broken, with_pins
from llmstack.server.context_headers import with_headers
from llmstack.server.failures import Failures
from llmstack.server.overrides import NOTHING, Override, Overrides
from llmstack.server.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from llmstack.config.stack import Tier
    from llmstack.config.swap import SwapConfig, SwapModel
    from llmstack.engine import Engine

log = logging.getLogger(__name__)


class ContextControl:
    """One owner of settings, overrides and snapshots. For one event loop.

    ``configured`` is what the files say, ``effective`` the same with the overrides in the commands
    of models: the engine is made with it and then attached. ``tiers`` are those of a stack,
    ``default`` holds for models that are neither its tiers nor of ``configured``.
    """

    def __init__(
        self,
        configured: SwapConfig,
        overrides: Overrides | None = None,
        *,
        tiers: Iterable[Tier] = (),
        default: ContextSettings | None = None,
    ) -> None:
        self.configured = configured
        self.overrides = overrides or Overrides()
        self.tiers = {tier.name: tier for tier in tiers}
        self._default = default or ContextSettings()
        self._names = {alias: tier for tier in self.tiers for alias in self.tiers[tier].aliases}
        self._names |= {tier: tier for tier in self.tiers}
        #: Why a model's override does not hold, by model.
        self.problems: dict[str, str] = {}
        self._pins: dict[str, bool] = {}
        self.effective = self._with_overrides(configured)
        self.snapshots = Snapshots(lambda: self.effective.capture_buffer > 0)
        #: The window that a model serves now; set by who knows.
        self.window: Callable[[str], Window] = lambda _: Window(0)
        #: Is told the name of every model for which something was set.
        self.changed: Callable[[str], None] = lambda _: None
        #: What ``GET /api/config/path`` tells.
        self.path = configured.source
        #: Reads the files again and goes by them; None where only a restart does. Raises
        #: ConfigError.
        self.reload: Callable[[], Awaitable[None]] | None = None
        self._engine: Engine | None = None
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def engine(self) -> Engine:
        """The engine that goes by ``effective``."""
        assert self._engine is not None
        return self._engine

    def attach(self, engine: Engine) -> None:
        """Change the models of ``engine`` from now on."""
        self._engine = engine
        self.failures = Failures(engine)

    def tier_named(self, name: str) -> Tier | None:
        """The stack's tier of that name or alias."""
        return self.tiers.get(self._names.get(name, ""))

    def configured_settings(self, model: str) -> ContextSettings:
        """What the files say of ``model``, a model's one name."""
        if tier := self.tiers.get(model):
            return tier.context
        local = self.configured.models.get(model)
        return local.context if local else self._default

    def settings(self, model: str) -> ContextSettings:
        """The same with what was set at run time."""
        settings, override = self.configured_settings(model), self.overrides.of(model)
        if override.policy is None and override.truncation is None:
            return settings
        return replace(
            settings,
            policy=override.policy or settings.policy,
            truncation=override.truncation or settings.truncation,
        )

    def settings_for(
        self, model: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> ContextSettings:
        """What holds for one request: configured, below what was set, below its ``headers``.

        ``model`` is the one name of what answers; ``headers`` are as in ASGI, in lower case.

        Raises:
            BadRequest: a header says what does not exist.
        """
        return with_headers(self.settings(model), headers)

    def ctx_size(self, model: str) -> int | None:
        """The context that was set for ``model`` at run time."""
        return self.overrides.of(model).process.ctx_size

    def pinned(self, model: str) -> bool:
        """Whether it is neither evicted nor stopped for being idle."""
        memory = self.effective.memory
        by_rule = memory is not None and model in memory.pinned
        return by_rule or self._pins.get(model, False)

    def configured_pinned(self, model: str) -> bool:
        """The same as the files say, which only the rule by memory has a word for."""
        memory = self.configured.memory
        return memory is not None and model in memory.pinned

    def command(self, model: str) -> str:
        """What the next start of a model that runs here runs, on one line, secrets masked."""
        cmd = self.engine.config.models[model].cmd
        try:
            line = shlex.join(split_command(cmd))
        except ValueError:
            line = cmd
        return masked(line, self.engine.config.secrets)

    def pending_restart(self, model: str) -> bool:
        """Whether its process was started from another command than holds now."""
        runs, holds = self.engine.runs(model), self.engine.config.models.get(model)
        return runs is not None and holds is not None and not same_process(runs, holds)

    async def change(
        self, model: str, edit: Callable[[Override], Override], *, restart: bool = False
    ) -> None:
        """Set what ``edit`` makes of the override of ``model``; a process gets it when it starts.

        With ``restart`` a running one is stopped when it is idle and started again.

        Raises:
            BadRequest: its command cannot be changed, or would make the rules contradict.
            Conflict: it was removed meanwhile, or the rules cannot promise that it stays pinned.
            RequestError: the file of the overrides cannot be written.
        """
        async with self._changing:
            before = self.overrides.of(model)
            override = edit(before)
            if override.process != before.process:
                self._check(model, override)
            if override.pinned and not before.pinned:
                self._check_pin(model)
            await self._put(model, override)
            same = (override.process, override.pinned) == (before.process, before.pinned)
            if same and not restart:
                return
            try:
                going = await self._apply(
                    self.configured,
                    {model} if restart else set(),
                    preload=override.process != before.process or restart,
                )
            except ConfigError as error:
                await self._put(model, before)
                self.effective = self._with_overrides(self.configured)
                raise BadRequest(f"{model} cannot be changed so", why=error.why) from error
        if restart and self.pending_restart(model):
            self._background(self._start_again(model, going))

    async def reset_all(self) -> list[str]:
        """Go by the configuration again for every model; the models for which that is a change.

        Raises as ``change``; models before that one are reset.
        """
        models = sorted(self.overrides.all())
        for model in models:
            if model in self.configured.models:
                await self.change(model, lambda _: NOTHING)
            else:  # hosted, or not configured any more: no command to change
                await self._put(model, NOTHING)
        return models

    async def reconfigure(self, configured: SwapConfig) -> asyncio.Task[None]:
        """Go by other files; overrides hold on. The task ends when what had to go is gone.

        Raises:
            ConfigError: as ``Engine.reconfigure``; nothing has changed.
        """
        async with self._changing:
            return await self._apply(configured, set())

    async def soft_restart(self) -> None:
        """Stop every model after its running answers and load again what is to be preloaded."""
        await self.engine.unload()
        for model in self.engine.config.preload:
            await self.engine.load_beside(model)

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Let ``work`` go on in the background until ``close``."""
        self._background(work)

    async def close(self) -> None:
        """End what is still waited for."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check(self, model: str, override: Override) -> None:
        configured = self.configured.models.get(model)
        if configured is None:
            raise Conflict(f"{model} is not configured any more")
        try:
            overridden(configured.cmd, override.process)
        except ValueError as error:
            raise BadRequest(
                f"the command of {model} cannot be changed",
                why=str(error),
                fix="Change it in the configuration.",
            ) from None

    def _check_pin(self, model: str) -> None:
        if model not in self.configured.models:
            raise Conflict(f"{model} is not configured any more")
        pins = {**self._pins, model: True}
        stay = frozenset(name for name, pinned in pins.items() if pinned)
        if fault := broken(with_pins(self.configured, pins), stay):
            raise Conflict(
                f"{model} cannot be pinned: loading {fault.target} stops {fault.pinned}",
                why=fault.reason,
                fix=fault.fix,
            )

    async def _put(self, model: str, override: Override) -> None:
        try:
            await self.overrides.put(model, override)
        except OSError as error:
            raise RequestError(
                "what was set cannot be kept", why=f"{self.overrides.path}: {error.strerror}"
            ) from error
        self.changed(model)

    async def _apply(
        self, configured: SwapConfig, restart: set[str], *, preload: bool = True
    ) -> asyncio.Task[None]:
        """Put ``configured`` and the overrides in force.

        Processes that differ only by overrides run on, but those of ``restart``.
        """
        engine = self.engine
        effective = self._with_overrides(configured)
        former = self.configured.models
        keep = {
            model.id
            for model in configured.models.values()
            if model.id not in restart
            and model.id in former
            and same_process(former[model.id], model)
        }
        # Reads what is new to it, so that the engine need not while it serves.
        await asyncio.to_thread(engine.footprints.facts, effective)
        # Its first step puts the configuration in force; then it waits for what has to go.
        settling = self._background(engine.reconfigure(effective, keep=keep, preload=preload))
        await asyncio.sleep(0)
        if engine.config is not effective:
            await settling
        self.configured, self.effective = configured, effective
        return settling

    async def _start_again(self, model: str, going: asyncio.Task[None]) -> None:
        await asyncio.wait({going})
        if self.engine.config is self.effective and self.engine.state(model) is State.STOPPED:
            await self.engine.load_beside(model)

    def _with_overrides(self, configured: SwapConfig) -> SwapConfig:
        self.problems = {}
        models = {model.id: self._changed(model) for model in configured.models.values()}
        changed = replace(configured, models=models)
        self._pins = self._pins_that_hold(changed)
        return with_pins(changed, self._pins)

    def _pins_that_hold(self, configured: SwapConfig) -> dict[str, bool]:
        """What was set of pins, without those that a new configuration cannot keep any more."""
        pins: dict[str, bool] = {}
        for model, override in self.overrides.all().items():
            if override.pinned is None or model not in configured.models:
                continue
            tried = {**pins, model: override.pinned}
            stay = frozenset(name for name, pinned in tried.items() if pinned)
            try:
                fault = broken(with_pins(configured, tried), stay)
            except ConfigError:  # told by those who go by this configuration
                fault = None
            if fault is None:
                pins = tried
                continue
            why = f"loading {fault.target} stops {fault.pinned}: {fault.reason}"
            log.warning("%s is not pinned any more: %s %s", model, why, fault.fix)
            self.problems[model] = f"it cannot be pinned: {why}"
        return pins

    def _changed(self, model: SwapModel) -> SwapModel:
        override = self.overrides.of(model.id).process
        try:
            cmd = overridden(model.cmd, override)
        except ValueError as error:
            log.warning("%s: what was set at run time does not hold: %s", model.id, error)
            self.problems[model.id] = str(error)
            return model
        return model if cmd == model.cmd else replace(model, cmd=cmd)

    def _background(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with suppress(asyncio.CancelledError):
            error = task.exception()
            if error is not None and not isinstance(error, ConfigError):
                log.error("a change of models failed", exc_info=error)
