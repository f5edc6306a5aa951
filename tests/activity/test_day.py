"""What has happened since a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmstack.activity import ActivityRow, ActivityStore
from llmstack.activity.day import KEPT
from llmstack.activity.tally import Usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def row(when: int, status: int = 200, *, reread: int = 0, **usage: Any) -> ActivityRow:
    return ActivityRow(
        "m", "/", status, when, usage=Usage(found=True, **usage), reread_tokens=reread
    )


def store(path: Path | None = None, now: Callable[[], float] = lambda: 100.0) -> ActivityStore:
    return ActivityStore(path, now=now, gather=0.0)


def test_sums_count_what_came_since_the_moment_and_nothing_before(tmp_path: Path) -> None:
    kept = store(tmp_path / "a.db")
    kept.add(row(49, input_tokens=1000, output_tokens=1000))
    kept.add(row(50, input_tokens=7, output_tokens=3, cache_tokens=5, tokens_per_second=30.0))
    kept.add(row(60, 502))
    kept.add(row(70, input_tokens=50, cache_tokens=-1, tokens_per_second=20.0))
    day = kept.ask_day(50.0).result()
    kept.close()
    assert (day.since, day.requests, day.errors) == (50, 3, 1)
    assert (day.input_tokens, day.output_tokens, day.cached_tokens) == (57, 3, 5)
    assert dict(day.peaks) == {"m": 30.0}


def test_reading_again_takes_the_time_that_the_same_answer_tells() -> None:
    kept = store()
    kept.add(row(60, reread=300, prompt_per_second=100.0))
    kept.add(row(61, reread=50, prompt_per_second=-1.0))
    day = kept.ask_day(0.0).result()
    kept.close()
    assert (day.reread_tokens, day.reread_s) == (350, pytest.approx(3.0))


def test_swaps_survive_a_restart_and_are_forgotten_in_the_end(tmp_path: Path) -> None:
    first = store(tmp_path / "a.db")
    first.swapped("m", 4.5)
    first.close()
    second = store(tmp_path / "a.db", lambda: 200.0)
    second.swapped("n", 1.5)
    both, late = second.ask_day(0.0).result(), second.ask_day(150.0).result()
    second.close()
    much_later = store(tmp_path / "a.db", lambda: 201.0 + KEPT)
    much_later.swapped("n", 1.0)
    left = much_later.ask_day(0.0).result()
    much_later.close()
    assert (both.swaps, both.swap_s) == (2, 6.0)
    assert (late.swaps, late.swap_s) == (1, 1.5)
    assert left.swaps == 1


def test_sums_say_since_when_they_are_if_older_rows_are_gone() -> None:
    kept = ActivityStore(rows=2, gather=0.0)
    for when in (10, 20, 30):
        kept.add(row(when))
    kept.flush()
    day = kept.ask_day(5.0).result()
    kept.close()
    assert (day.since, day.requests) == (20, 2)


def test_nothing_at_all_is_no_division_by_nothing() -> None:
    kept = store()
    day = kept.ask_day(5.0).result()
    kept.close()
    assert (day.since, day.requests, day.reread_s, day.swap_s) == (5, 0, 0, 0)
