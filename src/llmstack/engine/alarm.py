"""Wakes its owner when the next thing is due that only time brings about."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.engine.clock import Clock


class Alarm:
    """Calls ``ring`` once, at the earliest of the times it was set to."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._task: asyncio.Task[None] | None = None
        self._due = 0.0
        self._closed = False

    def set(self, due: float | None) -> None:
        """Ring no later than ``due``; None asks for nothing.

        An alarm that is set for earlier is left alone: it rings, its owner finds nothing to do
        and sets it again. A busy model therefore does not pay for moving it with every request.
        """
        if due is None or self._closed or (self._task and self._due <= due):
            return
        if self._task:
            self._task.cancel()
        self._due = due
        self._task = asyncio.ensure_future(self._wait(due))

    def close(self) -> None:
        """Never ring again."""
        self._closed = True
        if self._task:
            self._task.cancel()

    async def _wait(self, due: float) -> None:
        await self._clock.sleep(max(0.0, due - self._clock.now()))
        self._task = None
        self._ring()


class Changes:
    """Lets any number of tasks wait for the next change."""

    def __init__(self) -> None:
        self._observers: list[asyncio.Future[None]] = []

    def tell(self) -> None:
        """Something has changed."""
        for observer in self._observers:
            if not observer.done():
                observer.set_result(None)
        self._observers.clear()

    async def next(self) -> None:
        """Return after the next change."""
        observer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._observers.append(observer)
        await observer

    async def next_within(self, seconds: float, clock: Clock) -> None:
        """Wait for the next change, for ``seconds`` at most."""
        nap = asyncio.ensure_future(clock.sleep(seconds))
        change = asyncio.ensure_future(self.next())
        await asyncio.wait({nap, change}, return_when=asyncio.FIRST_COMPLETED)
        nap.cancel()
        change.cancel()
