"""A pinned model is never stopped for another one, or the pin is refused."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.config.swap import Group, Matrix, MatrixSet, MemoryPlan, SwapConfig, SwapModel
from llmstack.residency import compile_residency
from llmstack.residency.pins import broken, with_pins

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = tuple("abcde")
MODELS = {name: SwapModel(name, ttl=600) for name in NAMES}


def grouped(*groups: Group) -> SwapConfig:
    return SwapConfig("c.yaml", models=MODELS, groups=groups)


def matrix(*sets: str, costs: dict[str, int] | None = None) -> SwapConfig:
    entries = tuple(MatrixSet(f"s{number}", text) for number, text in enumerate(sets))
    rule = Matrix({"x": "a"}, costs or {}, entries)
    return SwapConfig("c.yaml", models=MODELS, matrix=rule)


def subsets(names: Iterable[str]) -> Iterable[frozenset[str]]:
    names = tuple(names)
    for size in range(len(names) + 1):
        yield from map(frozenset, itertools.combinations(names, size))


def keeps(config: SwapConfig, pinned: frozenset[str]) -> bool:
    """Whether no load stops a pinned model, whatever runs."""
    residency = compile_residency(config)
    return not any(
        residency.evict(target, running) & pinned
        for target in config.models
        for running in subsets(NAMES)
    )


def test_a_pinned_model_has_no_time_to_live_and_others_keep_theirs() -> None:
    config = with_pins(grouped(), {"a": True, "b": False, "gone": True})
    assert [config.models[name].ttl for name in "abc"] == [0, 600, 600]
    assert "gone" not in config.models


def test_the_rule_by_memory_learns_who_is_pinned_and_who_is_not_any_more() -> None:
    config = SwapConfig("c.yaml", models=MODELS, memory=MemoryPlan(pinned=("a", "b")))
    pinned = with_pins(config, {"b": False, "c": True})
    assert pinned.memory is not None
    assert pinned.memory.pinned == ("a", "c")
    assert broken(pinned, frozenset("ac")) is None
    assert with_pins(config, {}) == config


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ((), "Give a a group with persistent: true and exclusive: false."),
        ((Group("g", ("a", "b")),), "Write groups.g.swap: false."),
        ((Group("g", ("a",)),), "Write groups.g.persistent: true."),
    ],
)
def test_groups_that_would_stop_it_say_what_to_write(groups: tuple[Group, ...], words: str) -> None:
    fault = broken(with_pins(grouped(*groups), {"a": True}), frozenset("a"))
    assert fault is not None
    assert (fault.pinned, words in fault.fix, bool(fault.reason)) == ("a", True, True)


def test_a_persistent_group_keeps_its_promise() -> None:
    config = with_pins(grouped(Group("g", ("a",), exclusive=False, persistent=True)), {"a": True})
    assert broken(config, frozenset("a")) is None
    assert keeps(config, frozenset("a"))


def test_a_matrix_that_permits_it_beside_all_others_keeps_it_whatever_it_cost_before() -> None:
    """Without the pin, ``a`` is the cheapest to lose."""
    sets = ("x & b", "x & c", "x & d", "x & e", "b & c & d & e")
    config = matrix(*sets, costs={"b": 30, "c": 30, "d": 30, "e": 30})
    assert not keeps(config, frozenset("a"))
    pinned = with_pins(config, {"a": True})
    assert broken(pinned, frozenset("a")) is None
    assert keeps(pinned, frozenset("a"))


def test_a_matrix_that_does_not_says_which_set_is_missing() -> None:
    fault = broken(with_pins(matrix("x & b", "c", "d", "e"), {"a": True}), frozenset("a"))
    assert fault is not None
    assert fault.target == "c"
    assert "matrix.sets permit c beside a" in fault.fix
    assert "role = fast" in fault.fix


def test_two_pins_that_exclude_each_other_are_not_both_promised() -> None:
    config = with_pins(matrix("x & c", "b & c", "x & d", "b & d", "e & x", "e & b"), {"a": True})
    assert broken(with_pins(config, {"a": True, "b": True}), frozenset("ab")) is not None


expressions = st.lists(
    st.lists(st.sampled_from(["x", *NAMES[1:]]), min_size=1, max_size=4, unique=True).map(
        " & ".join
    ),
    min_size=1,
    max_size=7,
)
groupings = st.permutations(NAMES).flatmap(
    lambda names: st.tuples(
        st.just(names), st.integers(0, 5), st.lists(st.booleans(), min_size=6, max_size=6)
    )
)


@settings(deadline=None)
@given(
    expressions,
    st.dictionaries(st.sampled_from("xbcde"), st.integers(1, 40)),
    st.sets(st.sampled_from(NAMES)),
)
def test_no_matrix_breaks_a_promise(
    sets: list[str], costs: dict[str, int], pinned: set[str]
) -> None:
    config = with_pins(matrix(*sets, costs=costs), dict.fromkeys(pinned, True))
    stay = frozenset(pinned)
    assert keeps(config, stay) == (broken(config, stay) is None)


@settings(deadline=None)
@given(groupings, st.sets(st.sampled_from(NAMES)))
def test_no_groups_break_a_promise(
    grouping: tuple[list[str], int, list[bool]], pinned: set[str]
) -> None:
    names, cut, flags = grouping
    first = Group("g", tuple(names[:cut]), *flags[:3])
    second = Group("h", tuple(names[cut:4]), *flags[3:])
    config = with_pins(grouped(first, second), dict.fromkeys(pinned, True))
    stay = frozenset(pinned)
    assert keeps(config, stay) == (broken(config, stay) is None)
