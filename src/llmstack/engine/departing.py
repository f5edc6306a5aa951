"""The last processes of an engine that closes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.engine.clock import Clock
    from llmstack.engine.runner import Runner


async def last_ends(
    tasks: Iterable[asyncio.Task[None]],
    runners: Iterable[Runner],
    clock: Clock,
    grace: float | None,
) -> None:
    """Wait for ``tasks``, which stop ``runners``; what takes longer than ``grace`` is killed."""
    ends = asyncio.gather(*tasks, return_exceptions=True)
    if grace is not None:
        late = asyncio.ensure_future(clock.sleep(grace))
        either: set[asyncio.Future[Any]] = {ends, late}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        late.cancel()
        for runner in runners:
            runner.rush()
    await ends
