"""A running stack that is given another plan: by SIGHUP, or because its models.ini changed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.server.plan import StackPlan

log = logging.getLogger("llmstack.daemon")

KEPT = "models.ini not reloaded, the stack goes on as it was"


class Renewal:
    """Makes new plans when asked. ``say`` is told what a person should know.

    Without a ``replan`` nothing can be asked for.
    """

    def __init__(self, replan: Callable[[], StackPlan] | None, say: Callable[[str], None]) -> None:
        self._replan = replan
        self._say = say
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look at models.ini again, soon."""
        self._asked.set()

    async def next(self, plan: StackPlan) -> StackPlan:
        """The next plan that is usable and another one than ``plan``."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._replan is None:
                continue
            try:
                fresh = await asyncio.to_thread(self._replan)
            except (LlmstackError, OSError) as error:
                self.tell_kept(error)
                continue
            if fresh.stack == plan.stack and fresh.swap_text == plan.swap_text:
                log.info("models.ini says what it said before")
                continue
            for warning in fresh.warnings:
                log.warning("%s", warning)
                self._say(str(warning))
            return fresh

    def tell_kept(self, error: Exception) -> None:
        """Say why everything stays as it is."""
        log.warning("%s: %s", KEPT, error)
        self._say(f"{KEPT}: {error}")
