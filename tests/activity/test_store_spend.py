"""Sums are written with the rows that cost them, outlive both rows and processes, and agree."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.activity import ActivityQuery, ActivityRow, ActivityStore, Spend, schema
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


def cost(usd: float | None, when: int = 0, tier: str = "t") -> ActivityRow:
    return ActivityRow("m", "/x", 200, when, tier=tier, cost_usd=usd)


class Kept:
    """A store with its spend, used as the server does."""

    def __init__(self, path: Path | None, rows: int | None = None) -> None:
        self.spend = Spend(UTC)
        self.store = ActivityStore(path, rows=rows, gather=0, again=0.01, spend=self.spend)

    def add(self, row: ActivityRow) -> None:
        if row.cost_usd is not None:
            self.spend.add(row.tier, row.cost_usd, row.timestamp)
        self.store.add(row)

    def spent(self, when: int = 0, tier: str = "t") -> tuple[float, float]:
        return self.spend.spent(tier, when)


def test_a_restart_finds_what_was_spent(tmp_path: Path) -> None:
    first = Kept(tmp_path / "a.db")
    for row in (cost(1.5), cost(2, DAY), cost(4, 40 * DAY), cost(None), cost(8, tier="")):
        first.add(row)
    assert first.spent() == (1.5, 3.5)
    first.store.flush()
    assert first.spent() == (1.5, 3.5)
    first.store.close()
    second = Kept(tmp_path / "a.db")
    assert second.spent() == (1.5, 3.5)
    assert second.spent(40 * DAY) == (4, 4)
    second.store.close()


@pytest.mark.parametrize("on_disk", [True, False])
def test_rows_that_are_dropped_have_cost_all_the_same(tmp_path: Path, on_disk: bool) -> None:
    kept = Kept(tmp_path / "a.db" if on_disk else None, rows=3)
    for _ in range(50):
        kept.add(cost(0.01))
    assert kept.store.ask(ActivityQuery()).result().total == 3
    assert kept.spent() == (0.5, 0.5)
    kept.store.close()
    if on_disk:
        again = Kept(tmp_path / "a.db")
        assert again.spent() == (0.5, 0.5)
        again.store.close()


def test_two_stores_on_one_file_count_what_both_spend(tmp_path: Path) -> None:
    one, two = Kept(tmp_path / "a.db"), Kept(tmp_path / "a.db")
    for _ in range(10):
        for kept in (one, two):
            kept.add(cost(0.5))
            kept.store.flush()
    assert two.spent() == (10, 10)
    assert one.spent() == (9.5, 9.5), "it sees the other's when it writes"
    one.add(cost(0.25))
    one.store.flush()
    assert one.spent() == (10.25, 10.25)
    one.store.close()
    two.store.close()
    three = Kept(tmp_path / "a.db")
    assert three.spent() == (10.25, 10.25)
    three.store.close()


def test_what_cannot_be_written_now_counts_now_and_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PATIENCE", 10)
    kept = Kept(tmp_path / "a.db")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept.add(cost(1))
    kept.store.flush()
    assert kept.spent() == (1, 1)
    other.execute("ROLLBACK")
    other.close()
    kept.store.close()
    again = Kept(tmp_path / "a.db")
    assert again.spent() == (1, 1)
    again.store.close()


WRITER = """
import sys
from pathlib import Path
from llmstack.activity import ActivityRow, ActivityStore, Spend
from datetime import UTC
spend = Spend(UTC)
store = ActivityStore(Path(sys.argv[1]), gather=0, again=0.01, spend=spend)
for number in range(200):
    spend.add("t", 0.001, 0)
    store.add(ActivityRow("m", "/x", 200, 0, tier="t", cost_usd=0.001))
    if number % 10 == 0:
        store.flush()
store.close()
"""


def test_processes_that_write_at_once_lose_no_money(tmp_path: Path) -> None:
    """They open a file of an older version together, too."""
    path = tmp_path / "a.db"
    old(path)
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    kept = Kept(path)
    assert kept.spent() == (0.6, 0.6)
    kept.store.close()


def old(path: Path) -> None:
    """A file of version 2 with one row."""
    with sqlite3.connect(path) as made:
        made.executescript("".join(schema._STEPS[:2]))
        made.execute(
            "INSERT INTO activity (ts_created, model_id, tier, reason) VALUES (5, 'm', 't', 'r')"
        )
        made.execute("PRAGMA user_version = 2")
    made.close()


def test_a_file_of_the_version_before_keeps_its_rows(tmp_path: Path) -> None:
    old(tmp_path / "a.db")
    kept = Kept(tmp_path / "a.db")
    kept.add(cost(1, 5))
    new, first = kept.store.ask(ActivityQuery()).result().rows
    assert (first.model, first.tier, first.reason, first.backend) == ("m", "t", "r", "")
    assert (first.cost_usd, first.usage.reasoning_tokens) == (None, 0)
    assert (new.cost_usd, kept.spent()) == (1, (1, 1))
    kept.store.close()


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA user_version = 5")
    made.close()
    with pytest.raises(LlmstackError, match="written by a newer llmstack"):
        ActivityStore(path)


AMOUNTS = st.lists(
    st.tuples(st.floats(0, 100), st.integers(0, 70), st.booleans()), min_size=1, max_size=8
)


@settings(deadline=None, max_examples=30)
@given(amounts=AMOUNTS)
def test_any_number_of_restarts_equals_none(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[tuple[float, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("spend") / "a.db"
    kept, through = Kept(path), Spend(UTC)
    for usd, day, restart in amounts:
        kept.add(cost(usd, day * DAY))
        through.add("t", usd, day * DAY)
        if restart:
            kept.store.close()
            kept = Kept(path)
    for _, day, _ in amounts:
        assert kept.spent(day * DAY) == through.spent("t", day * DAY)
    kept.store.close()


def test_a_row_that_cannot_be_kept_has_cost_all_the_same(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "a.db")
    kept.add(ActivityRow("m", "/x", 1 << 70, 0, tier="t", cost_usd=1.0))
    kept.store.flush()
    kept.add(ActivityRow("m", "/x", 200, 1 << 70, tier="t"))  # nor may a day that is none end it
    kept.store.flush()
    kept.add(cost(1))
    assert kept.store.ask(ActivityQuery()).result().total == 1
    assert kept.store.lost == 2
    kept.store.close()
    again = Kept(tmp_path / "a.db")
    assert again.spent() == (2, 2)
    again.store.close()
