"""Estimates add up over units, and an exact total is shared out without losing a token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.context.calibration import DEFAULT, UNKNOWN
from llmstack.context.estimate import (
    Counts,
    Sizes,
    estimate,
    front_sizes,
    history_sizes,
    scaled,
    unit_sizes,
)
from llmstack.context.history import History, Unit

amounts = st.integers(0, 200_000)


@st.composite
def units(draw: st.DrawFn) -> Unit:
    text, other = draw(amounts), draw(amounts)
    return Unit(
        "round",
        start := draw(st.integers(0, 100)),
        start + draw(st.integers(1, 9)),
        text,
        other,
        draw(st.integers(0, text + other)),
        draw(st.integers(0, 5)),
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    front = draw(amounts)
    return History(
        "chat",
        tuple(draw(st.lists(units(), max_size=30))),
        None,
        None,
        front,
        draw(st.integers(0, front)),
        draw(amounts),
    )


@given(units())
def test_every_character_of_a_unit_has_one_price(unit: Unit) -> None:
    sizes = unit_sizes(unit)
    assert sizes.latin + sizes.wide + sizes.data == unit.text_chars + unit.other_chars
    assert sizes.wide == unit.wide_chars
    assert min(sizes.row) >= 0


@given(histories())
def test_the_sizes_of_a_history_are_those_of_its_parts(history: History) -> None:
    parts = [front_sizes(history), *map(unit_sizes, history.units)]
    assert history_sizes(history) == Sizes(*map(sum, zip(*(p.row for p in parts), strict=True)))


@given(histories())
def test_rounding_loses_nothing_over_any_number_of_units(history: History) -> None:
    counts = estimate(history, UNKNOWN)
    assert len(counts.units) == len(history.units)
    assert min(counts.units, default=0) >= 0
    assert counts.total == pytest.approx(UNKNOWN.tokens(history_sizes(history)), abs=0.51)
    assert not counts.exact


@given(histories(), st.integers(0, 10_000_000))
def test_an_exact_total_is_shared_out_in_proportion(history: History, exact: int) -> None:
    counts = estimate(history, UNKNOWN)
    shared = scaled(counts, exact)
    assert shared.exact
    assert shared.total == exact
    for before, after in zip(counts.units, shared.units, strict=True):
        assert after == pytest.approx(before * exact / counts.total, abs=1.01)


def test_an_exact_total_of_nothing_estimated_is_the_fronts() -> None:
    assert scaled(Counts(0, (0, 0)), 7) == Counts(7, (0, 0), exact=True)


def test_tools_images_arguments_and_scripts_all_count() -> None:
    """B6: tools, arguments and images were not counted."""
    latin, wide, data, tools, image, item = DEFAULT
    unit = Unit("round", 0, 2, 1000, 500, 300, 2)
    history = History("messages", (unit,), 0, 0, 400, 100, 2000)
    counts = estimate(history, UNKNOWN)
    assert counts.front == round(300 * latin + 100 * wide + 2000 * tools + 2 * item)
    expected = 700 * latin + 300 * wide + 500 * data + 2 * image + 2 * item
    assert counts.units[0] == pytest.approx(expected, abs=1)
