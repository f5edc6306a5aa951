"""The statistics, against values worked out by hand and against what must always hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.routing.evaluation.agreement import agreement, columns_agree
from llmstack.routing.evaluation.flips import flips
from llmstack.routing.evaluation.interval import bootstrap, percentile
from llmstack.routing.evaluation.scores import (
    COSTS,
    SIDE_COST,
    Scored,
    confusion,
    kind_scores,
    macro_f1,
    scored,
)
from llmstack.routing.evaluation.turn import KINDS
from tests.routing.evaluation.turns import turn

LABELS = st.sampled_from(["plan", "agent", "fast"])
DECISIONS = st.lists(
    st.builds(Scored, st.sampled_from(KINDS), st.sampled_from(KINDS), st.just(0.0)), max_size=60
)


def decided(*pairs: tuple[str, str]) -> list[Scored]:
    return [Scored(truth, chosen, 0.0) for truth, chosen in pairs]  # type: ignore[arg-type]


def test_kappa_of_a_worked_example() -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: po 0.7, pe 0.5, kappa 0.4."""
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    found = agreement(first, second)
    assert (found.pairs, found.observed) == (50, 0.7)
    assert found.kappa == pytest.approx(0.4)


def test_kappa_is_undefined_without_pairs_or_without_variety() -> None:
    assert agreement([], []).kappa is None
    assert agreement(["y", "y"], ["y", "y"]).kappa is None


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1))
def test_kappa_is_symmetric_and_no_more_than_one(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    one, other = agreement(first, second).kappa, agreement(second, first).kappa
    assert one == pytest.approx(other)
    assert one is None or -1 - 1e-9 <= one <= 1 + 1e-9
    assert agreement(first, first).kappa in (None, 1)


def test_only_turns_with_both_labels_count_for_agreement() -> None:
    turns = [turn("plan", label_b="plan"), turn("agent", label_b="fast"), turn("fast")]
    assert columns_agree(turns).pairs == 2
    assert columns_agree(turns).observed == 0.5


def test_precision_recall_and_f1_of_a_worked_example() -> None:
    """Of four plans three are found, one as agent; of two agents one is taken for a plan."""
    scores = kind_scores(
        confusion(
            decided(
                ("plan", "plan"), ("plan", "plan"), ("plan", "plan"), ("plan", "agent"),
                ("agent", "agent"), ("agent", "plan"),
            )
        )
    )  # fmt: skip
    assert (scores["plan"].precision, scores["plan"].recall) == (0.75, 0.75)
    assert (scores["agent"].precision, scores["agent"].recall) == (0.5, 0.5)
    assert scores["plan"].f1 == 0.75
    assert scores["fast"].support == 0
    # fast neither occurs nor is missed: it does not pull the mean down.
    assert macro_f1(scores) == pytest.approx((0.75 + 0.5) / 2)


@given(DECISIONS)
def test_scores_are_shares_and_every_decision_is_in_the_table_once(
    decisions: list[Scored],
) -> None:
    table = confusion(decisions)
    assert sum(sum(row.values()) for row in table.values()) == len(decisions)
    for score in kind_scores(table).values():
        assert all(0 <= share <= 1 for share in (score.precision, score.recall, score.f1))
        low, high = sorted((score.precision, score.recall))
        assert low - 1e-9 <= score.f1 <= high + 1e-9
    perfect = kind_scores(confusion([Scored(one.truth, one.truth, 0.0) for one in decisions]))
    assert macro_f1(perfect) == (1 if decisions else 0)


def test_any_of_several_right_answers_is_right_and_free() -> None:
    disputed = turn("plan", label_b="agent")
    assert scored(disputed, "agent") == Scored("agent", "agent", 0.0)
    assert scored(disputed, "plan") == Scored("plan", "plan", 0.0)
    # Wrong for both: counted as the first label's, at the lower of the two costs.
    assert scored(disputed, "fast") == Scored("plan", "fast", 3)


def test_costs_are_asymmetric_and_right_is_free() -> None:
    assert COSTS["agent"]["fast"] > COSTS["fast"]["agent"]
    assert all(COSTS[kind][kind] == 0 for kind in KINDS)
    assert scored(turn("side"), "agent").cost == SIDE_COST
    assert scored(turn("side", standing="agent"), "agent").cost == 0


def test_percentiles_lie_between_their_neighbours() -> None:
    assert percentile([1, 2, 3, 4, 5], 0.5) == 3
    assert percentile([10, 20], 0.25) == 12.5
    assert percentile([7], 0.95) == 7
    assert percentile([], 0.5) == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), min_size=1, max_size=40))
def test_the_interval_is_reproducible_and_within_bounds(
    outcomes: list[tuple[str, bool]],
) -> None:
    low, high = bootstrap(outcomes, resamples=50)
    assert 0 <= low <= high <= 1
    assert bootstrap(outcomes, resamples=50) == (low, high)


def test_the_interval_of_independent_turns_is_near_the_normal_one() -> None:
    """100 of 200: the binomial's standard error is 0.0354, 95 % is 0.43 to 0.57."""
    low, high = bootstrap((str(number), number % 2 == 0) for number in range(200))
    assert low == pytest.approx(0.431, abs=0.015)
    assert high == pytest.approx(0.569, abs=0.015)


def test_turns_that_rise_and_fall_together_widen_the_interval() -> None:
    alone = bootstrap((str(number), number % 8 < 4) for number in range(80))
    together = bootstrap((str(number // 4), number % 8 < 4) for number in range(80))
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_flips_are_counted_against_the_base_of_the_group() -> None:
    def member(group: str | None, variant: str | None) -> object:
        return turn(group=group, variant=variant)

    found = [
        (member("g", "base"), "plan"),
        (member("g", "paraphrase"), "plan"),
        (member("g", "paraphrase"), "agent"),
        (member("g", "typo"), "fast"),
        (member("h", "paraphrase"), "fast"),  # no base to compare with
        (member(None, None), "fast"),
    ]
    assert flips(found, "paraphrase").rate == 0.5  # type: ignore[arg-type]
    assert flips(found, "typo").rate == 1  # type: ignore[arg-type]
    assert flips([], "typo").rate == 0
