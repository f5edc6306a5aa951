"""Notices that a client leaves, and stops the work that was done for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from llmstack.http1 import Exchange
    from llmstack.server.asgi import Receive

#: Seconds that a request may take before anybody watches its client. Short requests then cost no
#: extra task; a client that left earlier is noticed at this moment.
GRACE = 0.2
#: Status noted for a client that left before its answer was complete (nginx's number for it).
CLIENT_LEFT = 499


class Departure:
    """Cancels the enclosed block when the client disconnects; afterwards ``left`` is True.

    The request body must have been read to its end before, or the WebSocket not yet accepted. The
    cancellation that ends the block is swallowed, so the code after it goes on and can look at
    ``left``.
    """

    def __init__(
        self, receive: Receive, after: float = GRACE, exchange: Exchange | None = None
    ) -> None:
        """``exchange`` is the request that this task answers, if our own server brought it.

        Then departures are told at once, and nothing has to watch for them.
        """
        self._receive = receive
        self._exchange = exchange
        self._after = after
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._worker: asyncio.Task[object] | None = None
        self.left = False
        self.dismissed = False

    def __enter__(self) -> Self:
        if self._exchange and self._exchange.task:
            self._worker = self._exchange.task
            self._exchange.watch(self._leave)
            return self
        self._worker = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self._after, self._begin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._exchange:
            self._exchange.watch(None)
        if self._timer:
            self._timer.cancel()
        if self._watch:
            self._watch.cancel()
        worker, self._worker = self._worker, None
        if (self.left or self.dismissed) and worker:
            worker.uncancel()
            return kind is asyncio.CancelledError
        return False

    def dismiss(self) -> None:
        """End the block although the client is still there; ``dismissed`` is True afterwards."""
        if self._worker and not (self.left or self.dismissed):
            self.dismissed = True
            self._worker.cancel()

    def _begin(self) -> None:
        self._watch = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
            pass
        self._leave()

    def _leave(self) -> None:
        if self._worker and not self.dismissed:
            self.left = True
            self._worker.cancel()
