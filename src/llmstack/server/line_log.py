"""Our own log lines in memory, put into words only when somebody reads them.

A gateway logs every request, and hardly anybody looks. Putting a line into words costs more than
the rest of what is kept of a small request.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from llmstack.engine.logs import HISTORY, Log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

#: Lines that wait to be put into words. ``HISTORY`` bytes are as many lines of 50 bytes.
WAITING = HISTORY // 50
#: Longest argument of a line that waits, in characters.
_SHORT = 200
_NUMBERS = frozenset({int, float, bool, type(None)})


class LineLog(Log):
    """A log of lines. While somebody is ``listening``, they are written at once."""

    def __init__(self, formatter: logging.Formatter, listening: Callable[[], bool]) -> None:
        super().__init__()
        self._formatter = formatter
        self._listening = listening
        #: Time, level, message and arguments.
        self._waiting: deque[tuple[float, int, str, Any]] = deque(maxlen=WAITING)

    def put(self, record: logging.LogRecord) -> None:
        """Add a line, which may wait if nobody follows and nothing in it can change or is large."""
        if self._readers or record.exc_info or not _plain(record.args) or self._listening():
            self.write(self._line(record))
        else:
            self._waiting.append((record.created, record.levelno, record.msg, record.args))

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        self._settle()
        super().write(data)

    def history(self) -> bytes:
        """The last ``HISTORY`` bytes."""
        self._settle()
        return super().history()

    async def follow(self, *, history: bool = True) -> AsyncGenerator[bytes, None]:
        """As ``Log.follow``."""
        self._settle()  # before there is a reader, who would get it as news
        async with aclosing(super().follow(history=history)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _settle(self) -> None:
        """Put into words what waits."""
        if not self._waiting:
            return
        waiting = tuple(self._waiting)
        self._waiting.clear()
        lines = []
        for created, level, message, args in waiting:
            values = {"created": created, "levelno": level, "msg": message, "args": args}
            values["levelname"] = logging.getLevelName(level)
            lines.append(self._line(logging.makeLogRecord(values)))
        super().write(b"".join(lines)[-HISTORY:])

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            text = self._formatter.format(record)
        except Exception as error:  # noqa: BLE001  one bad line must not end the log
            text = f"[{record.levelname}] a line cannot be shown: {error}"
        return (text + "\n").encode(errors="backslashreplace")


class LineCollector(logging.Handler):
    """Puts log records of any thread into ``log``, on its event loop."""

    def __init__(self, log: LineLog) -> None:
        super().__init__()
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def handle(self, record: logging.LogRecord) -> bool:
        """Add one line, without the lock that other handlers need."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Add one line."""
        if threading.get_ident() == self._thread:
            self._log.put(record)
            return
        try:
            self._loop.call_soon_threadsafe(self._log.put, record)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return


def _plain(args: object) -> bool:
    """Whether ``args`` are texts of a usual length and numbers."""
    if type(args) is not tuple:
        return not args
    for value in args:
        kind = type(value)
        if kind is str:
            if len(value) > _SHORT:
                return False
        elif kind not in _NUMBERS:
            return False
    return True
