"""Measures loaded models now and then, so that the rule by memory goes by what they really take."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.engine.plan import State
from llmstack.residency.memory import shown

if TYPE_CHECKING:
    from llmstack.engine.clock import Clock
    from llmstack.engine.engine import Engine
    from llmstack.engine.events import ModelChanged
    from llmstack.engine.status import ModelStatus
    from llmstack.residency.footprint import Known

log = logging.getLogger(__name__)

#: Seconds between two looks while a model is loaded. The first one is taken when it is ready.
EVERY = 10.0


@dataclass(slots=True)
class _Load:
    """The present load of one model: what was known before, bytes at most, seconds it took."""

    known: Known
    peak: int = 0
    seconds: float = 0.0


class Weighing:
    """Looks at the loaded models of one engine, if its rule is memory; see ``Footprints.learn``."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._loads: dict[str, _Load] = {}
        self._task: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        engine.events.subscribe(self._changed)

    async def close(self) -> None:
        """Stop looking."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _changed(self, event: ModelChanged) -> None:
        facts = self._engine.memory
        if facts is not None and event.state is State.STARTING:
            # As it is now: a reload may change the command while the process runs on.
            self._loads[event.model] = _Load(facts.known[event.model])
        load = self._loads.get(event.model)
        if facts is None or load is None or event.state is not State.READY:
            return
        load.seconds = event.after
        self._due.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        """Look while anything is loaded."""
        while self._engine.memory is not None and self._loaded():
            self._due.clear()
            try:
                await self._look()
            except Exception:  # what goes wrong in one look must not end the others
                log.exception("the models' memory was not measured this time")
            nap = asyncio.ensure_future(self._clock.sleep(EVERY))
            due = asyncio.ensure_future(self._due.wait())
            try:
                await asyncio.wait({nap, due}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                nap.cancel()
                due.cancel()

    def _loaded(self) -> dict[int, ModelStatus]:
        """The loaded models by the id of their process."""
        rows = self._engine.status()
        return {row.pid: row for row in rows if row.state is State.READY and row.pid is not None}

    async def _look(self) -> None:
        footprints, config = self._engine.footprints, self._engine.config
        before = self._loaded()
        sizes = await asyncio.to_thread(footprints.measured, list(before))
        learned = []
        for pid, row in self._loaded().items():
            load = self._loads.get(row.id)
            size = sizes.get(pid)
            if load is None or size is None or pid not in before:
                continue  # it has stopped meanwhile, or nobody can tell
            load.peak = max(size, load.peak)
            if footprints.learn(row.id, load.known, load.peak, load.seconds, used=row.used):
                learned.append(load.known.key)
                log.info("%s takes %s of memory%s", row.id, shown(load.peak), _than(load.known))
        if not learned:
            return
        await asyncio.to_thread(footprints.keep, learned)
        facts = await asyncio.to_thread(footprints.facts, config)
        if self._engine.config is config:
            self._engine.adopt(facts)


def _than(known: Known) -> str:
    """What was reckoned with before, for the log."""
    return f", {known.source} were {shown(known.size)}" if known.size is not None else ""
