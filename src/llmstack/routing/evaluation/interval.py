"""How far a share may be off by the luck of which turns are in the set."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RESAMPLES = 1000
SEED = 20_261_121


def bootstrap(
    outcomes: Iterable[tuple[str, bool]],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[float, float]:
    """The percentile interval of the share of hits, by resampling whole clusters.

    ``outcomes`` are (cluster, hit): variants of one ask rise and fall together, and drawing them
    one by one would make the interval too narrow. Efron and Tibshirani, An introduction to the
    bootstrap, 1993, chapter 13.
    """
    clusters: dict[str, list[int]] = {}
    for cluster, hit in outcomes:
        counts = clusters.setdefault(cluster, [0, 0])
        counts[0] += hit
        counts[1] += 1
    if not clusters:
        return 0.0, 0.0
    random = Random(seed)  # noqa: S311  statistics, not secrets
    pool = list(clusters.values())
    shares = []
    for _ in range(resamples):
        drawn = random.choices(pool, k=len(pool))
        shares.append(sum(hits for hits, _ in drawn) / sum(size for _, size in drawn))
    shares.sort()
    return percentile(shares, (1 - level) / 2), percentile(shares, (1 + level) / 2)


def percentile(ordered: Sequence[float], at: float) -> float:
    """The value below which the share ``at`` of ``ordered`` lies, between neighbours linearly."""
    if not ordered:
        return 0.0
    place = at * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
