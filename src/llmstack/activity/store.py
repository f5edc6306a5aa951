"""The activity log: written by a thread of its own, so that no request waits for a disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from llmstack.activity.reading import read_page, read_stats
from llmstack.activity.schema import connect, insert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from llmstack.activity.query import ActivityQuery
    from llmstack.activity.reading import Page
    from llmstack.activity.record import ActivityRow

log = logging.getLogger(__name__)

IN_MEMORY_ROWS = 1000
ON_DISK_ROWS = 100_000
#: Rows that may wait for the disk; further ones are lost, and said to be.
WAITING = 10_000
#: Rows of one transaction.
_BATCH = 500
#: Seconds in which rows gather before they are written together.
_GATHER = 0.05
#: Seconds between two looks for rows that are too old.
_AGE_CHECK = 60.0

T = TypeVar("T")
_Entry = tuple[int, "ActivityRow"]


class _Job(NamedTuple):
    """A question, to be answered once the rows before it are written."""

    future: Future[Any]
    run: Callable[[sqlite3.Connection], Any]


class ActivityStore:
    """Rows in SQLite, in memory or at ``path``, pruned to the newest ``rows``.

    ``max_age`` (seconds) drops older ones too. ``on_written`` is called in the writer's thread
    with the ids of each batch once they can be read. Everything else may be called from any
    thread; questions see every row that was added before them.

    Raises:
        LlmstackError: the file cannot be used.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        rows: int | None = None,
        max_age: float | None = None,
        on_written: Callable[[Sequence[int]], None] | None = None,
        now: Callable[[], float] = time.time,
        gather: float = _GATHER,
    ) -> None:
        self._connection = connect(":memory:" if path is None else str(path))
        self._rows = rows or (IN_MEMORY_ROWS if path is None else ON_DISK_ROWS)
        # Deleting a few rows with each batch costs more than many at once now and then.
        self._slack = 0 if path is None else self._rows // 100
        self._max_age = max_age
        self._on_written = on_written
        self._now = now
        self._gather = gather
        self._count: int = self._connection.execute("SELECT count(*) FROM activity").fetchone()[0]
        self._last_id = self._newest_id()
        self._age_checked = float("-inf")
        self._queue: SimpleQueue[_Entry | _Job | None] = SimpleQueue()
        self._hurry = threading.Event()
        self._lock = threading.Lock()
        self._closed = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="activity", daemon=True)
        self._thread.start()

    def add(self, row: ActivityRow) -> int:
        """Take a row and return its id at once; it is written soon after."""
        with self._lock:
            self._last_id += 1
            number = self._last_id
        if self._closed or self._queue.qsize() >= WAITING:
            self.lost += 1
            if self.lost == 1 or self.lost % WAITING == 0:
                log.warning("the activity store cannot keep up: %d rows are lost", self.lost)
            return number
        self._queue.put((number, row))
        return number

    def ask(self, query: ActivityQuery) -> Future[Page]:
        """The page that ``query`` wants, as a future (``asyncio.wrap_future`` awaits it)."""
        return self._submit(lambda connection: read_page(connection, query))

    def ask_stats(self, models: Sequence[str] = ()) -> Future[dict[str, Any]]:
        """The answer of ``GET /api/metrics/stats`` for some models, or all."""
        return self._submit(lambda connection: read_stats(connection, models))

    def flush(self) -> None:
        """Return when every row added before is written."""
        self._submit(lambda _: None).result()

    def close(self) -> None:
        """Write what waits and close the file. May be repeated."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._hurry.set()
        self._thread.join()

    def _submit(self, run: Callable[[sqlite3.Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(RuntimeError("the activity store is closed"))
            return future
        self._queue.put(_Job(future, run))
        self._hurry.set()
        return future

    # The writer's thread.

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            rows: list[_Entry] = []
            # Rows that come within a moment of each other are written together.
            if item is not None and not isinstance(item, _Job) and self._gather:
                self._hurry.wait(self._gather)
            self._hurry.clear()
            while item is not None and not isinstance(item, _Job):
                rows.append(item)
                if len(rows) == _BATCH:
                    self._write(rows)
                    rows = []
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            self._write(rows)
            if item is None:
                self._connection.close()
                return
            if isinstance(item, _Job):
                self._answer(*item)

    def _write(self, rows: list[_Entry]) -> None:
        if not rows:
            return
        try:
            self._connection.execute("BEGIN")
            insert(self._connection, rows)
            self._count += len(rows)
            self._prune()
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.lost += len(rows)
            log.warning("%d activity rows are lost: %s", len(rows), error)
            self._recover()
            return
        if self._on_written:
            try:
                self._on_written([number for number, _ in rows])
            except Exception:  # a listener's mistake must not end the log
                log.exception("a listener failed on new activity")

    def _recover(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._count = self._connection.execute("SELECT count(*) FROM activity").fetchone()[0]
            with self._lock:
                # Another program may have written to the file and taken our next ids.
                self._last_id = max(self._last_id, self._newest_id())
        except sqlite3.Error as error:
            log.warning("the activity store does not recover: %s", error)

    def _prune(self) -> None:
        if self._count > self._rows + self._slack:
            oldest = "SELECT id FROM activity ORDER BY id DESC LIMIT 1 OFFSET ?"
            gone = self._connection.execute(
                f"DELETE FROM activity WHERE id <= ({oldest})",  # noqa: S608 - built from constants
                (self._rows,),
            )
            self._count -= gone.rowcount
        if self._max_age is not None and self._now() - self._age_checked >= _AGE_CHECK:
            self._age_checked = self._now()
            gone = self._connection.execute(
                "DELETE FROM activity WHERE ts_created < ?", (self._now() - self._max_age,)
            )
            self._count -= gone.rowcount

    def _newest_id(self) -> int:
        # Ids are never given twice, not even those of rows that are gone.
        newest = self._connection.execute(
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'activity'), 0),"
            " coalesce((SELECT max(id) FROM activity), 0))"
        )
        return int(newest.fetchone()[0])

    def _answer(self, future: Future[Any], run: Callable[[sqlite3.Connection], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(run(self._connection))
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            future.set_exception(error)
