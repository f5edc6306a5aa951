"""YAML is read as gopkg.in/yaml.v3 reads it, every value keeps its line, hostile files end well."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config import yaml_source
from llmstack.config.yaml_source import MAX_DEPTH, MAX_VALUES, read_yaml, scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("+12", 12),
        ("-0", 0),
        ("1_000", 1000),
        ("0x1F", 31),
        ("-0x1f", -31),
        ("0o17", 15),
        ("017", 15),
        ("0b101", 5),
        ("08", 8.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("9" * 5000, "9" * 5000),
        ("1.2.3", "1.2.3"),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("0x", "0x"),
        ("-", "-"),
        ("<<", "<<"),
    ],
)
def test_unquoted_scalars_have_the_type_that_the_go_reader_gives_them(
    text: str, value: object
) -> None:
    found = scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_texts() -> None:
    document = read_yaml("a: '12'\nb: \"true\"\nc: !!str 7\nd: |\n  5\n", "f.yaml")
    assert document.tree == {"a": "12", "b": "true", "c": "7", "d": "5\n"}


def test_every_value_knows_its_line() -> None:
    document = read_yaml("a:\n  b: 1\n\n  c:\n    - x\n    - y\n", "f.yaml")
    assert document.locate(("a", "c", 1)) == ("f.yaml", 6)
    assert document.locate(("a", "missing", "deeper")) == ("f.yaml", 1)
    assert document.locate(()) == ("f.yaml", 1)
    assert read_yaml("", "f.yaml").locate(()) == ("f.yaml", None)


def test_keys_are_texts_as_written() -> None:
    assert read_yaml("7: a\ntrue: b\n1.50: c\n", "f").tree == {"7": "a", "true": "b", "1.50": "c"}


def test_aliases_and_merge_keys_unfold_with_own_keys_winning_and_earlier_mappings_first() -> None:
    text = """
one: &one {a: 1, b: 1}
two: &two {b: 2, c: 2, <<: {d: 2, c: 9}}
all:
  <<: [*one, *two]
  a: own
again: *one
"""
    tree = read_yaml(text, "f").tree
    assert tree["all"] == {"b": 1, "c": 2, "d": 2, "a": "own"}
    assert tree["again"] == {"a": 1, "b": 1}


def test_an_anchor_may_be_defined_again() -> None:
    assert read_yaml("a: &x 1\nb: &x 2\nc: *x\n", "f").tree == {"a": 1, "b": 2, "c": 2}


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert read_yaml('"<<": {a: 1}\n', "f").tree == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_no_problem(text: str) -> None:
    document = read_yaml(text, "f")
    assert (document.tree, document.problems) == (None, ())


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'mapping key "a" already defined at line 1'),
        ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: *nope\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("a: &x [*x]\n", 1, "an anchor contains an alias of itself"),
        ("a: &x\n  <<: *x\n", 1, "a mapping is merged into itself"),
        ("a:\n  <<: 3\n", 2, "a merge key needs a mapping"),
        ("? [a, b]\n: 1\n", 1, "a mapping key must be a single value"),
        ("a: !!python/object/apply:os.system ['x']\n", 1, "is not supported"),
        ("a: !!int x\n", 1, "the value is not of the type !!int"),
        ("a: 1\nb: \x07\n", 2, "U+0007 is not allowed"),
        ("[" * 5000, 1, "nested deeper than 100"),
        ("a:\n- b\n  c: d\n", 3, "not valid YAML"),
    ],
)
def test_a_mistake_becomes_a_problem_with_its_line(text: str, line: int, message: str) -> None:
    (problem,) = read_yaml(text, "f.yaml").problems
    assert (problem.file, problem.line) == ("f.yaml", line)
    assert message in problem.message


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("a: {b: x ${PORT}}\n", "Inside braces and brackets a text with ${...} needs quotes."),
        ("a: [${PORT}]\n", "Inside braces and brackets a text with ${...} needs quotes."),
        ("a: [1, 2\nb: 3\n", ""),
        ("a:\n\tb: 1\n", "Indent with spaces, not with tabs."),
    ],
)
def test_common_mistakes_of_syntax_have_a_remedy(text: str, fix: str) -> None:
    (problem,) = read_yaml(text, "f").problems
    assert problem.fix == fix


def test_all_duplicate_keys_are_reported() -> None:
    document = read_yaml("a: 1\na: 2\nb:\n  c: 1\n  c: 2\n", "f")
    assert [problem.line for problem in document.problems] == [2, 5]
    assert document.tree == {"a": 1, "b": {"c": 1}}


def test_a_file_that_unfolds_itself_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    document = read_yaml("\n".join(lines), "f")
    assert document.tree is None
    assert f"more than {MAX_VALUES} values" in document.problems[0].message


def test_merges_that_unfold_themselves_are_refused() -> None:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 30)]
    assert "more than" in read_yaml("\n".join(lines), "f").problems[0].message


def test_aliases_cannot_nest_deeper_than_brackets() -> None:
    lines = ["a0: &a0 {k: 1}"]
    for number in range(1, 40):
        opening, closing = "{x: " * 90, "}" * 90
        lines.append(f"a{number}: &a{number} {opening}*a{number - 1}{closing}")
    document = read_yaml("\n".join(lines), "f")
    assert (document.tree, document.places) == (None, {})
    assert f"more than {MAX_DEPTH} levels" in document.problems[0].message
    assert document.problems[0].line == 2


def test_a_long_chain_of_merges_is_refused() -> None:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}]}}" for i in range(1, 300)]
    assert f"more than {MAX_DEPTH} levels" in read_yaml("\n".join(lines), "f").problems[0].message


def test_a_file_with_too_many_values_is_refused_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yaml_source, "MAX_VALUES", 100)
    (problem,) = read_yaml("- 1\n" * 1000, "f").problems
    assert "more than 100 values" in problem.message
    assert problem.line == 200


def test_anchored_are_the_keys_at_the_top_where_an_anchor_is_set() -> None:
    text = "a: &a {k: &k 1}\nb: *a\nc: {d: &d [1]}\ne: *d\nf: &f\n  g: 1\n"
    assert read_yaml(text, "f").anchored == {("a",), ("f",)}


@given(st.text(st.sampled_from("ab:-[]{}&*!<>|'\"#%@? \n\t,0"), max_size=60))
def test_no_text_raises(text: str) -> None:
    document = read_yaml(text, "f")
    assert document.tree is None or isinstance(document.tree, (dict, list, str, int, float))


@given(st.text(max_size=12))
def test_no_scalar_raises(text: str) -> None:
    scalar(text)
