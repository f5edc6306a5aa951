"""Log lines as llama-swap writes them, on their way to memory and to standard output.

A line is an optional time and ``[LEVEL] message``. Lines and the output of models also stand in
bounded logs, which ``/logs`` shows (llama-swap's behaviour report, section 3.12).
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from llmstack.config.redact import hide
from llmstack.engine.logs import Log

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds for which lines gather before they are written together.
GATHER = 0.02

#: Bytes that wait for standard output while nobody reads it; the oldest are lost beyond that.
BACKLOG = 4 * 1024 * 1024

#: Go's named layouts in strftime's terms, and five more: ``%e`` the day with a leading blank,
#: ``%-I`` the hour without a leading nought, ``%3N`` and ``%9N`` parts of a second, ``%.N`` such
#: with its point and without trailing noughts, ``%:z`` the zone as RFC 3339 has it.
LAYOUTS = {
    "ansic": "%a %b %e %H:%M:%S %Y",
    "unixdate": "%a %b %e %H:%M:%S %Z %Y",
    "rubydate": "%a %b %d %H:%M:%S %z %Y",
    "rfc822": "%d %b %y %H:%M %Z",
    "rfc822z": "%d %b %y %H:%M %z",
    "rfc850": "%A, %d-%b-%y %H:%M:%S %Z",
    "rfc1123": "%a, %d %b %Y %H:%M:%S %Z",
    "rfc1123z": "%a, %d %b %Y %H:%M:%S %z",
    "rfc3339": "%Y-%m-%dT%H:%M:%S%:z",
    "rfc3339nano": "%Y-%m-%dT%H:%M:%S%.N%:z",
    "kitchen": "%-I:%M%p",
    "stamp": "%b %e %H:%M:%S",
    "stampmilli": "%b %e %H:%M:%S.%3N",
    "stampmicro": "%b %e %H:%M:%S.%f",
    "stampnano": "%b %e %H:%M:%S.%9N",
}
_LEVELS = {"WARNING": "WARN", "CRITICAL": "ERROR"}


def told_time(moment: datetime, name: str) -> str:
    """``moment``, which has a zone, in Go's layout of that name."""
    offset, micro = moment.strftime("%z"), moment.microsecond
    layout = LAYOUTS[name]
    for sign, text in (
        ("%e", f"{moment.day:2}"),
        ("%-I", str(moment.hour % 12 or 12)),
        ("%3N", f"{micro // 1000:03}"),
        ("%9N", f"{micro:06}000"),
        ("%.N", f".{micro:06}".rstrip("0") if micro else ""),
        ("%:z", "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"),
    ):
        layout = layout.replace(sign, text)
    return moment.strftime(layout)


class LineFormatter(logging.Formatter):
    """``[LEVEL] message``, with a time before it if one is wanted. Secrets are hidden."""

    def __init__(self, time_format: str = "", secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._time_format = time_format
        self._secrets = frozenset(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """One line; an error that is logged with its traceback has more."""
        level = _LEVELS.get(record.levelname, record.levelname)
        line = f"[{level}] {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        if self._time_format:
            moment = datetime.fromtimestamp(record.created).astimezone()
            line = f"{told_time(moment, self._time_format)} {line}"
        return hide(line, self._secrets)


class StandardOutput:
    """Writes to standard output in a thread of its own, so that a stalled reader stalls nobody."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stdout", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Write ``data`` within ``GATHER`` seconds."""
        if not data:
            return
        with self._lock:
            self._chunks.append(data)
            self._size += len(data)
            while self._size > BACKLOG:
                self._size -= len(self._chunks.popleft())
        if not self._news.is_set():
            self._news.set()

    def close(self) -> None:
        """Write what is left, for at most a second."""
        self._ending.set()
        self._news.set()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._news.wait()
            # A thread that woke for every line would cost a busy server more than the lines do.
            self._ending.wait(GATHER)
            self._news.clear()
            self._drain()
        self._drain()

    def _drain(self) -> None:
        while data := self._take():
            with suppress(OSError):  # nobody reads: the lines are lost, not the service
                while data:
                    data = data[os.write(self._descriptor, data) :]

    def _take(self) -> bytes:
        with self._lock:
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._size = 0
        return data


class ShownLog(Log):
    """A log whose every chunk also goes to standard output."""

    def __init__(self, output: StandardOutput) -> None:
        super().__init__()
        self._output = output

    def write(self, data: bytes) -> None:
        """Keep ``data`` and show it."""
        super().write(data)
        self._output.write(data)
