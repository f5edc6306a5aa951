"""Logs as the event stream tells them: past and live text without a gap or a repetition."""

from __future__ import annotations

import asyncio
import codecs
import logging
from typing import TYPE_CHECKING

from llmstack.engine.logs import HISTORY, Log

if TYPE_CHECKING:
    from collections.abc import Callable

_DECODER = codecs.getincrementaldecoder("utf-8")


class LogTap:
    """Follows one log. ``tell`` gets every new piece of text, while somebody is ``listening``."""

    def __init__(
        self, log: Log, tell: Callable[[str], None], listening: Callable[[], bool]
    ) -> None:
        self._log = log
        self._tell = tell
        self._listening = listening
        self._decoder: codecs.IncrementalDecoder | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Follow the log."""
        self._unsubscribe = self._log.subscribe(self._written)

    def stop(self) -> None:
        """Let go of the log. May be repeated."""
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None

    def text(self) -> str:
        """The last ``HISTORY`` bytes, up to where ``tell`` goes on."""
        past = self._log.history()
        if len(past) == HISTORY:  # what was cut off may have begun with a part of a character
            start = next((i for i in range(3) if past[i] & 0xC0 != 0x80), 3)
            past = past[start:]
        decoder = _DECODER("replace")
        text = decoder.decode(past)
        if not self._listening():
            self._decoder = decoder  # it holds the part of a character at the end
        return text

    def _written(self, data: bytes) -> None:
        if not self._listening():
            self._decoder = None
            return
        if self._decoder is None:
            self._decoder = _DECODER("replace")
        if text := self._decoder.decode(data):
            self._tell(text)


class LogForwarder(logging.Handler):
    """Writes log lines of any thread into ``log``, on its event loop."""

    def __init__(self, log: Log, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._log = log
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Add one line."""
        try:
            line = (self.format(record) + "\n").encode(errors="backslashreplace")
            if asyncio._get_running_loop() is self._loop:  # noqa: SLF001  cheaper than to fail
                self._log.write(line)
            else:
                self._loop.call_soon_threadsafe(self._log.write, line)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return
        except Exception:  # noqa: BLE001  one bad line must not end the log
            self.handleError(record)
