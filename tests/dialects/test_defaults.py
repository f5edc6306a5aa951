"""Defaults fill what a body leaves open, and leave every other byte alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.dialects.defaults import ask_usage, fill_defaults, rename_limit, wants_usage
from llmstack.errors import BadRequest

NAMES = ["temperature", "top_p", "top_k", "min_p", "repetition_penalty"]


@given(
    st.dictionaries(st.sampled_from([*NAMES, "x"]), st.none() | st.integers(0, 9) | st.text()),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0, 2)),
)
def test_the_caller_wins_and_null_says_nothing(
    told: dict[str, Any], values: dict[str, Any]
) -> None:
    filled = json.loads(fill_defaults(json.dumps(told).encode(), values))
    said = {name: value for name, value in told.items() if value is not None or name not in values}
    assert filled == {**values, **said}


def test_what_is_told_stays_byte_for_byte() -> None:
    body = b'{ "a" : 1.50, "top_p":\n1e0 , "b":"\\u00e9" }'
    assert fill_defaults(body, {"top_p": 0.5}) == body
    assert fill_defaults(body, {}) == body
    assert fill_defaults(body, {"top_k": 3}).startswith(body[:-1])


def test_half_an_emoji_is_no_reason_to_refuse() -> None:
    filled = fill_defaults(b'{"prompt":"\\ud83d"}', {"top_k": 3})
    assert filled == b'{"prompt":"\\ud83d","top_k":3}'


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        fill_defaults(body, {"top_k": 3})


def test_who_wants_the_number_of_tokens() -> None:
    assert wants_usage(b"{}") is None
    assert wants_usage(b'{"stream":false}') is None
    assert wants_usage(b'{"stream":true}') is False
    assert wants_usage(b'{"stream":true,"stream_options":{"include_usage":false}}') is False
    assert wants_usage(b'{"stream":true,"stream_options":{"include_usage":true}}') is True
    assert json.loads(ask_usage(b'{"stream_options":null}')) == {
        "stream_options": {"include_usage": True}
    }


def test_a_limit_gets_its_newer_name() -> None:
    assert json.loads(rename_limit(b'{"max_tokens":3}')) == {"max_completion_tokens": 3}
    assert rename_limit(b'{"x": 1}') == b'{"x": 1}'
