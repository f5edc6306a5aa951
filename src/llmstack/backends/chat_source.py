"""The events of an upstream's chat completion, streamed or in one piece."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmstack.backends.raw_answer import is_stream
from llmstack.dialects.translation.chat_events import ChatEvents, whole_events
from llmstack.dialects.translation.reply import Failed, Finished
from llmstack.http1 import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects.translation.reply import Event
    from llmstack.http1 import Response

#: Bytes of an answer that is held as a whole.
LIMIT = 64 * 1024 * 1024
#: Bytes that are read after the end of a streamed answer for the tokens that follow it, and seconds
#: that are waited for the end of a body that has told its last event.
_AFTER, _LAST = 64 * 1024, 1.0


class ChatSource:
    """Iterates over batches of events.

    ``idle`` bounds the silence of the upstream, 0 does not. ``hidden`` takes secrets of ours out of
    what it says. ``held`` says that all events are collected, so that their bytes are bounded.

    It ends with the answer, whatever the upstream goes on to send.
    """

    def __init__(
        self,
        response: Response,
        made: str,
        *,
        idle: float = 0.0,
        hidden: Callable[[bytes], bytes] = bytes,
        held: bool = False,
    ) -> None:
        self._response = response
        self._hidden = hidden
        self._made = made
        self._idle = idle or None
        self._reader = ChatEvents(made) if is_stream(response) else None
        self._ended = False  # the answer itself has, whatever becomes of the connection
        self._over = False
        self._left = LIMIT if held else None  # bytes that may still come

    def __aiter__(self) -> ChatSource:
        return self

    async def __anext__(self) -> list[Event]:
        """The next events, at least one.

        Raises:
            StopAsyncIteration: there are no more.
        """
        while not self._over:
            try:
                events = await self._next()
            except TimeoutError:
                events = self._cut(504, f"nothing came for {self._idle or _LAST:g} s", "timeout")
            except Broken as error:
                events = self._cut(502, str(error), "bad_gateway")
            self._over = self._over or any(isinstance(e, Failed) for e in events)
            if not self._ended and any(isinstance(e, Finished) for e in events):
                self._ended, self._left = True, _AFTER
            if events:
                return events
        raise StopAsyncIteration

    async def _next(self) -> list[Event]:
        if self._reader is None:
            body = await self._whole()
            self._over = True
            if len(body) > LIMIT:
                return [Failed(502, f"The upstream's answer has more than {LIMIT >> 20} MiB")]
            return whole_events(self._hidden(body), self._made)
        data = await self._read()
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                return self._cut(502, f"it has more than {LIMIT >> 20} MiB", "bad_gateway")
        if data:
            return self._reader.feed(self._hidden(data))
        self._over = True
        return self._reader.end()

    async def _read(self) -> bytes:
        idle = _LAST if self._reader and self._reader.done else self._idle
        async with asyncio.timeout(idle):
            return await self._response.read()

    async def _whole(self) -> bytes:
        pieces, size = [], 0
        while size <= LIMIT and (data := await self._read()):
            pieces.append(data)
            size += len(data)
        return b"".join(pieces)

    def _cut(self, status: int, why: str, code: str) -> list[Event]:
        self._over = True
        if self._reader and (self._ended or self._reader.done):
            return self._reader.end()
        return [Failed(status, f"The upstream's answer broke off: {why}", code)]
