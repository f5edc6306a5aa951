"""What measures, counts, remembers and fits, put together for one engine."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from llmstack.context.checkpoints import Checkpoints
from llmstack.engine import State
from llmstack.server.calibrating import Calibrating
from llmstack.server.counting import Counting
from llmstack.server.fitter import Fitter
from llmstack.server.lives import Lives
from llmstack.server.summaries import Summaries
from llmstack.server.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmstack.backends.upstreams import Upstreams
    from llmstack.context.settings import Window
    from llmstack.engine import Engine, ModelChanged
    from llmstack.http1 import Pool
    from llmstack.server.activity import Activity
    from llmstack.server.context_control import ContextControl


class Fitting:
    """``fitter`` makes requests fit, as ``control`` says of each model.

    ``folder`` keeps what is learned, None keeps it in memory. ``foreign`` engines are not asked
    anything beside requests. ``upstreams`` may be replaced when the configuration is. ``activity``
    keeps a record of summaries.
    """

    def __init__(
        self,
        engine: Engine,
        pool: Pool,
        upstreams: Upstreams | None,
        environ: Mapping[str, str],
        control: ContextControl,
        *,
        folder: Path | None = None,
        foreign: bool = False,
        activity: Activity | None = None,
    ) -> None:
        self._engine = engine
        self._lives = Lives(engine, foreign=foreign)
        self._windows = Windows(self._lives, pool, environ, override=control.ctx_size)
        self._summaries = Summaries(time.monotonic, activity)
        self._calibrating = Calibrating(folder / "calibrations.json" if folder else None)
        self._checkpoints = Checkpoints()
        self.fitter = Fitter(
            engine,
            upstreams,
            self._windows,
            Counting(self._lives, pool),
            self._summaries,
            self._calibrating,
            self._checkpoints,
            control.settings_for,
            control.snapshots,
        )
        control.window = self._window
        self._closed = False
        self._tasks: set[asyncio.Task[Window]] = set()
        self._unsubscribe = engine.events.subscribe(self._changed)

    def _changed(self, event: ModelChanged) -> None:
        """A process is ready: its window is asked for now, so that no request waits for that."""
        model = self._engine.config.models.get(event.model)
        if event.state is State.READY and model is not None:
            task = asyncio.ensure_future(self._windows.local(model))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _window(self, name: str) -> Window:
        """The window of a model that runs here, as far as it is known without asking."""
        model = self._engine.config.models.get(name)
        return self._windows.known(model) if model else self._windows.hosted(name)

    async def close(self) -> None:
        """Write what was learned; end what is being asked. May be repeated."""
        if self._closed:
            return
        self._closed = True
        self._unsubscribe()
        await self._summaries.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._windows.close()
        self._lives.close()
        await self._calibrating.close()
