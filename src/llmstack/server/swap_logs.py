"""The logs of ``llmstack swap``: its own lines, the models' output, and what is shown of both."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from llmstack.engine.logs import Log
from llmstack.server.log_tap import LogForwarder
from llmstack.server.logfile import lean_records
from llmstack.server.loglines import LineFormatter, ShownLog, StandardOutput

if TYPE_CHECKING:
    from llmstack.config.swap import SwapConfig


class SwapLogs:
    """Sends the package's log lines and the models' output where ``logToStdout`` says.

    ``proxy`` holds the lines; ``shown`` what goes to standard output, which is ``logToStdout`` of
    the first configuration: it is not changed by a reload.
    """

    def __init__(self, config: SwapConfig) -> None:
        self._output = StandardOutput()
        self.shown = ShownLog(self._output)
        self._target = config.log_to_stdout
        self.proxy = Log(also=self.shown if self._target in ("proxy", "both") else None)
        self._handler = LogForwarder(self.proxy, LineFormatter())
        self._following: set[asyncio.Task[None]] = set()
        lean_records()
        package = logging.getLogger("llmstack")
        package.addHandler(self._handler)
        package.propagate = False
        # An answer that was left incomplete on purpose is no news; our own line tells of it.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self.apply(config)

    def apply(self, config: SwapConfig) -> None:
        """Take level, time format and secrets from ``config``."""
        level = {"warn": "WARNING"}.get(config.log_level, config.log_level.upper())
        logging.getLogger("llmstack").setLevel(level)
        self._handler.setFormatter(LineFormatter(config.log_time_format, config.secrets))

    def follow(self, models: Log) -> None:
        """Show the models' output too, if it is to be shown."""
        if self._target in ("upstream", "both"):
            task = asyncio.ensure_future(self._copy(models))
            self._following.add(task)
            task.add_done_callback(self._following.discard)

    def end_readers(self) -> None:
        """End the streams of those who follow a log."""
        self.proxy.end_readers()
        self.shown.end_readers()

    def close(self) -> None:
        """Write what is left and let go of the package's log."""
        for task in self._following:
            task.cancel()
        logging.getLogger("llmstack").removeHandler(self._handler)
        self.proxy.close()
        self.shown.close()
        self._output.close()

    async def _copy(self, models: Log) -> None:
        async for chunk in models.follow(history=False):
            self.shown.write(chunk)
