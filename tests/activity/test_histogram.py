"""Histograms follow llama-swap's rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.histogram import histogram, percentile

SPEEDS = st.floats(allow_nan=True, allow_infinity=True)


def built(speeds: list[float]) -> dict[str, Any]:
    found = histogram(speeds)
    assert found
    return found


@pytest.mark.parametrize("speeds", [[], [0], [-1, -1], [float("nan"), float("inf")]])
def test_without_positive_speeds_there_is_none(speeds: list[float]) -> None:
    assert histogram(speeds) is None


def test_equal_speeds_share_one_bin_of_size_0() -> None:
    assert histogram([5.0, -1, 5.0, 0]) == {
        "bins": [2], "min": 5.0, "max": 5.0, "binSize": 0.0, "p50": 5.0, "p95": 5.0, "p99": 5.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "bins"), [(2, 5), (16, 5), (17, 6), (32, 6), (33, 7), (1000, 11), (1 << 19, 20)]
)
def test_the_number_of_bins_grows_with_the_logarithm(count: int, bins: int) -> None:
    assert len(built([1 + i for i in range(count)])["bins"]) == bins


def test_the_number_of_bins_is_at_most_20() -> None:
    assert len(built([float(i + 1) for i in range((1 << 20) + 1)])["bins"]) == 20


def test_bins_and_percentiles() -> None:
    found = built([1, 2, 3, 4, 11])
    assert found["binSize"] == 2
    assert found["bins"] == [2, 2, 0, 0, 1]
    assert found["p50"] == 3
    assert found["p95"] == pytest.approx(9.6)
    assert found["p99"] == pytest.approx(10.72)


def test_percentiles_are_interpolated() -> None:
    assert percentile([10, 20], 50) == 15
    assert percentile([7], 99) == 7


@given(st.lists(SPEEDS, max_size=60))
def test_every_positive_speed_is_in_a_bin(speeds: list[float]) -> None:
    found = histogram(speeds)
    positive = [speed for speed in speeds if 0 < speed < float("inf")]
    assert (found is None) == (not positive)
    if found:
        assert sum(found["bins"]) == len(positive)
        assert found["min"] <= found["p50"] <= found["p95"] <= found["p99"] <= found["max"]


def test_neighbours_too_close_for_a_bin_are_counted_all_the_same() -> None:
    assert sum(built([5e-324, 1e-323])["bins"]) == 2
