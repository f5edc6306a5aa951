"""Compresses captures that stay, beside the event loop."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.activity import CaptureCache, Recording

log = logging.getLogger(__name__)

#: Seconds between two looks for captures to compress.
PACK_EVERY = 1.0


class Packer:
    """Compresses captures in a thread, while there are some to compress. For one event loop."""

    def __init__(self, captures: CaptureCache) -> None:
        self._captures = captures
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="captures")
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, number: int, recording: Recording) -> None:
        """Keep a recording, and compress it if it stays."""
        self._captures.add(number, recording)
        self._soon()

    def close(self) -> None:
        """Leave what is not compressed as it is."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _soon(self) -> None:
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(PACK_EVERY, self._pack, loop)

    def _pack(self, loop: asyncio.AbstractEventLoop) -> None:
        def packed(work: Future[bool]) -> None:
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._packed, work)

        self._thread.submit(self._captures.pack).add_done_callback(packed)

    def _packed(self, work: Future[bool]) -> None:
        self._timer = None
        if work.cancelled():
            return
        if error := work.exception():  # a capture is a convenience
            log.error("requests are not compressed", exc_info=error)
        elif work.result():
            self._soon()
