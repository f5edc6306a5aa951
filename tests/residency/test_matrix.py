"""The matrix keeps the most valuable running models, with the ties decided by the file."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.config.swap import Matrix, MatrixSet, SwapConfig, SwapModel
from llmstack.errors import ConfigError
from llmstack.residency import Residency, compile_residency

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS = tuple("abcdefgh")


def config(
    sets: Mapping[str, str],
    costs: Mapping[str, int] | None = None,
    names: Mapping[str, str] | None = None,
) -> SwapConfig:
    entries = tuple(MatrixSet(name, text, line) for line, (name, text) in enumerate(sets.items()))
    return SwapConfig(
        "config.yaml",
        models={name: SwapModel(name) for name in (*MODELS, "org/big:7b")},
        matrix=Matrix(names or {}, costs or {}, entries),
    )


def residency(sets: Mapping[str, str], costs: Mapping[str, int] | None = None) -> Residency:
    return compile_residency(config(sets, costs))


@pytest.mark.top40(9, "the cheapest set, ties by the file")
@pytest.mark.top40(9, "parts of sets are permitted")
@pytest.mark.top40(9, "an unlisted model runs alone")
@pytest.mark.parametrize(
    ("sets", "costs", "target", "running", "evicted"),
    [
        pytest.param({"s": "a & b"}, {}, "a", "b", "", id="a set permits its models"),
        pytest.param({"s": "a & b & c"}, {}, "a", "c", "", id="a part of a set is permitted too"),
        pytest.param({"s": "a & b"}, {}, "a", "bc", "c", id="what is outside the set leaves"),
        pytest.param({"s": "a & b"}, {}, "c", "ab", "ab", id="a model in no set runs alone"),
        pytest.param({"s": "a | b"}, {}, "a", "b", "b", id="alternatives exclude each other"),
        pytest.param({"s": "a & b"}, {}, "a", "ac", "", id="a running target changes nothing"),
        pytest.param({"s": "a & (b | c)"}, {}, "a", "bc", "c", id="the first of equals wins"),
        pytest.param({"s": "a & (b | c)"}, {"b": 1, "c": 2}, "a", "bc", "b", id="cheapest wins"),
        pytest.param({"s": "a&c", "t": "a&b"}, {}, "a", "bc", "b", id="sets go in file order"),
        pytest.param(
            {"s": "a & (e|b) & (e|d)"}, {"b": 5}, "a", "bde", "d", id="sharing is not worth more"
        ),
        pytest.param(
            {"s": "a&b", "t": "a & (c | d)"}, {}, "a", "bcd", "cd", id="the first set of equals"
        ),
        pytest.param(
            {"s": "+t | a & c", "t": "a & b"}, {}, "a", "bc", "c", id="a referenced set goes first"
        ),
        pytest.param(
            {"s": "(b | c) & (d | e) & a"}, {}, "a", "bcde", "ce", id="left side varies slowest"
        ),
    ],
)
def test_decisions(
    sets: dict[str, str], costs: dict[str, int], target: str, running: str, evicted: str
) -> None:
    """Each row is one rule of the matrix."""
    assert residency(sets, costs).evict(target, set(running)) == set(evicted)


def test_names_are_vars_first_and_vars_reach_ids_that_expressions_cannot_spell() -> None:
    rule = compile_residency(
        config({"s": "a & x"}, {"x": 5}, {"x": "org/big:7b", "a": "b"}),
    )
    assert rule.evict("org/big:7b", {"a", "b"}) == {"a"}


def test_a_later_superset_does_not_take_the_place_of_an_earlier_combination() -> None:
    """If {b, c} replaced {b}, then {d, e} between them would win the tie."""
    rule = residency({"s": "a & (b | d & e | b & c) & (c | f) & (e | f)"})
    assert rule.evict("a", {"b", "c", "d", "e"}) == {"d"}


def test_a_product_of_fifty_alternatives_is_decided_without_listing_its_combinations() -> None:
    models = [f"m{i}" for i in range(100)]
    pairs = " & ".join(f"({a} | {b})" for a, b in zip(models[::2], models[1::2], strict=True))
    swap = SwapConfig(
        "config.yaml",
        models={name: SwapModel(name) for name in ("t", *models)},
        matrix=Matrix({}, {}, (MatrixSet("all", f"t & {pairs}"),)),
    )
    assert compile_residency(swap).evict("t", models) == set(models[1::2])


def calls_of_a_decision(models: int) -> int:
    """How many functions a decision calls, at worst: eight slots, a model in each, all of them run.

    Counting is what does not depend on the machine; ``python -m benchmarks.swap`` has the time.
    """
    names = [f"m{number}" for number in range(models)]
    slots = [names[slot::8] for slot in range(8)]
    text = " & ".join(f"({' | '.join(slot)})" for slot in slots)
    matrix = Matrix({}, {"m1": 3, "m9": 5}, (MatrixSet("all", text),))
    models_of = {name: SwapModel(name) for name in names}
    rule = compile_residency(SwapConfig("config.yaml", models=models_of, matrix=matrix))
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        assert len(rule.evict(names[0], [slot[1] for slot in slots])) == 1
    finally:
        sys.setprofile(None)
    return count


def test_the_work_of_a_decision_grows_no_faster_than_the_number_of_models() -> None:
    few, more, many = (calls_of_a_decision(models) for models in (100, 200, 400))
    assert more <= 2.2 * few
    assert many <= 2.2 * more
    assert more < 1_000


def test_a_set_that_doubles_another_many_times_is_linked_without_unfolding() -> None:
    sets = {"s0": "a & (b | c)"} | {f"s{i}": f"+s{i - 1} & +s{i - 1}" for i in range(1, 40)}
    assert residency(sets).evict("a", {"b", "c", "d"}) == {"d"}


def test_twelve_models_share_a_machine() -> None:
    """A small model stays beside everything; chats pair up; the giant pushes the chats out."""
    models = [f"chat{i}" for i in range(8)] + ["tiny", "coder", "embed", "giant"]
    chats = " | ".join(models[:8])
    matrix = Matrix(
        vars={"t": "tiny", "e": "embed"},
        evict_costs={"t": 2, "coder": 30, "giant": 20, "e": 1},
        sets=(
            MatrixSet("base", "t & e"),
            MatrixSet("work", f"+base & coder & ({chats})"),
            MatrixSet("talk", f"+base & (({chats}) & ({chats}))"),
            MatrixSet("huge", "+base & giant"),
        ),
    )
    rule = compile_residency(
        SwapConfig("config.yaml", models={m: SwapModel(m) for m in models}, matrix=matrix)
    )
    running = {"tiny", "embed", "coder", "chat3"}
    assert rule.evict("chat5", running) == {"chat3"}
    assert rule.evict("giant", running) == {"coder", "chat3"}
    assert rule.evict("chat5", {"tiny", "chat3"}) == set()
    assert rule.evict("coder", {"tiny", "chat3", "chat5"}) == {"chat5"}


def test_the_explanation_names_the_set_and_the_cost() -> None:
    rule = residency({"s": "a & b", "t": "a & c"}, {"b": 4})
    assert rule.explain("a", ["b", "c"]).reason == (
        'set "s" keeps b at the lowest cost: c stops (cost 1).'
    )
    assert "already running" in rule.explain("a", ["a", "d"]).reason
    assert "runs alone: b stops" in rule.explain("d", ["b"]).reason
    assert 'set "s" permits a' in rule.explain("a", []).reason


def test_all_mistakes_of_all_sets_are_reported_at_once_with_their_lines() -> None:
    sets = {
        "s0": "a & x",
        "s1": "a & +nowhere",
        "s2": "a &",
        "s3": "+s4",
        "s4": "+s3 | a",
        "fine": "a & b",
    }
    with pytest.raises(ConfigError) as caught:
        residency(sets)
    found = {problem.line: problem.message for problem in caught.value.problems}
    assert found[0] == 'matrix: set "s0": unknown var or model "x".'
    assert found[1] == 'matrix: set "s1" references undefined set "nowhere".'
    assert found[2] == 'matrix: set "s2": unexpected end of the expression.'
    assert found[3].startswith('matrix: circular reference detected involving set "s3"')
    assert len(found) == len(caught.value.problems) == 4


def test_a_mistake_is_told_with_the_file_that_its_set_stands_in() -> None:
    sets = (MatrixSet("s", "nobody", 7, "more.yaml"), MatrixSet("t", "(a", 3))
    swap = SwapConfig("config.yaml", models={"a": SwapModel("a")}, matrix=Matrix({}, {}, sets))
    with pytest.raises(ConfigError) as error:
        compile_residency(swap)
    places = {(problem.file, problem.line) for problem in error.value.problems}
    assert places == {("more.yaml", 7), ("config.yaml", 3)}


def test_a_chain_of_references_too_deep_for_the_stack_is_refused_and_a_flat_one_is_not() -> None:
    flat = {"s0": "a"} | {f"s{i}": f"+s{i - 1} | b" for i in range(1, 500)}
    assert residency(flat).evict("a", {"b"}) == {"b"}
    deep = {"s0": "a | b"} | {f"s{i}": f"(+s{i - 1} & c) | d" for i in range(1, 500)}
    with pytest.raises(ConfigError, match="nested deeper"):
        residency(deep)


# -- the solver against brute force ------------------------------------------------------------

Tree = Any
LEAVES = st.sampled_from(MODELS[:6])


def joined(operator: str, parts: st.SearchStrategy[Tree], most: int) -> st.SearchStrategy[Tree]:
    return st.tuples(st.just(operator), st.lists(parts, min_size=2, max_size=most))


#: Alternatives that share models with one another, where forgetting the wrong one shows.
PRODUCTS = joined("&", joined("|", LEAVES | joined("&", LEAVES, 3), 3), 4)
TREES = PRODUCTS | st.recursive(
    LEAVES, lambda inner: joined("&", inner, 4) | joined("|", inner, 4), max_leaves=14
)


def written(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    operator, parts = tree
    return "(" + f" {operator} ".join(written(part) for part in parts) + ")"


def listed(tree: Tree, earlier: list[list[frozenset[str]]]) -> list[frozenset[str]]:
    """Every combination, in order, by the definition."""
    if isinstance(tree, str):
        return earlier[int(tree[2:])] if tree.startswith("+") else [frozenset(tree)]
    operator, parts = tree
    families = [listed(part, earlier) for part in parts]
    if operator == "|":
        return list(itertools.chain.from_iterable(families))
    return [frozenset().union(*choice) for choice in itertools.product(*families)]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[list[Tree], dict[str, int]]:
    trees: list[Tree] = []
    for number in range(draw(st.integers(1, 4))):
        tree = draw(TREES)
        if number and draw(st.booleans()):
            reference = f"+s{draw(st.integers(0, number - 1))}"
            tree = (draw(st.sampled_from("&|")), draw(st.permutations([tree, reference])))
        trees.append(tree)
    costs = draw(st.dictionaries(st.sampled_from(MODELS), st.integers(1, 4)))
    return trees, costs


def brute_force(
    families: list[list[frozenset[str]]], costs: dict[str, int], target: str, running: set[str]
) -> set[str]:
    if target in running:
        return set()
    fitting = [combo for family in families for combo in family if target in combo]
    if not fitting:
        return running
    best = min(fitting, key=lambda combo: sum(costs.get(m, 1) for m in running - combo))
    return running - best


@pytest.mark.top40(9, "the cheapest set, ties by the file")
@settings(max_examples=600, deadline=None)
@given(matrices(), st.sampled_from(MODELS), st.sets(st.sampled_from(MODELS), min_size=2))
def test_the_solver_decides_as_listing_every_combination_would(
    matrix: tuple[list[Tree], dict[str, int]], target: str, running: set[str]
) -> None:
    trees, costs = matrix
    families: list[list[frozenset[str]]] = []
    for tree in trees:
        families.append(listed(tree, families))
    if sum(map(len, families)) > 20_000:
        return
    rule = residency({f"s{i}": written(tree) for i, tree in enumerate(trees)}, costs)
    expected = brute_force(families, costs, target, running)
    assert rule.evict(target, running) == expected
    assert rule.evict(target, sorted(running)) == expected, "the remembered answer differs"


@settings(max_examples=100, deadline=None)
@given(matrices(), st.sampled_from(MODELS), st.sets(st.sampled_from([*MODELS, "stranger"])))
def test_only_running_models_leave_and_the_target_never_does(
    matrix: tuple[list[Tree], dict[str, int]], target: str, running: set[str]
) -> None:
    trees, costs = matrix
    rule = residency({f"s{i}": written(tree) for i, tree in enumerate(trees)}, costs)
    explanation = rule.explain(target, running)
    assert explanation.evict <= running - {target}
    assert explanation.reason.endswith(".")
