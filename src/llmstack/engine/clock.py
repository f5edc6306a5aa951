"""Time as the engine sees it, so that tests can turn the clock by hand."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

T = TypeVar("T")


class Clock(Protocol):
    """A monotonic clock that can be waited on. All times are seconds."""

    def now(self) -> float:
        """Seconds on a monotonic scale of arbitrary origin."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once ``seconds`` have passed on this clock."""
        ...


class SystemClock:
    """The machine's monotonic clock and the running event loop's timers."""

    def now(self) -> float:
        """Seconds since an arbitrary origin."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Suspend for ``seconds``."""
        await asyncio.sleep(seconds)


async def within(clock: Clock, seconds: float, awaitable: Coroutine[Any, Any, T]) -> T:
    """Await ``awaitable`` for at most ``seconds`` on ``clock``.

    Raises:
        TimeoutError: the time ran out; ``awaitable`` was cancelled.
    """
    work = asyncio.ensure_future(awaitable)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({work, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise TimeoutError
        return work.result()
    finally:
        alarm.cancel()
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
