"""Tells a streaming client that its model is being loaded, while it waits.

Shape and conditions are llama-swap's ``sendLoadingState`` (its behaviour report, section 4.8):
chunks whose delta holds nothing but ``reasoning_content``, ahead of the model's own stream. Ours
begin only after a moment, so that a model that is there at once is not announced and an error that
is known at once keeps its status.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from llmstack.engine import Lease
    from llmstack.server.asgi import Headers, Send

#: Seconds before the first word, and between signs of life after it.
PATIENCE, BEAT = 0.4, 0.75

_RULE = "\u2501" * 5
_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class LoadingNotice:
    """Waits for a lease and keeps the client informed. ``begun`` says whether it has spoken.

    ``extra`` gives further headers of the answer, as they are known when it begins.
    """

    def __init__(self, send: Send, extra: Callable[[], Headers], model: str) -> None:
        self._send = send
        self._extra = extra
        self._model = model
        self.begun = False

    async def wait(
        self, lease: Coroutine[Any, Any, Lease], position: Callable[[], int | None]
    ) -> Lease:
        """The lease, once it is there. ``position`` is the place in the queue, None while loading.

        Raises:
            RequestError: as the lease itself does.
        """
        waiting = asyncio.ensure_future(lease)
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            await asyncio.wait({waiting}, timeout=PATIENCE)
            told: int | None = None
            while not waiting.done():
                if not self.begun:
                    await self._begin()
                place = position()
                if place is not None and place != told:
                    await self._say(f"\nQueue position: #{place} ")
                else:
                    await self._say(".")
                told = place
                await asyncio.wait({waiting}, timeout=BEAT)
            result = waiting.result()
            if self.begun:
                await self._say(f"\nDone! ({loop.time() - asked:.2f}s)\n{_RULE}\n \n")
            return result
        finally:
            await _give_up(waiting)

    async def _begin(self) -> None:
        headers = [*_STREAM, *self._extra()]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self.begun = True
        await self._say(f"{_RULE}\nllmstack loading model: {self._model}\n")

    async def _say(self, text: str) -> None:
        chunk = {"choices": [{"delta": {"reasoning_content": text}}]}
        data = b"data: " + msgspec.json.encode(chunk) + b"\n\n"
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def _give_up(waiting: asyncio.Future[Lease]) -> None:
    """Leave the queue when we are cancelled; a lease that came in that moment is given back."""
    if waiting.done():
        return
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if not waiting.cancelled() and waiting.exception() is None:
        waiting.result().release()
