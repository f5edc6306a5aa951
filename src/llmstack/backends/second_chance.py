"""A request whose model process has just died gets one more try with the process after it.

The engine notices the end of a process a few milliseconds after it, and until then hands it out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmstack.engine import State
from llmstack.http1 import Unreachable

if TYPE_CHECKING:
    from llmstack.engine import Engine
    from llmstack.errors import UpstreamUnreachable

#: Seconds in which the engine must notice that a process has ended; else it is alive.
PATIENCE = 0.5


def may_repeat(error: UpstreamUnreachable) -> bool:
    """Whether the request never left, so that sending it does nothing twice.

    What was sent is not repeated whatever its method: its process may have been stopped on
    purpose, and would be started again for it.
    """
    cause = error.__cause__
    return isinstance(cause, Unreachable) and not cause.connected


async def has_died(engine: Engine, model: str, patience: float = PATIENCE) -> bool:
    """Wait for the engine to notice that the process of ``model`` (an id) has ended."""
    if engine.state(model) is not State.READY:
        return True
    noticed = asyncio.Event()
    unsubscribe = engine.events.subscribe(
        lambda event: noticed.set() if event.model == model else None
    )
    try:
        async with asyncio.timeout(patience):
            await noticed.wait()
    except TimeoutError:
        return False
    finally:
        unsubscribe()
    return True
