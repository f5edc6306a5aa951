"""Lets coroutines wait for something that happens again and again."""

from __future__ import annotations

import asyncio


class Gate:
    """Costs nothing until somebody waits; every waiter may be cancelled without the others."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Return after the next ``open``."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    def open(self) -> None:
        """Let all go on that wait now."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
