"""Groups make exactly those models leave that llama-swap's truth table names."""

from __future__ import annotations

import itertools

import pytest

from llmstack.config.swap import Group, SwapConfig, SwapModel
from llmstack.residency import Residency, compile_residency

BOTH = (True, False)


def residency(*groups: Group) -> Residency:
    models = {name: SwapModel(name) for name in ("g1", "g2", "h1", "h2", "loose", "other")}
    return compile_residency(SwapConfig("config.yaml", models=models, groups=groups))


@pytest.mark.top40(8, "truth table")
@pytest.mark.parametrize(
    ("swap", "exclusive", "persistent", "h_persistent"),
    list(itertools.product(BOTH, BOTH, BOTH, BOTH)),
)
def test_truth_table(*, swap: bool, exclusive: bool, persistent: bool, h_persistent: bool) -> None:
    """Same group: iff it swaps. Other group: iff ours is exclusive and theirs not persistent."""
    rule = residency(
        Group("g", ("g1", "g2"), swap=swap, exclusive=exclusive, persistent=persistent),
        Group("h", ("h1",), persistent=h_persistent),
    )
    assert ("g2" in rule.evict("g1", {"g2"})) is swap
    assert ("h1" in rule.evict("g1", {"h1"})) is (exclusive and not h_persistent)


@pytest.mark.top40(8, "default group")
def test_models_without_a_group_swap_among_themselves_and_push_others_out() -> None:
    rule = residency(Group("g", ("g1", "g2"), swap=False), Group("h", ("h1",), persistent=True))
    assert rule.evict("loose", {"other", "g1", "g2", "h1"}) == {"other", "g1", "g2"}


@pytest.mark.top40(8, "asymmetry of groups that are not exclusive")
def test_a_group_that_is_not_exclusive_never_pushes_an_exclusive_one_out() -> None:
    """The asymmetry of llama-swap: the other way round the models do leave."""
    rule = residency(Group("g", ("g1",), exclusive=False), Group("h", ("h1",)))
    assert rule.evict("g1", {"h1"}) == set()
    assert rule.evict("h1", {"g1"}) == {"g1"}


def test_the_target_is_never_evicted() -> None:
    assert residency().evict("loose", {"loose", "other"}) == {"other"}


def test_the_explanation_names_both_reasons() -> None:
    rule = residency(Group("g", ("g1", "g2")), Group("h", ("h1",)))
    explanation = rule.explain("g1", ["h1", "g2"])
    assert explanation.target == "g1"
    assert explanation.evict == {"g2", "h1"}
    assert explanation.reason == (
        'group "g" swaps its members: g2 stops; group "g" is exclusive: h1 stops.'
    )
    assert "needs no running model to stop" in rule.explain("g1", []).reason
