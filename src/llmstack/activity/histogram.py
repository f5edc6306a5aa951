"""The histograms of ``/api/metrics/stats`` (llama-swap's behaviour report, section 3.11; pure)."""

from __future__ import annotations

from math import ceil, isfinite, log2
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FEWEST, _MOST = 5, 20


def histogram(speeds: Iterable[float]) -> dict[str, Any] | None:
    """Bins and percentiles of the positive ``speeds``; None when there are none.

    There are ceil(log2 n) + 1 bins, at least 5 and at most 20; equal values share one bin of size
    0. Percentiles are interpolated linearly.
    """
    values = sorted(speed for speed in speeds if speed > 0 and isfinite(speed))
    if not values:
        return None
    low, high = values[0], values[-1]
    size = 0.0
    bins = [len(values)]
    if high > low:
        count = min(max(ceil(log2(len(values))) + 1, _FEWEST), _MOST)
        size = (high - low) / count
        bins = [0] * count
        for value in values:
            # Values too close to each other for a bin's size to differ from 0 share the first.
            bins[min(int((value - low) / size), count - 1) if size else 0] += 1
    return {
        "bins": bins,
        "min": low,
        "max": high,
        "binSize": size,
        "p50": percentile(values, 50),
        "p95": percentile(values, 95),
        "p99": percentile(values, 99),
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The ``percent``-th percentile of sorted values, between its two neighbours by distance."""
    place = percent / 100 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
