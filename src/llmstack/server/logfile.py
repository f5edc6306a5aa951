"""Log lines that never make a request wait for the disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds between writes, bytes per file, old files kept, and records kept while the disk hangs.
INTERVAL, SIZE, KEPT, BACKLOG = 0.25, 5 * 1024 * 1024, 2, 10_000

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class BatchedFileHandler(logging.Handler):
    """Collects records and writes them in a thread of its own, four times a second.

    When the disk is slower than that, the oldest records beyond ``BACKLOG`` are dropped.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = RotatingFileHandler(
            path, maxBytes=SIZE, backupCount=KEPT, encoding="utf-8", delay=True
        )
        self._file.setFormatter(logging.Formatter(FORMAT))
        self._records: deque[logging.LogRecord] = deque(maxlen=BACKLOG)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

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
        while self._records:
            self._file.handle(self._records.popleft())
