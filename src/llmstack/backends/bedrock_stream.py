"""A stream of Converse on its way to the client, with limits of silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.converse_error import failed_error
from llmstack.dialects.translation.reply import Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects.translation.converse_events import ConverseEvents
    from llmstack.dialects.translation.reply import Event


class ConverseStream:
    """The events of an answer in batches, never an empty one; a failure is the last.

    ``frames`` is aiobotocore's event stream. ``deadline`` is the loop's time by which the first
    event must be there, ``idle`` the seconds of silence after it; None and 0 are no limit.
    ``told`` hears of a failure of Bedrock's before the client does.
    """

    def __init__(
        self,
        frames: Any,
        reader: ConverseEvents,
        *,
        deadline: float | None,
        idle: float,
        told: Callable[[Failed], None],
    ) -> None:
        self._frames = aiter(frames)
        self._reader = reader
        self._deadline = deadline
        self._idle = idle
        self._told = told
        self._begun = False
        self._over = False

    def __aiter__(self) -> ConverseStream:
        """Itself."""
        return self

    async def __anext__(self) -> list[Event]:
        """What came last, waiting for something.

        Raises:
            StopAsyncIteration: the answer is over.
        """
        while not self._over:
            if events := await self._next():
                self._begun = True
                for event in events:
                    if isinstance(event, Failed):
                        self._told(event)
                return events
        raise StopAsyncIteration

    async def _next(self) -> list[Event]:
        try:
            async with self._limit() as limit:
                frame = await anext(self._frames)
        except StopAsyncIteration:
            self._over = True
            return self._reader.end()
        except Exception as error:  # noqa: BLE001  any of botocore's or aiohttp's ends the answer
            self._over = True
            if isinstance(error, TimeoutError) and limit.expired() and self._begun:
                said = f"Bedrock: nothing came for {self._idle:g} seconds"
                return self._reader.fail(Failed(504, said, "idle_timeout"))
            if type(error).__module__.startswith("aiohttp"):
                return self._reader.end()
            return self._reader.fail(failed_error(error))
        return self._reader.feed(frame)

    def _limit(self) -> asyncio.Timeout:
        if self._begun:
            return asyncio.timeout(self._idle or None)
        return asyncio.timeout_at(self._deadline)
