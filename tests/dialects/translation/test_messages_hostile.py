"""Whatever bytes arrive, a request of Anthropic's API is read or refused with BadRequest."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.messages_request import read_messages
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Conversation

#: A body with every member that is read, each well formed.
BLOCKS: list[Any] = [
    {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "5m"}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "YQ=="}},
    {"type": "image", "source": {"type": "url", "url": "https://x"}},
    {"type": "document", "title": "t", "source": {"type": "text", "data": "a"}},
    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": ""}]}},
    {"type": "search_result", "title": "t", "source": "s", "content": []},
    {"type": "tool_result", "tool_use_id": "1", "content": "x", "is_error": True},
]
DID: list[Any] = [
    {"type": "thinking", "thinking": "a", "signature": "b"},
    {"type": "redacted_thinking", "data": "a"},
    {"type": "tool_use", "id": "1", "name": "look", "input": {"a": 1}},
    {"type": "server_tool_use", "id": "1"},
]
BODY: dict[str, Any] = {
    "model": "auto",
    "max_tokens": 9,
    "stream": True,
    "system": [{"type": "text", "text": "a"}],
    "messages": [
        {"role": "user", "content": BLOCKS},
        {"role": "assistant", "content": DID},
        {"role": "system", "content": "s"},
    ],
    "tools": [
        {"name": "look", "description": "d", "input_schema": {}, "strict": True},
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}},
    "output_format": {"type": "json_schema", "schema": {}},
    "temperature": 1,
    "top_p": 1,
    "top_k": 1,
    "stop_sequences": ["a"],
    "metadata": {"user_id": "u"},
    "cache_control": {"type": "ephemeral"},
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["\ud800", "user", "assistant", "tool_use", "text", "base64", "a\r\nb"]),
    st.just([]),
    st.just({}),
    st.just([[{}]]),
    st.dictionaries(st.sampled_from(["type", "text", "content", "x\r\n"]), st.text(max_size=2)),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in ``value`` something stands."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    return [path, *(place for key, inner in pairs for place in places(inner, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """``value`` with ``odd`` at ``path``."""
    if not path:
        return odd
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], odd)
    return copy


def read(body: bytes) -> Conversation | None:
    """The conversation, or None for one that is refused."""
    with suppress(BadRequest):
        return read_messages(body)
    return None


def test_the_body_that_is_made_odd_is_fine() -> None:
    assert read(json.dumps(BODY).encode()) is not None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(places(BODY)), ODD), min_size=1, max_size=3))
def test_anything_may_stand_anywhere(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    body: Any = BODY
    for path, odd in changes:
        with suppress(LookupError, TypeError, AttributeError):
            body = put(body, path, odd)
    seen = read(json.dumps(body).encode("utf-8", "surrogatepass"))
    if seen is not None:
        assert seen.turns
        assert all(turn.blocks for turn in seen.turns)
        assert all(name.isprintable() and name.isascii() for name in seen.dropped)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(), st.binary().map(lambda junk: b'{"messages":' + junk)))
def test_any_bytes(body: bytes) -> None:
    read(body)


@pytest.mark.parametrize("depth", [10, 400, 900, 990, 2000])
def test_any_depth(depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    call = f'{{"type":"tool_use","id":"1","name":"x","input":{deep}}}'
    read(f'{{"messages":[{{"role":"assistant","content":[{call}]}}]}}'.encode())
    result = '{"type":"tool_result","tool_use_id":"1","content":['
    nested = result * depth + "]}" * depth
    read(f'{{"messages":[{{"role":"user","content":[{nested}]}}]}}'.encode())
