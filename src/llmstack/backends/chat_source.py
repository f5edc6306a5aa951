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

#: Bytes of an answer in one piece.
LIMIT = 64 * 1024 * 1024


class ChatSource:
    """Iterates over batches of events.

    ``idle`` bounds the silence of the upstream, 0 does not. ``hidden`` takes secrets of ours out of
    what it says.
    """

    def __init__(
        self,
        response: Response,
        made: str,
        *,
        idle: float = 0.0,
        hidden: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._response = response
        self._hidden = hidden
        self._made = made
        self._idle = idle or None
        self._reader = ChatEvents(made) if is_stream(response) else None
        self._ended = False  # the answer itself has, whatever becomes of the connection
        self._over = False

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
                events = self._cut(504, f"nothing came for {self._idle:g} s", "timeout")
            except Broken as error:
                events = self._cut(502, str(error), "bad_gateway")
            self._ended = self._ended or any(isinstance(e, Finished | Failed) for e in events)
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
        if data:
            return self._reader.feed(self._hidden(data))
        self._over = True
        return self._reader.end()

    async def _read(self) -> bytes:
        async with asyncio.timeout(self._idle):
            return await self._response.read()

    async def _whole(self) -> bytes:
        pieces, size = [], 0
        while size <= LIMIT and (data := await self._read()):
            pieces.append(data)
            size += len(data)
        return b"".join(pieces)

    def _cut(self, status: int, why: str, code: str) -> list[Event]:
        self._over = True
        if self._ended and self._reader:
            return self._reader.end()
        return [Failed(status, f"The upstream's answer broke off: {why}", code)]
