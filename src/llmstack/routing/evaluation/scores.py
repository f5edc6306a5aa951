"""Confusion, F1 and cost of a list of decisions."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from llmstack.routing.evaluation.turn import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmstack.routing.evaluation.turn import Turn

#: What a wrong decision costs, by what was right and what was chosen, in units of a fast turn that
#: a bigger model answers: seconds. A task that lands on the fast tier is lost; a plan by the fast
#: tier is a bad plan that somebody builds on; a task on the plan tier is talked about, not done.
COSTS: Final[Mapping[Kind, Mapping[Kind, float]]] = MappingProxyType(
    {
        "plan": {"plan": 0, "agent": 1, "fast": 3},
        "agent": {"plan": 2, "agent": 0, "fast": 5},
        "fast": {"plan": 1, "agent": 1, "fast": 0},
    }
)
#: What it costs that side work loads or occupies a model that nobody was using.
SIDE_COST: Final = 2.0


@dataclass(frozen=True, slots=True)
class Scored:
    """A decision beside what was right; ``truth`` is what it is counted as."""

    truth: Kind
    chosen: Kind
    cost: float

    @property
    def hit(self) -> bool:
        """Whether the decision is right."""
        return self.truth == self.chosen


@dataclass(frozen=True, slots=True)
class KindScore:
    """How well one kind is found. Shares are 0 where nothing was chosen or nothing is right."""

    precision: float
    recall: float
    f1: float
    support: int


def scored(turn: Turn, chosen: Kind) -> Scored:
    """``chosen`` judged. A choice among several right ones counts as the right one."""
    right = turn.right
    if chosen in right:
        return Scored(chosen, chosen, 0.0)
    cost = SIDE_COST if turn.label_a == "side" else min(COSTS[kind][chosen] for kind in right)
    return Scored(right[0], chosen, cost)


def confusion(decisions: Sequence[Scored]) -> dict[Kind, dict[Kind, int]]:
    """How often each kind (outer) was answered by each (inner)."""
    table: dict[Kind, dict[Kind, int]] = {truth: dict.fromkeys(KINDS, 0) for truth in KINDS}
    for decision in decisions:
        table[decision.truth][decision.chosen] += 1
    return table


def kind_scores(table: Mapping[Kind, Mapping[Kind, int]]) -> dict[Kind, KindScore]:
    """Precision, recall and F1 of each kind in a confusion table."""
    scores: dict[Kind, KindScore] = {}
    for kind in KINDS:
        hits = table[kind][kind]
        support = sum(table[kind].values())
        chosen = sum(table[truth][kind] for truth in KINDS)
        scores[kind] = KindScore(
            precision=share(hits, chosen),
            recall=share(hits, support),
            f1=share(2 * hits, support + chosen),
            support=support,
        )
    return scores


def macro_f1(scores: Mapping[Kind, KindScore]) -> float:
    """The plain mean of the F1 of the kinds that occur."""
    present = [score.f1 for score in scores.values() if score.support]
    return sum(present) / len(present) if present else 0.0


def share(part: float, whole: float) -> float:
    """``part`` of ``whole``, 0 of nothing."""
    return part / whole if whole else 0.0
