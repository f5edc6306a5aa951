"""By memory: the budget holds, pinned models stay, and what is not known is tried alone."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.swap import MemoryPlan, SwapConfig, SwapModel
from llmstack.residency import MemoryFacts, compile_residency
from llmstack.residency.footprint import Known
from llmstack.residency.memory import MemoryResidency

GIB = 1 << 30


def rule(budget: int, *pinned: str, **sizes: int | None) -> MemoryResidency:
    """Sizes in GiB are measured; ``unknown`` is not."""
    known = {
        name: Known(None, "unknown") if size is None else Known(size * GIB, "measured")
        for name, size in sizes.items()
    }
    return MemoryResidency(budget * GIB, pinned, known)


def test_nothing_goes_while_there_is_room() -> None:
    assert rule(24, a=10, b=10, c=4).evict("c", ["a", "b"]) == set()


def test_what_has_been_idle_longest_goes() -> None:
    memory = rule(24, a=10, b=10, c=10)
    assert memory.evict("c", ["a", "b"], {"a": 600.0, "b": 30.0}) == {"a"}
    assert memory.evict("c", ["a", "b"], {"a": 30.0, "b": 600.0}) == {"b"}


def test_what_is_cheap_to_load_again_goes_first() -> None:
    known = {
        "slow": Known(10 * GIB, "measured", load_seconds=60.0),
        "fast": Known(10 * GIB, "measured", load_seconds=2.0),
        "new": Known(10 * GIB, "measured"),
    }
    memory = MemoryResidency(24 * GIB, (), known)
    idle = {"slow": 100.0, "fast": 100.0}
    assert memory.evict("new", idle, idle) == {"fast"}
    # An hour of idleness outweighs thirty times the load.
    assert memory.evict("new", idle, {"slow": 3600.0, "fast": 100.0}) == {"slow"}


def test_several_small_ones_go_if_that_costs_less() -> None:
    memory = rule(24, big=16, a=4, b=4, c=8)
    assert memory.evict("c", ["big", "a", "b"], {"big": 10.0, "a": 90.0, "b": 90.0}) == {"a", "b"}
    assert memory.evict("c", ["big", "a", "b"], {"big": 900.0, "a": 9.0, "b": 9.0}) == {"big"}


def test_what_is_in_use_goes_only_if_no_other_will_do() -> None:
    memory = rule(24, a=10, b=10, c=10, d=20)
    assert memory.evict("c", ["a", "b"], {"b": 1.0}) == {"b"}
    assert memory.evict("d", ["a", "b"], {"b": 1.0}) == {"a", "b"}


def test_what_is_stopping_anyway_is_free() -> None:
    memory = rule(24, a=10, b=10, c=10)
    assert memory.evict("c", ["a", "b"], {"a": 1e12, "b": float("inf")}) == {"b"}


def test_a_model_that_runs_makes_nobody_go() -> None:
    assert rule(4, a=10, b=10).evict("a", ["a", "b"]) == set()


def test_an_unknown_model_runs_alone_beside_pinned_ones() -> None:
    memory = rule(24, "p", p=2, a=1, u=None)
    assert memory.evict("u", ["p", "a"]) == {"a"}
    assert memory.evict("a", ["p", "u"]) == {"u"}
    assert "runs alone" in memory.explain("u", ["p", "a"]).reason


def test_a_size_that_is_only_measured_or_estimated_is_tried_alone() -> None:
    memory = rule(24, "p", p=10, a=5, big=30)
    assert memory.refusal("big", ["p", "a"]) is None
    assert memory.evict("big", ["p", "a"]) == {"a"}
    assert "may not fit even so (16.0 GiB too much)" in memory.explain("big", ["p", "a"]).reason


def test_a_declared_size_that_cannot_fit_is_refused_with_the_sum() -> None:
    known = {"big": Known(20 * GIB, "declared"), "p": Known(6 * GIB, "estimated")}
    memory = MemoryResidency(24 * GIB, ("p",), known)
    assert memory.refusal("big", []) is None
    refused = memory.refusal("big", ["p"])
    assert refused is not None
    assert (refused.status, refused.code) == (503, "service_unavailable")
    assert "20.0 GiB (declared); the budget is 24.0 GiB" in refused.why
    assert "pinned models hold 6.0 GiB" in refused.why
    assert "Unload p" in refused.fix
    explained = memory.explain("big", ["p"])
    assert explained.evict == set()
    assert "does not fit" in explained.reason
    assert MemoryResidency(8 * GIB, (), known).refusal("big", []) is not None


def test_the_explanation_holds_the_sum() -> None:
    total = rule(24, "p", p=2, a=10, b=10, c=12).explain("c", ["p", "a", "b"], {"a": 9.0}).memory
    assert total
    assert [(h.model, h.pinned, h.evicted) for h in total.running] == [
        ("a", False, True),
        ("b", False, False),
        ("p", True, False),
    ]
    sums = [total.budget, total.taken, total.freed, total.needed.size, total.left]
    assert [size and size // GIB for size in sums] == [24, 22, 10, 12, 0]


@pytest.mark.parametrize(("budget", "evicted"), [(None, {"a"}), (30 * GIB, set())])
def test_a_fixed_budget_counts_and_else_what_was_found_less_the_margin(
    budget: int | None, evicted: set[str]
) -> None:
    models = {name: SwapModel(id=name, memory=12 * GIB) for name in "ab"}
    plan = MemoryPlan(budget, margin=GIB)
    config = SwapConfig("config.yaml", models=models, memory=plan)
    known = {name: Known(12 * GIB, "declared") for name in "ab"}
    residency = compile_residency(config, MemoryFacts(24 * GIB, known=known))
    assert residency.evict("b", ["a"]) == evicted


NAMES = "abcdef"
known_models = st.fixed_dictionaries(
    {
        name: st.one_of(
            st.builds(
                Known,
                st.integers(1, 20),
                st.sampled_from(["declared", "measured", "estimated"]),
                st.one_of(st.none(), st.floats(0.1, 500)),
            ),
            st.just(Known(None, "unknown")),
        )
        for name in NAMES
    }
)


@given(
    known=known_models,
    pinned=st.sets(st.sampled_from(NAMES), max_size=3),
    running=st.sets(st.sampled_from(NAMES)),
    idle=st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e6)),
    target=st.sampled_from(NAMES),
    budget=st.integers(1, 50),
)
def test_the_budget_holds_pinned_models_stay_and_nobody_goes_in_vain(
    known: dict[str, Known],
    pinned: set[str],
    running: set[str],
    idle: dict[str, float],
    target: str,
    budget: int,
) -> None:
    memory = MemoryResidency(budget, pinned, known)
    evicted = memory.evict(target, running, idle)
    assert evicted == memory.evict(target, sorted(running), dict(reversed(idle.items())))
    assert evicted <= running - pinned - {target}
    if target in running:
        assert evicted == set()
        return
    left = running - evicted

    def fits(others: set[str]) -> bool:
        sizes = [known[name].size for name in (*others - pinned, target)]
        held = sum(known[name].size or 0 for name in others & pinned)
        return None not in sizes and sum(size or 0 for size in sizes) + held <= budget

    if fits(left):
        for spared in range(1, len(evicted) + 1):
            for some in combinations(sorted(evicted), spared):
                assert not fits(left | set(some)), "it would have fitted beside some of these"
    else:
        assert left <= pinned, "over the budget although somebody could go"
        refused = memory.refusal(target, running)
        assert (refused is not None) == (known[target].source == "declared")
