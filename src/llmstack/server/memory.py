"""How a daemon treats memory: what it collects, and what it gives back after large bodies.

glibc keeps what a burst made it take: after 32 agents have sent a megabyte each, the daemon would
stay some 20 MB larger for good. ``malloc_trim`` takes a few milliseconds, so it is called only
when the process has grown since it was last called.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Seconds between looks, and bytes of growth that are worth a call.
INTERVAL, GROWTH = 5.0, 8 * 1024 * 1024


#: Allocations that are not freed between two looks for cycles. A request leaves none, so what the
#: default of 700 finds is the requests in work; that took a twentieth of the daemon's time.
COLLECTION = 20_000


def calm_collector() -> None:
    """Look for cycles less often, and never again among what was imported to get here."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTION)


async def return_memory(
    resident: Callable[[], int],
    trim: Callable[[], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call ``trim`` whenever ``resident`` (bytes) has grown by ``GROWTH``; never returns."""
    floor = resident()
    while True:
        await sleep(INTERVAL)
        if resident() - floor > GROWTH:
            trim()
            floor = resident()


def resident() -> int:
    """Bytes of memory that this process holds."""
    return psutil.Process().memory_info().rss


def trimmer() -> Callable[[], None] | None:
    """Glibc's ``malloc_trim``, or None where the C library has none."""
    if sys.platform != "linux":
        return None
    try:
        function = ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return None
    return lambda: function(0)
