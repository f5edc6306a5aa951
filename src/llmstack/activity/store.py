"""The activity log: written by a thread of its own, so that no request waits for a disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from llmstack.activity.clients import read_clients
from llmstack.activity.day import read_day, write_swap
from llmstack.activity.reading import read_ids, read_page, read_rows, read_stats
from llmstack.activity.schema import charge, connect, insert, read_spend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from llmstack.activity.clients import ClientUse
    from llmstack.activity.day import Day
    from llmstack.activity.query import ActivityQuery
    from llmstack.activity.reading import Page
    from llmstack.activity.record import ActivityRow
    from llmstack.activity.spend import Spend

log = logging.getLogger(__name__)

IN_MEMORY_ROWS = 1000
ON_DISK_ROWS = 100_000
#: Rows that may wait for the disk; older ones are lost then, and said to be.
WAITING = 10_000
#: Rows of one transaction.
_BATCH = 500
#: Seconds in which rows gather before they are written together.
_GATHER = 0.25
#: Seconds before rows that could not be written are tried again.
_AGAIN = 1.0
#: Seconds between two warnings of the same kind.
_QUIET = 60.0
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

    ``max_age`` (seconds) drops older ones too. Everything may be called from any thread; questions
    see every row that was added before them. Without a file, rows are only put into tables when
    somebody asks. With one, what cannot be written (a full disk, a file that another program has
    locked) is tried again, with a warning; nobody who adds rows notices. ``spend`` learns what
    tiers have cost according to the file, and what rows cost is written with them.

    Raises:
        LlmstackError: the file cannot be used.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        rows: int | None = None,
        max_age: float | None = None,
        now: Callable[[], float] = time.time,
        gather: float = _GATHER,
        again: float = _AGAIN,
        spend: Spend | None = None,
    ) -> None:
        self._connection = connect(":memory:" if path is None else str(path))
        #: Whether rows are kept in a file.
        self.on_disk = path is not None
        self._rows = rows or (ON_DISK_ROWS if self.on_disk else IN_MEMORY_ROWS)
        # Deleting a few rows with each batch costs more than many at once now and then.
        self._slack = self._rows // 100 if self.on_disk else 0
        self._max_age = max_age
        self._now = now
        self._gather = gather
        self._again = again
        self._count: int = self._connection.execute("SELECT count(*) FROM activity").fetchone()[0]
        self._last_id = self._newest_id()
        self._spend = spend
        if spend:
            spend.written({}, read_spend(self._connection))
        self._age_checked = float("-inf")
        self._fresh: deque[_Entry] = deque(maxlen=WAITING if self.on_disk else self._rows)
        self._jobs: deque[_Job] = deque()
        self._try_at = float("-inf")
        self._warned_at = float("-inf")
        #: Something is to be done; it is to be done at once.
        self._wake, self._hurry = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._closed = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="activity", daemon=True)
        self._thread.start()

    def add(self, row: ActivityRow) -> int:
        """Take a row and return its id at once; it is written soon after."""
        with self._lock:
            self._last_id = number = self._last_id + 1
            fresh = self._fresh
            full = self.on_disk and len(fresh) == fresh.maxlen
            if not self._closed:
                fresh.append((number, row))
        if full or self._closed:
            self.lost += 1
            if self.lost == 1 or self.lost % WAITING == 0:
                log.warning("activity: the disk cannot keep up: %d rows are lost", self.lost)
        if self.on_disk and not self._wake.is_set():
            self._wake.set()
        return number

    def ask(self, query: ActivityQuery) -> Future[Page]:
        """The page that ``query`` wants, as a future (``asyncio.wrap_future`` awaits it).

        The future raises sqlite3.Error when the file cannot be read.
        """
        return self._submit(lambda connection: read_page(connection, query))

    def ask_ids(self, query: ActivityQuery) -> Future[list[int]]:
        """The ids of all that ``query`` matches, in its order. Errors: see ``ask``."""
        return self._submit(lambda connection: read_ids(connection, query))

    def ask_rows(self, ids: Sequence[int]) -> Future[list[ActivityRow]]:
        """Some rows, at most 999; those that are gone are left out. Errors: see ``ask``."""
        return self._submit(lambda connection: read_rows(connection, ids))

    def ask_stats(self, models: Sequence[str] = ()) -> Future[dict[str, Any]]:
        """The answer of ``GET /api/metrics/stats`` for some models, or all. Errors: see ``ask``."""
        return self._submit(lambda connection: read_stats(connection, models))

    def ask_day(self, since: float) -> Future[Day]:
        """The sums since a moment (epoch seconds). Errors: see ``ask``."""
        return self._submit(lambda connection: read_day(connection, since))

    def swapped(self, model: str, seconds: float) -> None:
        """Remember that a swap to ``model`` has just ended, after ``seconds``."""
        when = self._now()
        done = self._submit(lambda connection: write_swap(connection, model, seconds, when))
        done.add_done_callback(self._note_failure)

    def _note_failure(self, done: Future[None]) -> None:
        if error := done.exception():
            self._warn(f"a swap is not counted: {error}")

    def ask_clients(self) -> Future[dict[str, ClientUse]]:
        """What the log has of every client. Errors: see ``ask``."""
        return self._submit(read_clients)

    def keep(self, rows: int) -> None:
        """Keep the newest ``rows`` from now on."""
        self._rows = rows
        if not self.on_disk:
            with self._lock:
                self._fresh = deque(self._fresh, maxlen=rows)
        self._submit(self._prune)

    def flush(self) -> None:
        """Return when every row added before is written, or could not be."""
        self._submit(lambda _: None).result()

    def close(self) -> None:
        """Write what waits and close the file. May be repeated."""
        self._closed = True
        self._hurry.set()
        self._wake.set()
        self._thread.join()

    def _submit(self, run: Callable[[sqlite3.Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(RuntimeError("the activity store is closed"))
            return future
        self._jobs.append(_Job(future, run))
        self._hurry.set()
        self._wake.set()
        return future

    # The writer's thread.

    def _run(self) -> None:
        while True:
            self._wake.wait(self._again if self._try_at > 0 else None)
            # Rows that come within a moment of each other are written together.
            if self._gather:
                self._hurry.wait(self._gather)
            self._wake.clear()
            self._hurry.clear()
            closed = self._closed
            jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
            if (self.on_disk or jobs) and (closed or time.monotonic() >= self._try_at):
                self._write_all()
            for job in jobs:
                self._answer(*job)
            if closed:
                self._end()
                return

    def _write_all(self) -> None:
        """Write what waits; on a failure it goes on waiting."""
        while self._fresh:
            with self._lock:
                rows = [self._fresh.popleft() for _ in range(min(len(self._fresh), _BATCH))]
            try:
                self._write(rows)
                self._try_at = float("-inf")
            except sqlite3.OperationalError as error:
                self._roll_back()
                self._put_back(rows)
                self._try_at = time.monotonic() + self._again
                self._warn(f"rows cannot be written and wait: {error}")
                return
            except Exception as error:  # noqa: BLE001 - no row may end the log
                self.lost += len(rows)
                self._roll_back()
                self._warn(f"{len(rows)} rows are lost: {error}")
                self._charge_for_lost(rows)

    def _write(self, rows: Sequence[_Entry]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        insert(self._connection, rows)
        self._count += len(rows)
        self._prune(self._connection)
        self._commit(rows)

    def _commit(self, rows: Sequence[_Entry]) -> None:
        """End the transaction, with what ``rows`` have cost in it."""
        spend = self._spend
        due = spend.due(row for _, row in rows) if spend else {}
        found = charge(self._connection, due) if due else {}
        self._connection.execute("COMMIT")
        if spend and due:
            spend.written(due, found)

    def _charge_for_lost(self, rows: Sequence[_Entry]) -> None:
        """What rows that cannot be kept have cost is spent all the same."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._commit(rows)
        except Exception:  # noqa: BLE001 - it goes on counting until the process ends
            self._roll_back()

    def _put_back(self, rows: Sequence[_Entry]) -> None:
        with self._lock:
            room = (self._fresh.maxlen or 0) - len(self._fresh)
            self.lost += max(len(rows) - room, 0)
            self._fresh.extendleft(reversed(rows[max(len(rows) - room, 0) :]))

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._count = self._connection.execute("SELECT count(*) FROM activity").fetchone()[0]
            with self._lock:
                # Another program may have written to the file and taken our next ids.
                self._last_id = max(self._last_id, self._newest_id())
        except sqlite3.Error:
            return  # the warning that follows tells

    def _warn(self, what: str) -> None:
        now = time.monotonic()
        if now - self._warned_at >= _QUIET:
            self._warned_at = now
            log.warning("activity: %s (%d rows are lost so far)", what, self.lost)

    def _prune(self, connection: sqlite3.Connection) -> None:
        if self._count > self._rows + self._slack:
            oldest = "SELECT id FROM activity ORDER BY id DESC LIMIT 1 OFFSET ?"
            gone = connection.execute(
                f"DELETE FROM activity WHERE id <= ({oldest})",  # noqa: S608 - built from constants
                (self._rows,),
            )
            self._count -= gone.rowcount
        if self._max_age is not None and self._now() - self._age_checked >= _AGE_CHECK:
            self._age_checked = self._now()
            gone = connection.execute(
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

    def _end(self) -> None:
        if self.on_disk and self._fresh:
            self.lost += len(self._fresh)
            log.warning("activity: %d rows could not be written and are lost", len(self._fresh))
        self._fresh.clear()
        for job in self._jobs:
            job.future.set_exception(RuntimeError("the activity store is closed"))
        self._connection.close()
