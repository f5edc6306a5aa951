"""Macros are put in exactly in llama-swap's order, keep their types, and never stay unnoticed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.macros import (
    MAX_TEXT,
    Macro,
    TooLongError,
    env_references,
    substitute,
    substitute_env,
    text_of,
)
from llmstack.config.swap_macros import Expansion, expand

KNOWN = ("startPort", "groups", "models")


def expand_ok(tree: dict[str, Any]) -> dict[str, Any]:
    expansion = expand(tree, KNOWN)
    assert expansion.findings == ()
    return expansion.tree


def messages(expansion: Expansion) -> list[str]:
    return [finding.message for finding in expansion.findings]


# -- one substitution --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (7, "7"),
        (1.5, "1.5"),
        (2.0, "2"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.25e-7, "-1.25e-07"),
        (0.0001, "0.0001"),
        (0.0, "0"),
        (float("inf"), "+Inf"),
        (float("nan"), "NaN"),
        ("x", "x"),
    ],
)
def test_scalars_inside_a_text_are_written_as_go_writes_them(value: object, written: str) -> None:
    assert text_of(value) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_is_the_same_number(value: float) -> None:
    assert float(text_of(value)) == value


@pytest.mark.top40(3, "typed whole values")
def test_a_whole_value_keeps_the_type_and_a_part_becomes_text() -> None:
    macros = [Macro("n", 7), Macro("flag", True)]
    assert substitute({"a": "${n}", "b": ["x${n}", "${flag}"], "${n}": 1}, macros) == {
        "a": 7,
        "b": ["x7", True],
        "${n}": 1,
    }


@pytest.mark.top40(3, "from the last macro to the first")
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.text("x${}ab c", max_size=8)), max_size=4),
    st.text("x${}abc ", max_size=30),
)
def test_substitution_is_one_replacement_per_macro_from_the_last_to_the_first(
    pairs: list[tuple[str, str]], text: str
) -> None:
    expected = text
    for name, value in reversed(pairs):
        expected = expected.replace(f"${{{name}}}", value)
    assert substitute(text, [Macro(*pair) for pair in pairs]) == expected


def test_macros_that_double_each_other_are_stopped() -> None:
    macros = [Macro("m0", "xxxxxxxxxx")]
    macros += [Macro(f"m{i}", f"${{m{i - 1}}}" * 10) for i in range(1, 30)]
    with pytest.raises(TooLongError):
        substitute("a ${m29}", macros)
    declared = {macro.name: macro.value for macro in macros}
    tree = {"macros": declared, "models": {"m": {"cmd": "${m29}", "proxy": "http://h"}}}
    assert any(f"more than {MAX_TEXT} characters" in text for text in messages(expand(tree, KNOWN)))


# -- the environment ---------------------------------------------------------------------------


@pytest.mark.top40(3, "the environment first, as text")
def test_the_environment_replaces_text_everywhere_and_escapes_quotes() -> None:
    text = 'a: "${env.A}" # ${env.A} ${env.UNUSED}'
    references = env_references({"a": "${env.A}"})
    replaced, findings = substitute_env(text, references, {"A": 'C:\\x "y"'})
    assert replaced == 'a: "C:\\\\x \\"y\\"" # C:\\\\x \\"y\\" ${env.UNUSED}'
    assert findings == {}


def test_variables_that_are_unset_or_have_several_lines_are_refused() -> None:
    references = env_references(["${env.A}", {"${env.B}": "${env.1} ${env.C}"}])
    text, findings = substitute_env("${env.A}", references, {"B": "1\n2", "C": "ok"})
    assert text == "${env.A}"
    assert findings["A"].message == "environment variable 'A' is not set"
    assert "contains newlines or null bytes" in findings["B"].message
    assert set(findings) == {"A", "B"}


# -- declarations ------------------------------------------------------------------------------


@pytest.mark.top40(3, "reserved names")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("a" * 64, 1, f"macro name '{'a' * 64}' exceeds maximum length of 63 characters"),
        ("a.b", 1, "must match pattern ^[a-zA-Z0-9_-]+$"),
        ("PORT", 1, "macro name 'PORT' is reserved"),
        ("PID", 1, "macro name 'PID' is reserved"),
        ("MODEL_ID", 1, "macro name 'MODEL_ID' is reserved"),
        ("a", "x ${a}", "macro 'a' contains self-reference"),
        ("a", None, "macro 'a' has invalid type null, must be a scalar type"),
        ("a", [1], "macro 'a' has invalid type list, must be a scalar type"),
        ("a", {}, "macro 'a' has invalid type mapping, must be a scalar type"),
    ],
)
def test_a_bad_declaration_is_one_finding_and_its_uses_are_none(
    name: str, value: object, message: str
) -> None:
    """Global declarations and those of a model, which name the model."""
    model = {"cmd": "x", "proxy": "http://h", "name": f"${{{name}}}"}
    if name in {"PORT", "PID"}:
        del model["name"]
    (finding,) = expand({"macros": {name: value}, "models": {"m": model}}, KNOWN).findings
    assert message in finding.message
    inner = {"models": {"m": {**model, "macros": {name: value}}}}
    (finding,) = expand(inner, KNOWN).findings
    assert finding.message.startswith("model m: macro")
    assert finding.path == ("models", "m", "macros", name)


def test_macros_must_be_a_mapping_and_may_be_null() -> None:
    assert messages(expand({"macros": [1]}, KNOWN)) == ["macros must be a mapping"]
    assert expand_ok({"macros": None}) == {}


# -- the order of things -----------------------------------------------------------------------


@pytest.mark.top40(3, "forward references rejected")
def test_a_macro_may_use_earlier_ones_but_not_later_ones() -> None:
    tree = {"macros": {"a": "1", "b": "${a}2", "c": "${b}3"}, "startPort": "${c}"}
    assert expand_ok(tree) == {"startPort": "123"}
    late = {"macros": {"b": "${a}2", "a": "1"}, "startPort": "${b}"}
    (finding,) = expand(late, KNOWN).findings
    assert finding.message == "startPort: unknown macro '${a}'"
    assert finding.fix == "Declare a before the macro that uses it."


def test_a_model_macro_replaces_the_global_one_in_its_position() -> None:
    tree = {
        "macros": {"x": "global", "uses": "<${x}>"},
        "models": {
            "a": {"macros": {"x": "own", "new": "${uses}!"}, "cmd": "${new}", "proxy": "http://h"},
            "b": {"cmd": "${uses}", "proxy": "http://h"},
        },
    }
    models = expand_ok(tree)["models"]
    assert models["a"] == {"cmd": "<own>!", "proxy": "http://h"}
    assert models["b"]["cmd"] == "<global>"


def test_a_global_macro_may_use_the_model_id_and_the_port() -> None:
    tree = {
        "macros": {"serve": "run --port ${PORT} --alias ${MODEL_ID}"},
        "models": {"org/m": {"cmd": "${serve}", "metadata": {"port": "${PORT}"}}},
    }
    assert expand_ok(tree)["models"]["org/m"] == {
        "cmd": "run --port 5800 --alias org/m",
        "proxy": "http://localhost:5800",
        "metadata": {"port": 5800},
    }


@pytest.mark.top40(4, "${PORT} where cmd uses it, in sorted order")
def test_ports_go_in_sorted_id_order_to_the_models_whose_cmd_uses_one() -> None:
    tree = {
        "macros": {"base": 9000},
        "startPort": "${base}",
        "models": {
            "c": {"cmd": "run ${PORT}"},
            "a": {"cmd": "run ${PORT} ${PORT}"},
            "b": {"cmd": "run", "proxy": "http://h:1"},
        },
    }
    models = expand_ok(tree)["models"]
    assert [models[name]["proxy"] for name in models] == [
        "http://localhost:9001",
        "http://localhost:9000",
        "http://h:1",
    ]
    assert list(models) == ["c", "a", "b"]


@pytest.mark.top40(5, "comment lines go before expansion")
def test_comment_lines_go_before_macros_are_looked_up() -> None:
    tree = {"models": {"m": {"cmd": "run\n # ${nowhere} ${PORT}\n-x", "proxy": "http://h"}}}
    assert expand_ok(tree)["models"]["m"]["cmd"] == "run\n-x"


def test_the_process_id_stays_in_the_stop_command_only() -> None:
    model = {"cmd": "run", "cmdStop": "kill ${PID}", "proxy": "http://h"}
    assert expand_ok({"models": {"m": model}})["models"]["m"] == model
    wrong = {**model, "env": ["P=${PID}"]}
    assert messages(expand({"models": {"m": wrong}}, KNOWN)) == [
        "model m env[0]: unknown macro '${PID}'"
    ]


@pytest.mark.top40(4, "${PORT} where cmd uses it, in sorted order")
def test_the_proxy_cannot_use_a_port_that_cmd_does_not() -> None:
    (message,) = messages(expand({"models": {"m": {"cmd": "run"}}}, KNOWN))
    assert message == (
        "model m: proxy uses ${PORT} but cmd does not - ${PORT} is only available when used in cmd"
    )
    unknown = {"models": {"m": {"cmd": "${nowhere}"}}}
    assert messages(expand(unknown, KNOWN)) == ["unknown macro '${nowhere}' found in m.cmd"]


@pytest.mark.top40(3, "leftovers rejected")
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cmd", "${x}", "unknown macro '${x}' found in m.cmd"),
        ("cmdStop", "${x}", "unknown macro '${x}' found in m.cmdStop"),
        ("name", "${PORT}", "macro '${PORT}' should have been substituted in m.name"),
        ("filters", {"stripParams": "${x}"}, "unknown macro '${x}' found in m.filters.stripParams"),
        ("aliases", ["a", "${x}"], "model m aliases[1]: unknown macro '${x}'"),
        ("metadata", {"a": {"b": "${x}"}}, "model m metadata: unknown macro '${x}'"),
        ("env", ["A=${PORT}"], "model m env[0]: unknown macro '${PORT}'"),
    ],
)
def test_what_is_left_over_in_a_model_is_a_finding(field: str, value: object, message: str) -> None:
    model = {"cmd": "run", "proxy": "http://h", field: value}
    assert messages(expand({"models": {"m": model}}, KNOWN)) == [message]


def test_leftovers_under_unknown_keys_do_not_matter() -> None:
    tree = {"groups": {"g": {"members": ["${x}"]}}, "notes": "${x}"}
    assert messages(expand(tree, KNOWN)) == ["groups.g.members[0]: unknown macro '${x}'"]


def test_an_environment_reference_that_comes_up_too_late_is_a_warning() -> None:
    tree = {"macros": {"n": "HOME"}, "groups": "${env.${n}} ${env.my-var}", "startPort": 1}
    findings = expand(tree, KNOWN, unset=["OTHER"]).findings
    assert [finding.severity for finding in findings] == ["warning", "warning"]


def test_only_the_keys_of_params_by_id_are_expanded() -> None:
    filters = {"setParamsByID": {"${MODEL_ID}:high": {"x": 1}, "${y}": {}}}
    model = {"cmd": "run", "proxy": "http://h", "filters": filters}
    expansion = expand({"models": {"m": model}}, KNOWN)
    assert set(expansion.tree["models"]["m"]["filters"]["setParamsByID"]) == {"m:high", "${y}"}
    assert messages(expansion) == [
        "unknown macro '${y}' found in model m filters.setParamsByID key"
    ]
    filters["setParamsByID"] = {"${MODEL_ID}": {}, "m": {}}
    (message,) = messages(expand({"models": {"m": model}}, KNOWN))
    assert 'keys "${MODEL_ID}" and "m" resolve to the same value' in message


def test_macros_of_one_model_do_not_reach_another() -> None:
    tree = {
        "models": {
            "a": {"macros": {"x": 1}, "cmd": "${x}", "proxy": "http://h"},
            "b": {"cmd": "${x}", "proxy": "http://h"},
        }
    }
    assert messages(expand(tree, KNOWN)) == ["unknown macro '${x}' found in b.cmd"]
