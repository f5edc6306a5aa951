"""One way of routing put through a set of turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.routing.evaluation.flips import Flips, flips
from llmstack.routing.evaluation.interval import bootstrap, percentile
from llmstack.routing.evaluation.policies import KIND_OF
from llmstack.routing.evaluation.scores import (
    KindScore,
    Scored,
    confusion,
    kind_scores,
    macro_f1,
    scored,
    share,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llmstack.routing.evaluation.policies import Policy
    from llmstack.routing.evaluation.turn import Kind, Turn


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The numbers of one way of routing. Shares are of 1, latencies in microseconds.

    ``coverage`` is the share of turns on which the way has an opinion, ``covered`` its accuracy on
    them; on the others the session stays where it is, which is what all other numbers count.
    ``by_kind`` and ``by_language`` are accuracies with the number of turns behind them, ``wrong``
    the ids of turns that went to the wrong kind of tier, with that kind.
    """

    name: str
    turns: int
    accuracy: float
    interval: tuple[float, float]
    macro_f1: float
    cost: float
    coverage: float
    covered: float
    kinds: dict[Kind, KindScore]
    confusion: dict[Kind, dict[Kind, int]]
    by_kind: dict[str, tuple[float, int]]
    by_language: dict[str, tuple[float, int]]
    paraphrase: Flips
    typo: Flips
    p50: float
    p95: float
    wrong: dict[str, Kind]


def evaluate(
    name: str, policy: Policy, turns: Sequence[Turn], clock: Callable[[], float]
) -> Evaluation:
    """Run ``policy`` over ``turns``. ``clock`` gives seconds.

    A policy is asked twice about every turn, the second time with the clock running, so that
    building the request and compiling word lists are not counted.
    """
    opinions = [policy(turn) for turn in turns]
    latencies = sorted(_timed(policy, turn, clock) for turn in turns)
    chosen: list[Kind] = [
        KIND_OF[role] if role else turn.standing or "agent"
        for turn, role in zip(turns, opinions, strict=True)
    ]
    decided = list(zip(turns, chosen, strict=True))
    marks = [scored(turn, kind) for turn, kind in decided]
    covered = [mark for mark, role in zip(marks, opinions, strict=True) if role]
    table = confusion(marks)
    scores = kind_scores(table)
    return Evaluation(
        name=name,
        turns=len(turns),
        accuracy=_accuracy(marks),
        interval=bootstrap(
            (turn.cluster, mark.hit) for turn, mark in zip(turns, marks, strict=True)
        ),
        macro_f1=macro_f1(scores),
        cost=share(sum(mark.cost for mark in marks), len(marks)),
        coverage=share(len(covered), len(marks)),
        covered=_accuracy(covered),
        kinds=scores,
        confusion=table,
        by_kind=_by((turn.kind for turn in turns), marks),
        by_language=_by((turn.language for turn in turns), marks),
        paraphrase=flips(decided, "paraphrase"),
        typo=flips(decided, "typo"),
        p50=percentile(latencies, 0.5) * 1e6,
        p95=percentile(latencies, 0.95) * 1e6,
        wrong={
            turn.id: mark.chosen for turn, mark in zip(turns, marks, strict=True) if not mark.hit
        },
    )


def _timed(policy: Policy, turn: Turn, clock: Callable[[], float]) -> float:
    start = clock()
    policy(turn)
    return clock() - start


def _accuracy(marks: Sequence[Scored]) -> float:
    return share(sum(mark.hit for mark in marks), len(marks))


def _by(keys: Iterable[str], marks: Sequence[Scored]) -> dict[str, tuple[float, int]]:
    parts: dict[str, list[Scored]] = {}
    for key, mark in zip(keys, marks, strict=True):
        parts.setdefault(key, []).append(mark)
    return {key: (_accuracy(part), len(part)) for key, part in sorted(parts.items())}
