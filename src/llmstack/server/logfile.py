"""Log lines that never make a request wait for the disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from llmstack.engine.logs import LogFile

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds between writes, and records kept while the disk hangs.
INTERVAL, BACKLOG = 0.25, 10_000

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class BatchedFileHandler(logging.Handler):
    """Collects records and writes them in a thread of its own, four times a second.

    When the disk is slower than that, the oldest records beyond ``BACKLOG`` are dropped.
    """

    def __init__(self, path: Path) -> None:
        self._file = LogFile(path)  # before logging knows of us: it may not be writable
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self._records: deque[logging.LogRecord] = deque(maxlen=BACKLOG)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Keep ``record``, without the lock that other handlers need."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep ``record`` for the next write."""
        self._records.append(record)

    def close(self) -> None:
        """Write what is left and stop."""
        self._end.set()
        self._thread.join(timeout=2.0)
        self._file.close()
        super().close()

    def _run(self) -> None:
        while not self._end.wait(INTERVAL):
            self._write()
        self._write()

    def _write(self) -> None:
        lines = []
        while self._records:
            record = self._records.popleft()
            try:
                lines.append(self.format(record))
            except Exception:  # noqa: BLE001  one bad line must not end the log
                self.handleError(record)
        if lines:
            self._file.write(("\n".join(lines) + "\n").encode(errors="backslashreplace"))


def lean_records() -> None:
    """Find out nothing for a log line that none of our formats shows.

    Source: the logging HOWTO, section "Optimization".
    """
    logging._srcfile = None  # noqa: SLF001  the documented switch
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
