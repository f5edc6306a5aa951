"""Estimates are close to what a tokenizer says, and nothing is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects import read
from llmstack.dialects.estimate import json_size, text_size, tokens
from tests.dialects.recorded import RECORDED, Recorded, wire

COUNTED = [request for request in RECORDED if request.message_tokens is not None]


def estimate(*messages: Any, **more: Any) -> int:
    body = wire({"messages": list(messages), **more})
    return read("/v1/chat/completions", body).tokens


def test_all_counted_requests_are_here() -> None:
    assert len(COUNTED) == 16


@pytest.mark.parametrize("request_", COUNTED, ids=lambda request: request.name)
def test_recorded_requests_are_estimated_within_a_sixth(request_: Recorded) -> None:
    seen = read(request_.path, request_.wire)
    assert request_.message_tokens is not None
    assert request_.tool_tokens is not None
    assert seen.tool_tokens == pytest.approx(request_.tool_tokens, rel=0.15)
    assert seen.tokens - seen.tool_tokens == pytest.approx(request_.message_tokens, rel=0.15)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a", 1),
        ("a" * 4000, 1000),
        ("漢" * 4000, 4000),
        ("カナ" * 1000, 2000),
        ("한글" * 1000, 2000),
        ("\uff21\uff22" * 1000, 2000),
        ("𠮷" * 1000, 1000),
        ("🙂" * 1000, 1000),
        ("é" * 4000, 2000),
        ("Ж" * 4000, 2000),
        ("─" * 4000, 3000),
        ("हि" * 1000, 1500),
        ("a" * 400 + "漢" * 100 + "é" * 100, 250),
    ],
)
def test_scripts_weigh_what_they_cost(text: str, count: int) -> None:
    assert tokens(text_size(text)) == count


def test_forty_thousand_cjk_characters_are_forty_thousand_tokens() -> None:
    """W16: they counted as 10 000."""
    assert estimate({"role": "user", "content": "漢" * 40_000}) == 40_004


@settings(deadline=None)
@given(st.text())
def test_text_weighs_between_a_quarter_and_a_whole_token_a_character(text: str) -> None:
    assert len(text) <= text_size(text) <= 4 * len(text)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_text_sizes_add_up(one: str, other: str) -> None:
    assert text_size(one + other) == text_size(one) + text_size(other)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), st.booleans())
def test_an_escaped_text_weighs_the_same_as_the_text(text: str, ascii_only: bool) -> None:
    raw = json.dumps(text, ensure_ascii=ascii_only).encode()
    assert json_size(raw) == text_size(text) + 2


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [{"function": {"arguments": "x" * 400_000}}]},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "x" * 400_000}},
        {"role": "tool", "content": "x" * 400_000},
        {"role": "user", "content": [{"type": "tool_result", "content": "x" * 400_000}]},
        {"role": "assistant", "content": [{"type": "tool_use", "input": {"a": "x" * 400_000}}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "x" * 400_000}]},
        {"role": "assistant", "reasoning_content": "x" * 400_000},
        {"role": "user", "content": [{"type": "new_kind", "payload": "x" * 400_000}]},
        {"type": "function_call", "arguments": "x" * 400_000},
        {"type": "function_call_output", "output": "x" * 400_000},
        {
            "role": "user",
            "content": [{"type": "document", "source": {"type": "text", "data": "x" * 400_000}}],
        },
    ],
)
def test_everything_in_a_message_counts(message: dict[str, Any]) -> None:
    """W16: 400 000 characters of arguments counted as one token."""
    assert 100_000 <= estimate(message) <= 100_050


def test_a_file_counts_flat() -> None:
    part = {"type": "file", "file": {"file_data": "A" * 400_000}}
    assert 1000 <= estimate({"role": "user", "content": [part]}) <= 1010


def test_tool_definitions_count_by_themselves_and_in_the_whole() -> None:
    """W16: they counted nothing."""
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 4000}}]
    body = wire({"messages": [{"role": "user", "content": "hi"}], "tools": tools})
    seen = read("/v1/chat/completions", body)
    assert 1000 <= seen.tool_tokens <= 1020
    assert seen.tokens - seen.tool_tokens <= 6


def test_python_clients_ascii_escapes_do_not_inflate_the_estimate() -> None:
    body = {"messages": [{"role": "user", "content": "漢字" * 500}], "tools": [{"d": "漢字" * 500}]}
    plain = read("/v1/chat/completions", wire(body))
    escaped = read("/v1/chat/completions", json.dumps(body).encode())
    assert abs(plain.tokens - escaped.tokens) <= 2
