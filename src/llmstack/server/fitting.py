"""What measures, counts, remembers and fits, put together for one engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmstack.server.calibrating import Calibrating
from llmstack.server.counting import Counting
from llmstack.server.fitter import Fitter
from llmstack.server.kept_checkpoints import KeptCheckpoints
from llmstack.server.lives import Lives
from llmstack.server.summaries import Summaries
from llmstack.server.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from llmstack.backends.upstreams import Upstreams
    from llmstack.context.report import Report
    from llmstack.context.settings import ContextSettings
    from llmstack.engine import Engine
    from llmstack.http1 import Pool
    from llmstack.server.asgi import Headers


class Fitting:
    """``fitter`` makes requests fit, ``windows`` knows the windows that are served.

    ``folder`` keeps what is learned, None keeps it in memory. ``override`` is the window that a
    model was given at run time. ``foreign`` engines are not asked anything beside requests.
    """

    def __init__(
        self,
        engine: Engine,
        pool: Pool,
        upstreams: Upstreams | None,
        environ: Mapping[str, str],
        settings_for: Callable[[str, Headers], ContextSettings],
        *,
        folder: Path | None = None,
        foreign: bool = False,
        override: Callable[[str], int | None] = lambda _: None,
        kept: Callable[[str, Report, bytes, bytes], None] | None = None,
    ) -> None:
        self._lives = Lives(engine, foreign=foreign)
        self.windows = Windows(self._lives, pool, environ, override=override)
        self._summaries = Summaries(time.monotonic)
        self._calibrating = Calibrating(folder / "calibrations.json" if folder else None)
        self._checkpoints = KeptCheckpoints(folder / "checkpoints.json" if folder else None)
        self.fitter = Fitter(
            engine,
            upstreams,
            self.windows,
            Counting(self._lives, pool),
            self._summaries,
            self._calibrating,
            self._checkpoints,
            settings_for,
            kept,
        )

    async def close(self) -> None:
        """Write what was learned; end what is being asked."""
        await self._summaries.close()
        await self.windows.close()
        self._lives.close()
        await self._calibrating.close()
        await self._checkpoints.close()
