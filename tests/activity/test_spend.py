"""What tiers have cost is summed by local day and month, exactly, and held against budgets."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity import ActivityRow, Spend
from llmstack.activity.spend import Exceeded
from llmstack.config.hosted import Budget
from llmstack.errors import BudgetSpent

if TYPE_CHECKING:
    from random import Random

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0
START = datetime(2026, 1, 1, tzinfo=BERLIN).timestamp()
#: Moments of a year, in both of Berlin's summer time changes too.
WHEN = st.floats(START, START + 366 * 24 * HOUR)
CHARGES = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 1000), WHEN), max_size=20)


def at(*moment: int) -> float:
    return datetime(*moment, tzinfo=BERLIN).timestamp()  # type: ignore[misc, arg-type]


def spend(*charges: tuple[str, float, float]) -> Spend:
    made = Spend(BERLIN)
    for charge in charges:
        made.add(*charge)
    return made


def test_a_day_and_a_month_are_summed_by_tier() -> None:
    made = spend(
        ("a", 1, at(2026, 1, 31, 23, 59)),
        ("a", 2, at(2026, 2, 1)),
        ("a", 4, at(2026, 2, 2, 23, 59)),
        ("a", 8, at(2026, 2, 2)),
        ("b", 16, at(2026, 2, 2)),
    )
    assert made.spent("a", at(2026, 2, 2, 12)) == (12, 14)
    assert made.spent("a", at(2026, 2, 28)) == (0, 14)
    assert made.spent("a", at(2026, 1, 31)) == (1, 1)
    assert made.spent("a", at(2025, 2, 2)) == (0, 0)
    assert made.spent("b", at(2026, 2, 2)) == (16, 16)
    assert made.spent("c", at(2026, 2, 2)) == (0, 0)


def test_a_budget_is_spent_when_nothing_is_left_of_it() -> None:
    made = spend(("a", 1.5, at(2026, 2, 2)))
    noon = at(2026, 2, 2, 12)
    assert made.exceeded("a", Budget(), noon) is None
    assert made.exceeded("a", Budget(1.6, 1.6), noon) is None
    assert made.exceeded("b", Budget(1, 1), noon) is None
    day = Exceeded("a", "budget_usd_per_day", 1.5, 1.5, 12 * HOUR)
    assert made.exceeded("a", Budget(per_day=1.5), noon) == day
    month = Exceeded("a", "budget_usd_per_month", 1, 1.5, 26 * 24 * HOUR + 12 * HOUR)
    assert made.exceeded("a", Budget(per_month=1), noon) == month
    assert made.exceeded("a", Budget(1, 1), noon) == month, "it is the last to start anew"
    assert made.exceeded("a", Budget(1, 2), at(2026, 2, 3)) is None
    assert made.exceeded("b", Budget(per_day=0), noon), "nothing may be spent of nothing"


@pytest.mark.parametrize(
    ("moment", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 12, 31), 24)]
)
def test_days_are_as_long_as_the_clock_has_them(moment: tuple[int, ...], hours: int) -> None:
    exceeded = spend().exceeded("a", Budget(per_day=0), at(*moment))
    assert exceeded
    assert exceeded.retry_in == hours * HOUR


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be set")
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_without_a_zone_it_is_the_machines(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    here, night = Spend(), datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo(zone)).timestamp()
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        here.add("a", 1, night)
        assert here.spent("a", night + 20 * HOUR) == (1, 1)
        assert here.spent("a", night - HOUR) == (0, 1)
        there = Spend(ZoneInfo(zone)).exceeded("a", Budget(per_month=0), night)
        assert here.exceeded("b", Budget(per_month=0), night) == replace(there, tier="b")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_clock_that_is_put_back_finds_what_its_day_has_cost() -> None:
    made = spend(("a", 1, at(2026, 2, 2)), ("a", 2, at(2026, 3, 2)), ("a", 4, at(2026, 2, 2)))
    assert made.spent("a", at(2026, 2, 2)) == (5, 5)


@pytest.mark.parametrize("usd", [0.0, -1.0, float("nan"), float("-inf"), 1e-10])
def test_what_is_no_amount_counts_for_nothing(usd: float) -> None:
    assert spend(("a", usd, START)).spent("a", START) == (0, 0)


@pytest.mark.parametrize("usd", [1e300, float("inf")])
def test_no_answer_costs_more_than_a_million(usd: float) -> None:
    assert spend(("a", usd, START)).spent("a", START) == (1e6, 1e6)


def test_the_error_names_tier_budget_limit_and_what_is_spent() -> None:
    error = Exceeded("code-ultra", "budget_usd_per_day", 5.0, 5.0321, 90.2).error()
    assert isinstance(error, BudgetSpent)
    assert (error.status, error.code, error.retry_after) == (429, "budget_exceeded", 91)
    assert error.what == "code-ultra is over its budget_usd_per_day: $5.0321 of $5 spent"


@given(CHARGES, WHEN)
def test_no_sum_is_negative_and_a_day_is_part_of_its_month(
    charges: list[tuple[str, float, float]], when: float
) -> None:
    today, month = spend(*charges).spent("a", when)
    assert 0 <= today <= month


@given(CHARGES, st.randoms())
def test_the_order_makes_no_difference(
    charges: list[tuple[str, float, float]], chance: Random
) -> None:
    shuffled = sorted(charges, key=lambda _: chance.random())
    for _, _, when in charges:
        assert spend(*charges).spent("a", when) == spend(*shuffled).spent("a", when)


@given(CHARGES)
def test_a_month_is_the_sum_of_its_days(charges: list[tuple[str, float, float]]) -> None:
    made = spend(*charges)
    for month in range(1, 13):
        day, days = datetime(2026, month, 1, 12, tzinfo=BERLIN), 0.0
        while day.month == month:
            days += made.spent("a", day.timestamp())[0]
            day += timedelta(days=1)
        assert made.spent("a", at(2026, month, 1))[1] == pytest.approx(days)


@given(CHARGES, st.integers(0, 20))
def test_what_is_written_and_what_is_coming_are_the_same_money(
    charges: list[tuple[str, float, float]], written: int
) -> None:
    """A restart in the middle equals none."""
    rows = [
        ActivityRow("m", "/x", 200, int(when), tier=tier, cost_usd=usd)
        for tier, usd, when in charges
    ]
    through = spend(*((row.tier, row.cost_usd or 0, row.timestamp) for row in rows))
    after = spend(*((row.tier, row.cost_usd or 0, row.timestamp) for row in rows[written:]))
    after.written({}, through.due(rows[:written]))
    for row in rows:
        assert after.spent(row.tier, row.timestamp) == through.spent(row.tier, row.timestamp)


@given(WHEN)
def test_a_budget_starts_anew_when_it_says(when: float) -> None:
    made = spend(("a", 1, when))
    for budget in (Budget(per_day=1), Budget(per_month=1)):
        exceeded = made.exceeded("a", budget, when)
        assert exceeded
        assert made.exceeded("a", budget, when + exceeded.retry_in - 1)
        assert made.exceeded("a", budget, when + exceeded.retry_in + 0.001) is None
