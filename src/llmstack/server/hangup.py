"""SIGHUP, by which a daemon is asked to read its configuration again."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Hangup:
    """SIGHUP from the first moment on: one that comes before there is what it is for is kept."""

    def __init__(self) -> None:
        self._came = False
        self._action: Callable[[], None] | None = None
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._receive)

    def call(self, action: Callable[[], None]) -> None:
        """Call ``action`` with every SIGHUP, and now if there was one."""
        self._action = action
        if self._came:
            action()

    def _receive(self) -> None:
        self._came = True
        if self._action:
            self._action()
