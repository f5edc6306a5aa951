"""An answer whose head has arrived and whose body is still coming."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Unread body bytes at which reading from the socket pauses until they are read.
HIGH = 256 * 1024


class Unreachable(Exception):
    """No connection, or it ended before the head of an answer was complete.

    ``connected`` is False when nothing of the request can have arrived anywhere.
    """

    def __init__(self, why: str, *, connected: bool = True) -> None:
        super().__init__(why)
        self.connected = connected


class TooLate(Unreachable):
    """The head of the answer did not come in time."""


class Broken(Exception):
    """The answer broke off after its head."""


class Response:
    """Status and headers of an answer, and its body in the pieces in which it arrives.

    ``headers`` are in arrival order with lower-case names, repeated ones included. At most about
    ``HIGH`` bytes of body are held; then the sender has to wait for ``read``.
    """

    #: What backends' answers may know beside (``llmstack.backends.protocol.Answer``).
    usage: Final = None
    problem: Final = ""

    __slots__ = (
        "_error",
        "_pause",
        "_paused",
        "_pieces",
        "_resume",
        "_size",
        "_waiter",
        "complete",
        "headers",
        "on_close",
        "status",
    )

    def __init__(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self.status = status
        self.headers = headers
        self.complete = False
        self.on_close: Callable[[], None] | None = None
        self._pause = pause
        self._resume = resume
        self._paused = False
        self._pieces: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case ``name``), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def exhausted(self) -> bool:
        """Whether the whole body has been read."""
        return self.complete and not self._pieces

    async def read(self) -> bytes:
        """What has arrived, waiting for something; empty at the end of the body.

        Raises:
            Broken: the connection ended before the body did; what came before has been returned.
        """
        while not self._pieces:
            if self.complete:
                return b""
            if self._error:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._resume()
        return data

    def close(self) -> None:
        """Give the connection back when the body has been read, else end it. May be repeated."""
        on_close, self.on_close = self.on_close, None
        if on_close:
            on_close()

    # Called by the connection.

    def feed(self, data: bytes) -> None:
        """Add a piece of body."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > HIGH and not self._paused:
            self._paused = True
            self._pause()
        self._wake()

    def finish(self) -> None:
        """Mark the body as complete."""
        self.complete = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """Let ``read`` raise ``error`` once what has arrived is read."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
