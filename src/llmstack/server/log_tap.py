"""Logs as the event stream tells them: past and live text without a gap or a repetition."""

from __future__ import annotations

import asyncio
import codecs
import logging
from typing import TYPE_CHECKING

from llmstack.engine.logs import HISTORY, Log

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds before a log whose readers were all sent away (a reload) is followed again.
AGAIN = 0.5


class LogTap:
    """Follows one log. ``text`` is its past; ``tell`` gets every new piece, in the same moment.

    ``ended`` is called when the log ends its readers.
    """

    def __init__(self, log: Log, tell: Callable[[str], None], ended: Callable[[], None]) -> None:
        self._log = log
        self._tell = tell
        self._ended = ended
        self._past = Log()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def text(self) -> str:
        """The last ``HISTORY`` bytes, as far as ``tell`` has been told of them."""
        past = self._past.history()
        # What was cut off at the front may have begun with a part of a character.
        return past.decode("utf-8", "ignore" if len(past) == HISTORY else "replace")

    async def run(self) -> None:
        """Follow the log until cancelled."""
        history = True
        while True:
            async for chunk in self._log.follow(history=history):
                text = self._decoder.decode(chunk)
                if text:
                    self._past.write(text.encode("utf-8", "replace"))
                    self._tell(text)
            self._ended()
            history = False
            await asyncio.sleep(AGAIN)


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
