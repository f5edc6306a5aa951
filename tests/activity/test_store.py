"""The activity log keeps what it was given, in order, within its bounds and across restarts."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.activity import ActivityQuery, ActivityRow, ActivityStore, Usage, parse_query
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def row(number: int = 0, **more: Any) -> ActivityRow:
    values: dict[str, Any] = {
        "model": f"m{number % 3}",
        "req_path": f"/v1/{9 - number}",
        "resp_status_code": 200 + number,
        "timestamp": 1000 + number,
        "resp_content_type": f"t{number % 2}",
        "usage": Usage(
            input_tokens=number,
            output_tokens=number * 2,
            cache_tokens=number - 1,
            draft_tokens=-1,
            draft_acc_tokens=-1,
            prompt_per_second=float(number),
            tokens_per_second=number / 2,
        ),
        "duration_ms": 100 - number,
    }
    return ActivityRow(**{**values, **more})


@pytest.fixture
def store() -> Iterator[ActivityStore]:
    store = ActivityStore(gather=0)
    yield store
    store.close()


def ids(store: ActivityStore, **parameters: Any) -> list[int]:
    query = parse_query([(name, str(value)) for name, value in parameters.items()])
    return [found.id for found in store.ask(query).result().rows]


def test_a_row_comes_back_as_it_was_given(store: ActivityStore) -> None:
    given = row(
        3,
        error_msg="e",
        metadata={"selector": "x"},
        ttft_ms=1,
        queue_ms=2,
        load_ms=3,
        client="c",
        tier="t",
        reason="r",
        backend="openai",
        instead_of="i",
        cost_usd=0.25,
        usage=Usage(reasoning_tokens=4, cache_write_tokens=5),
    )
    assert store.add(given) == 1
    (found,) = store.ask(ActivityQuery()).result().rows
    assert found.to_json() == {**given.to_json(), "id": 1}
    assert (found.ttft_ms, found.cost_usd) == (1, 0.25)
    assert (found.usage.reasoning_tokens, found.usage.cache_write_tokens) == (4, 5)


def test_text_that_is_no_unicode_is_kept_as_well_as_can_be(store: ActivityStore) -> None:
    store.add(row(model="\ud83d", metadata={"\ud83d": "\ud83d"}))
    (found,) = store.ask(ActivityQuery()).result().rows
    assert found.model == "?"


def test_a_question_sees_every_row_added_before_it() -> None:
    store = ActivityStore(gather=60)  # the question does not wait for the gathering either
    for number in range(700):
        store.add(row(number))
        if number % 100 == 0:
            assert store.ask(ActivityQuery()).result(30).total == number + 1
    store.close()


def test_filters_choose_rows(store: ActivityStore) -> None:
    for number in range(9):
        store.add(row(number))
    assert ids(store) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert ids(store, model="m0") == [7, 4, 1]
    assert ids(store, model="none") == []
    assert ids(store, min_id=3, max_id=4) == [4, 3]
    assert ids(store, start="1970-01-01T00:16:43Z", end="1970-01-01T00:16:44Z") == [5, 4]
    both = parse_query([("model", "m0"), ("model", "m1"), ("order", "asc")])
    assert [found.id for found in store.ask(both).result().rows] == [1, 2, 4, 5, 7, 8]


@pytest.mark.parametrize("sort", ["id", "time", "resp_status_code", "prompt", "generated",
                                  "cached", "prompt_speed", "gen_speed"])  # fmt: skip
def test_sorting_up_and_down(store: ActivityStore, sort: str) -> None:
    for number in range(4):
        store.add(row(number))
    assert ids(store, sort=sort, order="asc") == [1, 2, 3, 4]
    assert ids(store, sort=sort) == [4, 3, 2, 1]


def test_sorting_by_text_duration_and_with_ties(store: ActivityStore) -> None:
    for number in range(4):
        store.add(row(number))
    assert ids(store, sort="duration", order="asc") == [4, 3, 2, 1]
    assert ids(store, sort="req_path", order="asc") == [4, 3, 2, 1]
    assert ids(store, sort="model", order="asc") == [1, 4, 2, 3]
    assert ids(store, sort="resp_content_type", order="desc") == [4, 2, 3, 1]
    assert ids(store, sort="drafted", order="desc") == [4, 3, 2, 1]


def test_pages(store: ActivityStore) -> None:
    for number in range(7):
        store.add(row(number))
    page = store.ask(parse_query([("limit", "3"), ("page", "3")])).result()
    shown = page.to_json(lambda number: number == 1)
    assert {key: shown[key] for key in ("page", "limit", "total", "total_pages")} == {
        "page": 3, "limit": 3, "total": 7, "total_pages": 3,
    }  # fmt: skip
    assert [(item["id"], item["has_capture"]) for item in shown["data"]] == [(1, True)]
    assert ids(store, page=(1 << 63) - 1) == []


def test_an_empty_store_has_empty_answers(store: ActivityStore) -> None:
    assert store.ask(ActivityQuery()).result().to_json(bool) == {
        "data": [], "page": 1, "limit": 25, "total": 0, "total_pages": 0,
    }  # fmt: skip
    assert store.ask_stats().result() == {
        "total_requests": 0,
        "total_input_tokens": 0,
        "total_output_tokens": 0,
        "total_cache_tokens": 0,
        "prompt_histogram": None,
        "gen_histogram": None,
    }


def test_stats_sum_what_is_known(store: ActivityStore) -> None:
    for number in range(4):
        store.add(row(number))
    stats = store.ask_stats().result()
    assert stats["total_requests"] == 4
    assert stats["total_input_tokens"] == 6
    assert stats["total_output_tokens"] == 12
    assert stats["total_cache_tokens"] == 3  # -1 is unknown, not less than nothing
    assert stats["prompt_histogram"]["p50"] == 2
    assert store.ask_stats(["m1"]).result()["total_requests"] == 1


def test_in_memory_exactly_the_newest_rows_are_kept() -> None:
    store = ActivityStore(rows=10, gather=0)
    for number in range(35):
        store.add(row(number))
    page = store.ask(ActivityQuery()).result()
    assert page.total == 10
    assert [found.id for found in page.rows] == list(range(35, 25, -1))
    store.close()


def test_on_disk_the_number_of_rows_is_bounded(tmp_path: Path) -> None:
    store = ActivityStore(tmp_path / "a.db", rows=200, gather=0)
    for number in range(1000):
        store.add(row(number))
        assert number % 50 or store.ask(ActivityQuery()).result().total <= 202
    assert 200 <= store.ask(ActivityQuery()).result().total <= 202
    store.close()


def test_old_rows_go(tmp_path: Path) -> None:
    now = [1000.0]
    store = ActivityStore(tmp_path / "a.db", max_age=10, gather=0, now=lambda: now[0])
    store.add(row(timestamp=1000))
    store.flush()
    now[0] = 1100
    store.add(row(timestamp=1095))
    assert [found.timestamp for found in store.ask(ActivityQuery()).result().rows] == [1095]
    store.close()


def test_rows_and_ids_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first = ActivityStore(path)
    assert [first.add(row(number)) for number in range(3)] == [1, 2, 3]
    first.close()
    second = ActivityStore(path, rows=1, gather=0)
    assert second.add(row()) == 4
    second.flush()
    second.close()
    third = ActivityStore(path)
    assert third.add(row()) == 5
    assert ids(third) == [5, 4]
    third.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from llmstack.activity import ActivityRow, ActivityStore
store = ActivityStore(Path(sys.argv[1]), gather=0)
for number in range(100):
    store.add(ActivityRow("m", "/x", 200, number))
store.flush()
print("written", flush=True)
for number in range(1_000_000):
    store.add(ActivityRow("m", "/x", 200, number))
    if number == 2000:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_what_was_written_survives_a_kill_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], capture_output=True, check=False
    )
    assert done.stdout == b"written\n", done.stderr
    assert done.returncode == -signal.SIGKILL
    store = ActivityStore(path)
    assert store.ask(ActivityQuery()).result().total >= 100
    assert store.add(row()) > 100
    store.close()


def test_a_llama_swap_database_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as theirs:
        theirs.executescript(
            "CREATE TABLE activity (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " ts_created INTEGER NOT NULL, model_id TEXT NOT NULL,"
            " req_path TEXT NOT NULL DEFAULT '', resp_content_type TEXT NOT NULL DEFAULT '',"
            " resp_status_code INTEGER NOT NULL DEFAULT 0,"
            " cache_tokens INTEGER NOT NULL DEFAULT 0, draft_tokens INTEGER NOT NULL DEFAULT 0,"
            " draft_acc_tokens INTEGER NOT NULL DEFAULT 0,"
            " input_tokens INTEGER NOT NULL DEFAULT 0, output_tokens INTEGER NOT NULL DEFAULT 0,"
            " prompt_per_second REAL NOT NULL DEFAULT 0,"
            " tokens_per_second REAL NOT NULL DEFAULT 0, duration_ms INTEGER NOT NULL DEFAULT 0,"
            " error_msg TEXT NOT NULL DEFAULT '', metadata_json TEXT NOT NULL DEFAULT '');"
            "INSERT INTO activity (ts_created, model_id, metadata_json) VALUES"
            " (5, 'old', '{\"fifo_priority\":\"1\"}'), (6, 'odd', '[1]');"
        )
    theirs.close()
    store = ActivityStore(path)
    assert store.add(row()) == 3
    rows = store.ask(ActivityQuery(descending=False)).result().rows
    assert [found.model for found in rows] == ["old", "odd", "m0"]
    assert [dict(found.metadata) for found in rows] == [{"fifo_priority": "1"}, {}, {}]
    store.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("this is a letter to a friend, not a database" * 50)
    with pytest.raises(LlmstackError, match=r"a\.db cannot be used"):
        ActivityStore(path)
    with pytest.raises(LlmstackError, match="cannot be used"):
        ActivityStore(tmp_path)


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(LlmstackError, match="newer llmstack"):
        ActivityStore(path)


def test_the_number_of_rows_can_be_changed() -> None:
    store = ActivityStore(rows=10, gather=0)
    for number in range(20):
        store.add(row(number))
    store.keep(5)
    assert ids(store) == [20, 19, 18, 17, 16]
    store.keep(100)
    for number in range(50):
        store.add(row(number))
    assert store.ask(ActivityQuery()).result().total == 55
    store.add(row())
    store.keep(2)  # also what nobody has asked for yet
    store.add(row())
    assert ids(store) == [72, 71]
    store.close()


def test_after_closing_rows_are_lost_and_questions_fail() -> None:
    store = ActivityStore()
    store.add(row())
    store.close()
    store.close()
    store.add(row())
    assert store.lost == 1
    with pytest.raises(RuntimeError, match="closed"):
        store.ask(ActivityQuery()).result()
