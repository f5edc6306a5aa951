"""Whatever stands in a file, reading ends with a value that holds, or with all problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.config.macros import has_macro, texts
from llmstack.config.names import Unknown, names_of
from llmstack.config.schema import json_schema
from llmstack.config.swap_loader import parse_swap
from llmstack.config.swap_tables import TABLES
from llmstack.errors import ConfigError
from llmstack.residency import compile_residency
from llmstack.residency.problems import residency_problems
from tests.config.swap_trees import ANY_TREES, right_trees, wrong_trees
from tests.config.test_schema import faults

if TYPE_CHECKING:
    from llmstack.config.problems import Problem
    from llmstack.config.swap import SwapConfig

FILE = "dir/config.yaml"
LETTERS = st.text(alphabet="ab:-{}[]&*<! \n\t#'\"1$|>\x00\ufeff\u2028", max_size=6)


def written(tree: Any) -> str:
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))


def read(text: str) -> SwapConfig | tuple[Problem, ...]:
    """The configuration, or what is wrong; and what holds for each."""
    try:
        config = parse_swap(text, FILE, {})
    except ConfigError as error:
        problems = error.problems
    else:
        problems = ()
    if problems:
        assert any(problem.severity == "error" for problem in problems)
        told(problems, text)
        return problems
    assert all(problem.severity == "warning" for problem in config.warnings)
    told(config.warnings, text)
    holds(config)
    return config


def told(problems: tuple[Problem, ...], text: str) -> None:
    """Every problem is one sentence or two about a line that is there, in order, and said once."""
    lines = len(text.splitlines()) + 1
    for problem in problems:
        assert problem.file == FILE
        assert problem.line is not None, problem
        assert 1 <= problem.line <= lines
        assert problem.message.strip()
        assert "Traceback" not in problem.message
    assert len(set(problems)) == len(problems)
    assert [problem.line for problem in problems] == sorted(p.line or 0 for p in problems)


def holds(config: SwapConfig) -> None:
    """What everything behind the loader relies on."""
    names = names_of(config)
    assert all(not isinstance(names.resolve(name), Unknown) for name in names.known())
    ports = [model.proxy for model in config.models.values() if "localhost" in model.proxy]
    assert len(set(ports)) == len(ports)
    for model in config.models.values():
        assert not has_macro(model.cmd)
        assert not any(has_macro(text) for _, text in texts(dict(model.metadata)))
        assert model.concurrency_limit > 0
        assert model.ttl >= 0
        assert model.unload_timeout > 0
        assert all(config.resolve(alias) in config.models for alias in model.aliases)
    members = [member for group in config.groups for member in group.members]
    assert len(set(members)) == len(members)
    assert set(members) | set(config.preload) | set(config.priorities) <= set(config.models)
    for selector in config.selectors.values():
        assert selector.targets
        assert not any(isinstance(names.model(name), Unknown) for name in selector.targets)
        assert selector.spillover >= 1
    for profile in config.profiles.values():
        for name, target in profile.pins.items():
            assert target is None or not isinstance(names.resolve(name, profile.name), Unknown)
    if config.memory is None and not residency_problems(config):
        residency = compile_residency(config)
        for target in config.models:
            evicted = residency.evict(target, config.models)
            assert evicted <= set(config.models) - {target}


@settings(deadline=None)
@given(right_trees())
def test_a_configuration_in_order_loads_without_a_word_and_means_what_it_says(tree: Any) -> None:
    text = written(tree)
    config = read(text)
    assert not isinstance(config, tuple), config
    assert config.warnings == ()
    assert residency_problems(config) == ()
    schema = json_schema()
    assert faults(tree, schema, schema) == []
    assert list(config.models) == list(tree["models"])
    for offset, model_id in enumerate(sorted(tree["models"])):
        model = config.models[model_id]
        assert model.proxy == f"http://localhost:{7000 + offset}"
        assert model.metadata == {"n": 1.5, "id": model_id, "port": 7000 + offset}
        assert model.cmd in {f"run {7000 + offset} <1.5>", f"run --port={7000 + offset}"}
        assert model.aliases == (*tree["models"][model_id]["aliases"], f"{model_id}:fast")
    assert len(config.groups) == len(tree.get("groups", {}))
    assert (config.matrix is not None) == ("matrix" in tree)
    assert set(config.profiles["home"].pins) == set(tree["profiles"]["home"]["pins"])


@settings(deadline=None)
@given(wrong_trees())
def test_a_configuration_with_mistakes_is_read_or_refused_with_all_of_them(tree: Any) -> None:
    config = read(written(tree))
    if isinstance(config, tuple) or config.warnings:
        return
    schema = json_schema()
    assert faults(tree, schema, schema) == []


@settings(deadline=None)
@given(right_trees(), st.sampled_from(sorted(TABLES["top"])), st.sampled_from([[[]], {"a": [[]]}]))
def test_one_wrong_value_at_the_top_is_told_at_its_line(tree: Any, key: str, value: Any) -> None:
    """Neither fits any key, so that each of them must be checked."""
    tree = {**tree, key: value}
    if key in {"groups", "matrix", "routing"}:
        tree = {name: item for name, item in tree.items() if name not in {"groups", "matrix"}}
        tree[key] = value
    text = written(tree)
    problems = read(text)
    assert isinstance(problems, tuple) or problems.warnings, key
    found = problems if isinstance(problems, tuple) else problems.warnings
    line = text.splitlines().index(f"{key}:") + 1
    assert any(line <= (problem.line or 0) <= line + 3 for problem in found), (key, found)


@settings(deadline=None)
@given(ANY_TREES)
def test_any_tree_is_read_or_refused_with_problems(tree: Any) -> None:
    config = read(written(tree))
    if not isinstance(config, tuple) and not config.warnings and isinstance(tree, dict):
        schema = json_schema()
        assert faults(tree, schema, schema) == []


@settings(deadline=None)
@given(right_trees(), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), LETTERS), max_size=4))
def test_a_damaged_file_is_read_or_refused_with_problems(
    tree: Any, damages: list[tuple[float, int, str]]
) -> None:
    """Some letters are cut out, others put in."""
    text = written(tree)
    for where, length, new in damages:
        start = int(where * len(text))
        text = text[:start] + new + text[start + length :]
    read(text)
