"""``replace_model`` changes the model's value and not one byte more."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects import replace_model
from llmstack.errors import BadRequest
from tests.dialects.recorded import RECORDED, Recorded

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
KEYS = st.one_of(st.sampled_from(["messages", "tools", "mode", "models", "Model"]), st.text("ab"))
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**60), 2**60),
        st.text(st.characters(codec="utf-8"), max_size=8),
        st.sampled_from(['"model":"x"', "model", "\\", '"', "{", "}"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.just("model"), KEYS), inner, max_size=3),
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"model":"auto","stream":true}', '{"model":"NEW","stream":true}'),
        ('{"model":"","a":1}', '{"model":"NEW","a":1}'),
        ('{"model":null}', '{"model":"NEW"}'),
        ('{"model":7}', '{"model":"NEW"}'),
        ('{"model":{"model":"x"}}', '{"model":"NEW"}'),
        ("{}", '{"model":"NEW"}'),
        (" { } ", ' {"model":"NEW" } '),
        ('{"a":1}', '{"model":"NEW","a":1}'),
        ('{ "a":1}', '{"model":"NEW", "a":1}'),
        ('\n{\t"model" :\r\n "auto" , "a" : 1 }\n', '\n{\t"model" :\r\n "NEW" , "a" : 1 }\n'),
        ('{"messages":[],"model":"auto"}', '{"messages":[],"model":"NEW"}'),
        ('{"a":"\\"model\\":\\"x\\""}', '{"model":"NEW","a":"\\"model\\":\\"x\\""}'),
        ('{"a":{"model":"x"}}', '{"model":"NEW","a":{"model":"x"}}'),
        ('{"a":{"model":"NEW"}}', '{"model":"NEW","a":{"model":"NEW"}}'),
        ('{"a":{"model":"x"},"model":"y"}', '{"a":{"model":"x"},"model":"NEW"}'),
        ('{"model":"y","a":{"model":"x"}}', '{"model":"NEW","a":{"model":"x"}}'),
        ('{"model":"y","a":"model"}', '{"model":"NEW","a":"model"}'),
        ('{"b":"y","a":"model"}', '{"model":"NEW","b":"y","a":"model"}'),
        ('{"mod\\u0065l":"x"}', '{"mod\\u0065l":"NEW"}'),
        ('{"\\u006D\\u006fdel":null}', '{"\\u006D\\u006fdel":"NEW"}'),
        ('{"model":"org\\/name\\"s"}', '{"model":"NEW"}'),
        ('{"model":"' + "x" * 5000 + '"}', '{"model":"NEW"}'),
        ('{"model":"NEW","a":1}', '{"model":"NEW","a":1}'),
        ('{"a":"é漢🙂","model":"auto","b":"é"}', '{"a":"é漢🙂","model":"NEW","b":"é"}'),
        ('{"a":1.50,"model":"x","b":1E+2}', '{"a":1.50,"model":"NEW","b":1E+2}'),
        ('{"a":"\\ud83d","model":"x"}', '{"a":"\\ud83d","model":"NEW"}'),
    ],
)
def test_only_the_value_changes(before: str, after: str) -> None:
    assert replace_model(before.encode(), "NEW").decode() == after


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"mod\\u0065l":"a","x":{"model":"c"},"model":"b"}',
        b'{"x":1,"model":"a","y":2,"model":"b","z":{"model":"c"}}',
        b'{"model":"NEW","model":"b"}',
        b'{"model":"b","model":"NEW"}',
        b'{"model":null,"model":"b","model":{}}',
    ],
)
def test_of_several_keys_the_one_that_counts_is_changed(body: bytes) -> None:
    edited = json.loads(replace_model(body, "NEW"))
    assert edited == {**json.loads(body), "model": "NEW"}


@pytest.mark.parametrize("request_", RECORDED, ids=lambda request: request.name)
def test_recorded_requests_keep_every_other_byte(request_: Recorded) -> None:
    old = json.dumps(request_.body["model"]).encode()
    expected = request_.wire.replace(b'"model":' + old, b'"model":"code-smart"', 1)
    assert replace_model(request_.wire, "code-smart") == expected


@settings(deadline=None)
@given(
    before=st.dictionaries(KEYS, VALUES, max_size=3),
    after=st.dictionaries(KEYS, VALUES, max_size=3),
    old=st.one_of(st.none(), NAMES, VALUES),
    new=NAMES,
    indent=st.sampled_from([None, 1]),
)
def test_any_body_parses_to_the_same_but_for_the_model(
    before: dict[str, Any], after: dict[str, Any], old: Any, new: str, indent: int | None
) -> None:
    body = before | {"model": old} | {key: after[key] for key in after if key not in before}
    written = json.dumps(body, indent=indent, ensure_ascii=indent is None)
    edited = replace_model(written.encode(), new).decode()
    assert json.loads(edited) == {**body, "model": new}
    left, right = _around_model(written, body, indent)
    assert edited.startswith(left)
    assert edited.endswith(right)


def _around_model(written: str, body: dict[str, Any], indent: int | None) -> tuple[str, str]:
    """What is written before and after the model's value, found by writing another one."""
    mark = "a mark that no test value holds"
    marked = json.dumps({**body, "model": mark}, indent=indent, ensure_ascii=indent is None)
    left, right = marked.split(json.dumps(mark))
    assert written.startswith(left)
    assert written.endswith(right)
    return left, right


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), NAMES)
def test_a_body_without_a_model_gets_one_in_front(body: dict[str, Any], new: str) -> None:
    written = json.dumps(body).encode()
    edited = replace_model(written, new)
    assert edited.endswith(written[1:])
    assert json.loads(edited) == {"model": new, **body}
    assert next(iter(json.loads(edited))) == "model"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model"}', b'"model"', b'{"model":"a",}'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        replace_model(body, "x")


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b'{"model":"x"},' * 60_000 + b"1]}",
        b'{"a":"' + b'\\"model\\":' * 100_000 + b'"}',
        b"{" + b'"model":"x",' * 80_000 + b'"a":1}',
        b"{" + b" " * 1_000_000 + b"}",
        b'{"model":"' + b"\\\\" * 500_000 + b'"}',
    ],
)
def test_hostile_bodies_take_linear_time(body: bytes) -> None:
    begin = time.perf_counter()
    assert json.loads(replace_model(body, "new"))["model"] == "new"
    assert time.perf_counter() - begin < 3


def test_bodies_nested_beyond_reading_are_refused() -> None:
    with pytest.raises(BadRequest, match="nested"):
        replace_model(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "x")
