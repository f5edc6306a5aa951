"""The schema as a real validator reads it: what an editor would underline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from llmstack.config.example import example_text, example_values
from llmstack.config.schema import json_schema
from llmstack.config.swap_tables import TABLES
from llmstack.config.yaml_source import read_yaml
from tests.config.swap_trees import ANY_TREES, right_trees, wrong_trees
from tests.config.test_schema import faults

jsonschema_rs = pytest.importorskip("jsonschema_rs")

SCHEMA = json_schema()
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.yaml"))


def test_the_schema_is_one() -> None:
    assert jsonschema_rs.meta.is_valid(SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(example_text(), id="example"),
        *(pytest.param(values, id="part of the example") for values in example_values()),
        *(pytest.param(path.read_text(encoding="utf-8"), id=path.stem) for path in EXAMPLES),
    ],
)
def test_the_examples_are_valid(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read_yaml(text, "x").tree)] == []


@pytest.mark.parametrize(
    ("table", "key"), [(name, key) for name, table in TABLES.items() for key in table]
)
def test_every_key_refuses_a_value_of_another_kind(table: str, key: str) -> None:
    """A list in a list fits no key; and none of them takes a mapping of lists of lists."""
    where = SCHEMA if table == "top" else {**SCHEMA, "$ref": f"#/$defs/{table.replace(' ', '%20')}"}
    where = {name: where[name] for name in where if table == "top" or name in {"$defs", "$ref"}}
    validator = jsonschema_rs.Draft202012Validator(where)
    required = {name: None for name, each in TABLES[table].items() if each.required and name != key}
    found = [error.message for error in validator.iter_errors({**required, key: [[[]]]})]
    assert found
    assert not any("required" in message for message in found)


@settings(deadline=None)
@given(right_trees())
def test_what_the_reader_takes_in_order_is_valid(tree: Any) -> None:
    assert VALIDATOR.is_valid(tree)


@settings(deadline=None)
@given(wrong_trees() | ANY_TREES)
def test_the_validator_agrees_with_the_few_rules_that_the_other_tests_use(tree: Any) -> None:
    assert VALIDATOR.is_valid(tree) == (faults(tree, SCHEMA, SCHEMA) == [])
