"""Whether two people label alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from llmstack.routing.evaluation.turn import Turn


@dataclass(frozen=True, slots=True)
class Agreement:
    """``kappa`` is None where it is undefined: no pair, or both always say the same one thing."""

    pairs: int
    observed: float
    kappa: float | None


def agreement(first: Sequence[Hashable], second: Sequence[Hashable]) -> Agreement:
    """Observed agreement and Cohen's kappa of two columns.

    Cohen, A coefficient of agreement for nominal scales, 1960: (po - pe) / (1 - pe), where pe is
    the agreement expected of two who label at random with their own frequencies.
    """
    pairs = list(zip(first, second, strict=True))
    if not pairs:
        return Agreement(0, 0.0, None)
    total = len(pairs)
    observed = sum(one == other for one, other in pairs) / total
    ones, others = Counter(first), Counter(second)
    expected = sum(ones[label] * others[label] for label in ones) / total**2
    kappa = None if expected == 1 else (observed - expected) / (1 - expected)
    return Agreement(total, observed, kappa)


def columns_agree(turns: Iterable[Turn]) -> Agreement:
    """The agreement of the label columns, over the turns that have both."""
    both = [(turn.label_a, turn.label_b) for turn in turns if turn.label_b]
    return agreement([one for one, _ in both], [other for _, other in both])
