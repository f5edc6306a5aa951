"""``apply_filters`` changes what its paths name and not one byte more."""

from __future__ import annotations

import copy
import json
import time
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.filters import PADDING, apply_filters, parse_path
from llmstack.errors import BadRequest, RequestError
from tests.dialects.recorded import RECORDED, Recorded

NAMES = st.sampled_from(["a", "b", "model", "a.b", "0", "1", "-1", "é", 'q"', "\\", ":x", "*"])
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**60), 2**60),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=6),
        st.sampled_from(['"a":1', "{", "}", "],", "\\"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=5)
PATHS = st.lists(NAMES, min_size=1, max_size=4)


def filtered(body: str, **filters: Any) -> str:
    return apply_filters(body.encode(), **filters).decode()


@pytest.mark.top40(16, "model is protected")
@pytest.mark.parametrize(
    ("before", "strip", "after"),
    [
        ('{"a":1,"b":2}', ["a"], '{"b":2}'),
        ('{"a":1,"b":2}', ["b"], '{"a":1}'),
        ('{"a":1}', ["a"], "{}"),
        ('{ "a" : 1 , "b" : 2 }', ["a"], '{ "b" : 2 }'),
        ('{ "a" : 1 , "b" : 2 }', ["b"], '{ "a" : 1 }'),
        ('{"a":1.50}', ["b", "c.d"], '{"a":1.50}'),
        ('{"a":{"b":1,"c":2}}', ["a.b"], '{"a":{"c":2}}'),
        ('{"a":{"b":1}}', ["a.b.c"], '{"a":{"b":1}}'),
        ('{"a.b":1,"a":{"b":2}}', ["a\\.b"], '{"a":{"b":2}}'),
        ('{"a":[1,2,3]}', ["a.1"], '{"a":[1,3]}'),
        ('{"a":[1,2,3]}', ["a.-1"], '{"a":[1,2]}'),
        ('{"a":[1,2,3]}', ["a.7", "a.x"], '{"a":[1,2,3]}'),
        ('{"a":[]}', ["a.-1"], '{"a":[]}'),
        ('{"a":{"0":1}}', ["a.0"], '{"a":{}}'),
        ('{"a":1,"b":2,"a":3}', ["a"], '{"b":2}'),
        ('{"\\u0061":1,"b":2}', ["a"], '{"b":2}'),
        ('{"a":"\\ud83d","b":2}', ["b"], '{"a":"\\ud83d"}'),
        ('{"model":"m","a":1}', ["model", " a ", "", "a"], '{"model":"m"}'),
        ('{"model":"m","x":{"model":"n"}}', ["x.model"], '{"model":"m","x":{}}'),
    ],
)
def test_strip(before: str, strip: list[str], after: str) -> None:
    assert filtered(before, strip=strip) == after


@pytest.mark.top40(16, "model is protected")
@pytest.mark.top40(16, "dotted paths nest")
@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        ('{"a":1}', {"a": 2}, '{"a":2}'),
        ('{"a":1}', {"b": "x"}, '{"a":1,"b":"x"}'),
        ("{}", {"b": None}, '{"b":null}'),
        (" { } ", {"b": True}, ' {"b":true } '),
        ('{"a" : 1 }', {"b": [1, {"c": 2}]}, '{"a" : 1 ,"b":[1,{"c":2}]}'),
        ('{"a":{"b":1}}', {"a.b": 2}, '{"a":{"b":2}}'),
        ('{"a":{"b":1}}', {"a.c.d": 2}, '{"a":{"b":1,"c":{"d":2}}}'),
        ("{}", {"a.b.c": 2}, '{"a":{"b":{"c":2}}}'),
        ("{}", {"a\\.b": 2}, '{"a.b":2}'),
        ('{"a":5}', {"a.b": 2}, '{"a":{"b":2}}'),
        ('{"a":null}', {"a.b": 2}, '{"a":{"b":2}}'),
        ('{"a":[1,2]}', {"a.0": 9}, '{"a":[9,2]}'),
        ('{"a":[1,2]}', {"a.-1": 9}, '{"a":[1,2,9]}'),
        ('{"a":[1]}', {"a.3": 9}, '{"a":[1,null,null,9]}'),
        ('{"a":[]}', {"a.-1.b": 9}, '{"a":[{"b":9}]}'),
        ("{}", {"a.-1": 9}, '{"a":[9]}'),
        ("{}", {"a.1": 9}, '{"a":[null,9]}'),
        ("{}", {"a.:1": 9}, '{"a":{"1":9}}'),
        ('{"a":{"0":1}}', {"a.0": 9}, '{"a":{"0":9}}'),
        ('{"a":[{"b":1},{"b":2}]}', {"a.1.b": 9}, '{"a":[{"b":1},{"b":9}]}'),
        ('{"a":1,"a":2}', {"a": 9}, '{"a":1,"a":9}'),
        ('{"model":"m"}', {"model": "x", "model.y": 1, "\\model": 2}, '{"model":"m"}'),
        ('{"a":0}', {"b": 1, "a": 1, "B": 1}, '{"a":1,"B":1,"b":1}'),
        ('{"a":"\\ud83d"}', {"a.b": 1, "c": 2}, '{"a":{"b":1},"c":2}'),
        ("{}", {"kw": MappingProxyType({"thinking": False})}, '{"kw":{"thinking":false}}'),
    ],
)
def test_set(before: str, values: dict[str, Any], after: str) -> None:
    assert filtered(before, set_params=values) == after
    assert filtered(before, set_by_id=values) == after


@pytest.mark.top40(16, "order of filters")
def test_the_order_is_model_strip_set_and_by_id() -> None:
    after = filtered(
        '{"model":"alias","a":1,"b":1,"c":1}',
        use_model_name="real",
        strip=["a", "b", "c"],
        set_params={"a": 2, "b": 2},
        set_by_id={"a": 3},
    )
    assert json.loads(after) == {"model": "real", "a": 3, "b": 2}


def test_without_filters_the_very_same_bytes_return() -> None:
    body = b'{ "a" : 1.50 }'
    assert apply_filters(body) is body
    assert apply_filters(body, strip=["x"]) is body


@pytest.mark.parametrize("request_", RECORDED, ids=lambda request: request.name)
def test_recorded_requests_keep_every_other_byte(request_: Recorded) -> None:
    wire = request_.wire
    edited = apply_filters(wire, set_params={"zz.y": 1}, strip=["zzz"])
    assert edited == wire.rstrip()[:-1] + b',"zz":{"y":1}}'
    assert apply_filters(edited, strip=["zz"]) == wire


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ('{"a":[1]}', {"a.x": 1}),
        ('{"a":[1]}', {f"a.{PADDING + 10}": 1}),
        ("{}", {"a.#.b": 1}),
        ("{}", {"": 1}),
        ("{}", {"a\\": 1}),
        ("{}", {"a": object()}),
    ],
)
def test_what_cannot_be_set_is_500_and_names_the_parameter(
    body: str, values: dict[str, Any]
) -> None:
    with pytest.raises(RequestError) as caught:
        filtered(body, set_params=values)
    assert caught.value.status == 500
    assert caught.value.what == f"error setting parameter {next(iter(values))} in request"


def test_what_cannot_be_stripped_is_500_and_names_the_parameter() -> None:
    with pytest.raises(RequestError, match="error stripping parameter a\\|b from request"):
        filtered("{}", strip=["a|b"])


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"[]", b"[1]", b"1", b"{", b'{"a"}', b'{"a":1,}', b'{"a":1}x', b'{"a" 1}'),
        *(b"\xff", b'{"a":1,"a":2}x', b'{"a":1,"a" 2}'),
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        apply_filters(body, strip=["a.b"], set_params={"x": 1})


def escaped(parts: list[str]) -> str:
    """The path that means the names ``parts``, a numeric one being an index where it can be."""
    return ".".join("".join(f"\\{c}" if c in "\\.|#@*?:" else c for c in part) for part in parts)


def test_escaped_paths_are_read_back() -> None:
    names = ["a.b", ":x", "*", "\\", "-1", "7", "x"]
    assert [part.name for part in parse_path(escaped(names))] == names


def reference_set(document: Any, parts: list[str], value: Any) -> Any:
    """Like ``_set``, on decoded JSON."""
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    index = -1 if part == "-1" else int(part) if part.isdigit() else None
    if isinstance(document, dict):
        document[part] = reference_set(document.get(part), rest, value)
        return document
    if isinstance(document, list):
        if index is None:
            raise ValueError(part)
        if 0 <= index < len(document):
            document[index] = reference_set(document[index], rest, value)
            return document
        document += [None] * (index - len(document) if index > 0 else 0)
        return [*document, reference_set(None, rest, value)]
    if index is None:
        return {part: reference_set(None, rest, value)}
    return [*[None] * max(index, 0), reference_set(None, rest, value)]


def reference_strip(document: Any, parts: list[str]) -> None:
    """Like ``_strip``, on decoded JSON."""
    part, rest = parts[0], parts[1:]
    key: Any = part
    if isinstance(document, list):
        key = -1 if part == "-1" else int(part) if part.isdigit() else len(document)
        if not document or key >= len(document):
            return
    elif not isinstance(document, dict) or part not in document:
        return
    if rest:
        reference_strip(document[key], rest)
    else:
        del document[key]


@settings(deadline=None, max_examples=400)
@given(
    BODIES,
    st.lists(PATHS, max_size=3),
    st.lists(st.tuples(PATHS, VALUES), max_size=3),
    st.sampled_from([None, 1]),
)
def test_any_body_and_filters_give_what_editing_the_decoded_body_gives(
    body: dict[str, Any],
    strip: list[list[str]],
    values: list[tuple[list[str], Any]],
    indent: int | None,
) -> None:
    written = json.dumps(body, indent=indent, ensure_ascii=indent is None).encode()
    set_params = {escaped(parts): value for parts, value in values}
    expected = copy.deepcopy(body)
    failed = False
    for path in sorted({escaped(parts) for parts in strip}):
        names = [part.name for part in parse_path(path)]
        if names[0] != "model":
            reference_strip(expected, names)
    for path in sorted(set_params):
        names = [part.name for part in parse_path(path)]
        if names[0] != "model":
            try:
                new = copy.deepcopy(set_params[path])
                expected = reference_set(expected, names, new)
            except ValueError:
                failed = True
                break
    filters: dict[str, Any] = {"strip": list(map(escaped, strip)), "set_params": set_params}
    if failed:
        with pytest.raises(RequestError):
            apply_filters(written, **filters)
    else:
        assert json.loads(apply_filters(written, **filters)) == expected


@settings(deadline=None)
@given(BODIES, VALUES, st.sampled_from([None, 1]))
def test_an_edit_below_the_top_keeps_all_bytes_around_it(
    body: dict[str, Any], new: Any, indent: int | None
) -> None:
    mark = "a mark that no test value holds"
    whole = {**body, "deep": {"x": 1, "y": mark, "z": [body]}}
    marked = json.dumps(whole, indent=indent, ensure_ascii=indent is None)
    left, right = marked.split(json.dumps(mark))
    edited = apply_filters(marked.encode(), set_params={"deep.y": new}).decode()
    assert edited.startswith(left)
    assert edited.endswith(right)
    assert json.loads(edited)["deep"]["y"] == new


@settings(deadline=None)
@given(st.one_of(st.binary(), st.binary().map(lambda junk: b'{"a":' + junk)))
def test_any_bytes_are_edited_or_refused(body: bytes) -> None:
    try:
        edited = apply_filters(body, strip=["a.b"], set_params={"c.0": 1})
    except BadRequest:
        return
    assert json.loads(edited.decode("utf-8", "surrogateescape"))["c"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b'{"b":"x"},' * 60_000 + b"1]}",
        b'{"a":"' + b'\\"a\\":' * 100_000 + b'"}',
        b"{" + b'"a":"x",' * 80_000 + b'"b":1}',
        b"{" + b",".join(b'"%d":1' % i for i in range(80_000)) + b"}",
        b"{" + b" " * 1_000_000 + b"}",
        b'{"b":"' + b"\\\\" * 500_000 + b'"}',
        b'{"b":"\\ud83d","a":[' + b"[1]," * 200_000 + b"1]}",
    ],
)
def test_hostile_bodies_take_linear_time(body: bytes) -> None:
    begin = time.perf_counter()
    edited = apply_filters(body, strip=["q", "w.e"], set_params={"n.m": 1, "z": 2})
    assert json.loads(edited)["z"] == 2
    assert time.perf_counter() - begin < 3
