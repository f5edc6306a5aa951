"""The end of serving: running answers may finish, then nothing is left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.engine import Engine
    from llmstack.server.http import HttpServers

#: Seconds that running answers have to end.
DRAIN = 30.0

#: Seconds that processes have to end although answers took all the time there was.
LAST_GRACE = 2.0


async def end(engine: Engine, http: HttpServers, hurry: asyncio.Event | None = None) -> None:
    """Turn newcomers away, let running answers end for up to ``DRAIN`` seconds, stop every process.

    Processes have what is left of ``DRAIN``, but ``LAST_GRACE`` at least. Setting ``hurry`` ends
    the waiting for answers at once.
    """
    deadline = engine.now() + DRAIN
    engine.retire()
    ending = asyncio.ensure_future(http.stop())
    hurrying = asyncio.ensure_future((hurry or asyncio.Event()).wait())
    await asyncio.wait({ending, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not ending.done():
        http.force()
    await engine.close(drain=0.0, grace=max(LAST_GRACE, deadline - engine.now()))
    await ending
