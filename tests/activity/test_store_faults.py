"""What a slow, full, locked or broken disk does to the activity log, and that it does no more."""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest

from llmstack.activity import ActivityQuery, ActivityStore, schema
from llmstack.activity import store as module
from tests.activity.test_store import ids, row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_disk_that_stands_still_delays_nobody_and_loses_only_what_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WAITING", 50)
    stuck, begun = threading.Event(), threading.Event()

    def block(_: sqlite3.Connection) -> None:
        begun.set()
        stuck.wait()

    store = ActivityStore(tmp_path / "a.db", gather=0)
    store.add(row())
    store._submit(block)
    assert begun.wait(30)
    numbers = [store.add(row()) for _ in range(80)]
    assert numbers == list(range(2, 82))
    assert store.lost == 30
    assert "1 rows are lost" in caplog.text
    stuck.set()
    assert store.ask(ActivityQuery()).result().total == 51
    assert ids(store)[0] == 81
    store.close()


def test_rows_wait_for_a_file_that_another_program_has_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schema, "PATIENCE", 10)
    path = tmp_path / "a.db"
    store = ActivityStore(path, gather=0, again=0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    numbers = [store.add(row(number)) for number in range(3)]
    store.flush()
    assert "locked" in caplog.text
    assert ids(store) == []  # what was written can still be asked for
    other.execute("ROLLBACK")
    other.close()
    wait_for(lambda: ids(store) == numbers[::-1])
    assert store.lost == 0
    store.close()


def test_a_full_disk_loses_no_more_than_it_must_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    store = ActivityStore(path, gather=0, again=0.01)
    (pages,) = store._submit(lambda c: c.execute("PRAGMA page_count").fetchone()).result()
    limit = f"PRAGMA max_page_count = {pages}"  # what SQLite says of a full disk, it says of this
    store._submit(lambda c: c.execute(limit).fetchone()).result()
    for number in range(2000):
        store.add(row(number))
        if number % 100 == 0:
            store.flush()
    store.flush()
    assert caplog.text.count("full") == 1
    assert store.ask(ActivityQuery()).result().total < 2000
    store._submit(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone()).result()
    wait_for(lambda: store.ask(ActivityQuery()).result().total == 2000)
    assert store.lost == 0
    store.close()


def test_a_file_that_breaks_while_it_is_used_fails_questions_only(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = ActivityStore(path, gather=0)
    for number in range(500):
        store.add(row(number, error_msg="x" * 200))
    store._submit(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()).result()
    store._submit(lambda c: c.execute("PRAGMA cache_size = 0").fetchone()).result()
    path.write_bytes(b"garbage" * 40_000)
    with pytest.raises(sqlite3.Error):
        store.ask(ActivityQuery()).result()
    assert store.add(row()) == 501
    with pytest.raises(sqlite3.Error):
        store.ask(ActivityQuery()).result()
    store.close()


def test_rows_that_cannot_be_written_are_said_to_be_lost_and_the_log_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    store = ActivityStore(path, gather=0)
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO activity (id, ts_created, model_id) VALUES (1, 5, 'other')")
    other.close()
    store.add(row())
    store.flush()
    assert store.lost == 1
    assert "1 rows are lost" in caplog.text
    assert store.add(row()) == 2
    assert ids(store) == [2, 1]
    store.close()
