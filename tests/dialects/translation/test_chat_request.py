"""Bodies of chat completions are read whole, or refused with what to write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmstack.dialects.translation.chat_request import read_chat
from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    CacheMark,
    Conversation,
    Document,
    Image,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from llmstack.errors import BadRequest

PIXEL = "data:image/png;base64,iVBORw0="


def ask(*messages: dict[str, Any], **members: Any) -> Conversation:
    told = messages or ({"role": "user", "content": "hi"},)
    return read_chat(json.dumps({"model": "m", "messages": told, **members}).encode())


def user(*parts: Any) -> Conversation:
    return ask({"role": "user", "content": list(parts)})


def test_parts_keep_their_kind_order_and_marks() -> None:
    told = user(
        {"type": "text", "text": "look", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBERg=="}},
    )
    assert told.turns[0].blocks == (
        Text("look", CacheMark("1h")),
        Image("image/png", b"\x89PNG\r"[:5], detail="low"),
        Image(url="https://a.example/b.png"),
        Document("application/pdf", b"%PDF", name="a.pdf"),
    )


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "data:image/png;base64,!!", "data:image/png;base64,", "", "x"]
)
def test_a_picture_is_data_or_on_the_web(url: str) -> None:
    with pytest.raises(BadRequest, match="image_url"):
        user({"type": "image_url", "image_url": {"url": url}})


def test_what_has_no_counterpart_is_named() -> None:
    told = ask(
        {
            "role": "user",
            "name": "x",
            "content": [{"type": "input_audio", "input_audio": {}}, "hi"],
        },
        logprobs=True,
        store=False,
        seed=None,
        metadata={"a": 1},
        **{"a\nheader: x": 1},
    )
    assert told.dropped == (
        "messages.content.input_audio",
        "messages.name",
        "logprobs",
        "metadata",
        "other",
    )
    assert told.turns == (Turn("user", (Text("hi"),)),)


def test_a_round_of_calls_is_two_turns() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    told = ask(
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [{"id": "1", **call}, {"id": "2", **call}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "x"},
        {
            "role": "tool",
            "tool_call_id": "2",
            "content": [{"type": "text", "text": "y"}],
            "cache_control": {"type": "ephemeral"},
        },
    )
    assert told.turns[1:] == (
        Turn(
            "assistant",
            (Thinking("hm"), ToolUse("1", "f", '{"a": 1}'), ToolUse("2", "f", '{"a": 1}')),
        ),
        Turn(
            "user",
            (ToolResult("1", (Text("x"),)), ToolResult("2", (Text("y"),), cache=CacheMark())),
        ),
    )


def test_a_function_of_old_gets_an_id_that_its_result_shares() -> None:
    told = ask(
        {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "x"},
        functions=[{"name": "f", "parameters": {"type": "object", "properties": {}}}],
        function_call={"name": "f"},
    )
    (call,), (result,) = (turn.blocks for turn in told.turns)
    assert isinstance(call, ToolUse)
    assert isinstance(result, ToolResult)
    assert call.id == result.id
    assert told.tools == (Tool("f", schema={"type": "object", "properties": {}}),)
    assert told.tool_choice == ToolChoice("named", "f")


def test_signed_thoughts_keep_their_signatures() -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "e"},
    ]
    told = ask({"role": "assistant", "content": "a", "reasoning_details": details})
    assert told.turns[0].blocks == (Thinking("hm", "s"), Thinking(redacted="e"), Text("a"))


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("named", "f")),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required"}},
            ToolChoice("required"),
        ),
    ],
)
def test_every_tool_choice(choice: Any, told: ToolChoice) -> None:
    assert ask(tool_choice=choice).tool_choice == told


@pytest.mark.parametrize(
    ("members", "effort", "budget"),
    [
        ({"reasoning_effort": "low"}, "low", None),
        ({"reasoning": {"effort": "high"}}, "high", None),
        ({"reasoning": {"effort": "high", "max_tokens": 9}}, None, 9),
        ({"reasoning": {"enabled": False}}, "none", None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, 2048),
        ({"thinking": {"type": "disabled"}}, "none", None),
    ],
)
def test_every_way_to_say_how_hard_to_think(members: Any, effort: Any, budget: Any) -> None:
    told = ask(**members)
    assert (told.effort, told.thinking_budget) == (effort, budget)


def test_samplers_stops_and_limits() -> None:
    told = ask(temperature=0, top_k=4, stop="x", max_tokens=5, max_completion_tokens=7)
    assert told.sampling == Sampling(temperature=0, top_k=4, stop=("x",), max_output=7)
    assert ask(stop=["a", ""], max_tokens=-1).sampling == Sampling(stop=("a",))


def test_formats() -> None:
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    assert ask(response_format=wanted).format == AnswerFormat(schema, "n", strict=True)
    assert ask(response_format={"type": "json_object"}).format == AnswerFormat()
    assert ask(response_format={"type": "text"}).format is None


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"n": 2}, "n asks"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "x"}]}, "messages.role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.tool_call_id"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 10**400}, "seed"),
        ({"tools": [{"type": "function"}]}, "tools.function"),
        ({"tool_choice": {}}, "tool_choice"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
    ],
)
def test_a_refusal_names_the_member(members: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        ask(**members)
