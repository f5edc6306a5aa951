"""Whatever a client sends as chat completions is read or refused, and can be written on."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.chat_body import write_chat
from llmstack.dialects.translation.chat_request import read_chat
from llmstack.errors import BadRequest

NAMES = [
    *("role", "content", "type", "text", "image_url", "url", "file", "file_data", "name", "id"),
    *("tool_calls", "function", "arguments", "tool_call_id", "function_call", "cache_control"),
    *("reasoning_content", "reasoning_details", "signature", "data", "ttl", "parameters"),
]
TOP = [
    *("model", "messages", "tools", "functions", "tool_choice", "response_format", "reasoning"),
    *("max_tokens", "max_completion_tokens", "stop", "stream_options", "stream", "n", "top_k"),
    *("temperature", "reasoning_effort", "thinking", "parallel_tool_calls", "user", "seed"),
]
WORDS = st.sampled_from(
    ["user", "system", "assistant", "tool", "function", "text", "image_url", "file", "json_schema",
     "reasoning.text", "custom", "data:,x", "http://x", "\ud800", ""]
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=20,
)
ROLES = st.sampled_from(["user", "system", "assistant", "tool", "function"])
MESSAGE = st.builds(
    lambda role, more: {"role": role, **more},
    ROLES,
    st.dictionaries(st.sampled_from(NAMES[1:]), VALUES, max_size=5),
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(TOP), VALUES),
    st.builds(
        lambda messages, more: {"messages": messages, **more},
        st.lists(MESSAGE, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(TOP), VALUES, max_size=2),
    ),
)


@settings(max_examples=200, deadline=None)
@given(BODIES)
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(BadRequest):
        told = read_chat(json.dumps(body).encode())
        assert all(turn.blocks for turn in told.turns)
        assert not (told.effort and told.thinking_budget)
        write_chat(told)


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "5m"}}
#: A body that says something of everything.
RICH: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": [MARKED]},
        {
            "role": "user",
            "content": [
                MARKED,
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
                {"type": "file", "file": {"filename": "a", "file_data": "eA=="}},
            ],
        },
        {
            "role": "assistant",
            "content": "a",
            "refusal": "no",
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}],
            "tool_calls": [CALL],
            "function_call": {"name": "f", "arguments": "{}"},
        },
        {"role": "tool", "tool_call_id": "1", "content": "x", "cache_control": {}},
        {"role": "function", "name": "f", "content": "x"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
    "functions": [{"name": "f", "description": "x"}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "reasoning": {"effort": "low", "max_tokens": 9, "enabled": True},
    "thinking": {"type": "enabled", "budget_tokens": 9},
    "stream_options": {"include_usage": True},
    "stop": ["x"],
    "max_tokens": 1,
    "temperature": 1,
    "seed": 1,
    "n": 1,
    "logprobs": True,
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in ``value`` anything stands."""
    found = [path] if path else []
    if isinstance(value, (dict, list)):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            found += paths(one, (*path, key))
    return found


def test_the_rich_body_is_read() -> None:
    assert read_chat(json.dumps(RICH).encode()).dropped == ("logprobs",)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(paths(RICH)), VALUES)
def test_anything_anywhere_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    body = copy.deepcopy(RICH)
    inner: Any = body
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with suppress(BadRequest):
        write_chat(read_chat(json.dumps(body).encode()))


@settings(max_examples=50, deadline=None)
@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(BadRequest):
        read_chat(body)


def nest(opening: str, depth: int, closing: str) -> bytes:
    return (opening + "[" * depth + "]" * depth + closing).encode()


@pytest.mark.parametrize("depth", [100, 900, 985, 990, 995, 1200, 100_000])
def test_any_depth_is_read_or_refused(depth: int) -> None:
    said = '{"messages": [{"role": "assistant", "content": "a"'
    call = said + ', "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "f", "input": '
    tool = said + '}], "tools": [{"function": {"name": "f", "parameters": {"x": '
    for body in (nest(call, depth, "}}]}]}"), nest(tool, depth, "}}}]}")):
        with suppress(BadRequest):
            write_chat(read_chat(body))
    assert write_chat(read_chat(nest(call, 9, "}}]}]}")))
    assert write_chat(read_chat(nest(tool, 9, "}}}]}")))
