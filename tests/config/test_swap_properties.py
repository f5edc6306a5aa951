"""Whatever stands under known and unknown keys, reading ends with a value or with all problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.names import Unknown, names_of
from llmstack.config.schema import json_schema
from llmstack.config.swap_loader import build_swap
from llmstack.config.swap_source import Source
from llmstack.config.swap_tables import TABLES
from llmstack.config.yaml_source import Document
from llmstack.errors import ConfigError
from tests.config.test_schema import faults

if TYPE_CHECKING:
    from llmstack.config.swap_keys import SwapKey

NAMES = st.sampled_from(["a", "b", "p/a", "first", "x y", "(default)", "${m}", ""])
SCALARS = st.sampled_from(
    [None, True, 0, 1, 30, -1, 1.5, "a", "b", "x=y", "${m}", "${PORT}", "http://h:1", "5s", "24GiB"]
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


def section(name: str) -> st.SearchStrategy[Any]:
    known = {key.name: st.deferred(lambda key=key: value(key)) for key in TABLES[name].values()}
    return st.fixed_dictionaries({}, optional=known)


def value(key: SwapKey) -> st.SearchStrategy[Any]:
    """A value of the right kind, and now and then another one."""
    right: st.SearchStrategy[Any] = SCALARS
    match key.kind:
        case "text":
            right = st.sampled_from([*key.choices, "a", "run ${PORT}", "http://h"])
        case "integer":
            right = st.integers(-2, 200)
        case "boolean":
            right = st.booleans()
        case "texts":
            right = st.lists(NAMES, max_size=3)
        case "section":
            right = section(key.inner)
        case "sections":
            right = st.dictionaries(NAMES, section(key.inner), max_size=2)
        case "keys":
            right = st.lists(st.sampled_from(["k1", "k2"]) | section(key.inner), max_size=2)
        case "duration" | "size":
            pass
        case _:
            right = st.dictionaries(NAMES, SCALARS | st.dictionaries(NAMES, SCALARS), max_size=2)
    return st.one_of(right, right, right, ANYTHING)


TREES = section("top") | st.dictionaries(NAMES, ANYTHING, max_size=3) | ANYTHING


@given(TREES)
def test_any_tree_is_read_or_refused_with_problems(tree: Any) -> None:
    try:
        config = build_swap(Source(Document("x", tree, {})))
    except ConfigError:
        return
    names = names_of(config)
    assert all(not isinstance(names.resolve(name), Unknown) for name in names.known())
    for selector in config.selectors.values():
        assert selector.targets
    if not config.warnings and isinstance(tree, dict):
        schema = json_schema()
        assert faults(tree, schema, schema) == []
