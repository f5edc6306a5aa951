"""Instructions amid a conversation keep their place, whichever API they come by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.dialects.translation.chat_request import read_chat
from llmstack.dialects.translation.conversation import Text, ToolResult, ToolUse
from llmstack.dialects.translation.messages_request import read_messages
from llmstack.dialects.translation.responses_request import read_responses
from llmstack.dialects.translation.spoken import MARKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects.translation.conversation import Conversation

    Ask = Callable[..., Conversation]

LATE = Text("x".join(MARKS))


def chat(*messages: dict[str, Any]) -> Conversation:
    return read_chat(json.dumps({"messages": messages}).encode())


def anthropic(*messages: dict[str, Any]) -> Conversation:
    return read_messages(json.dumps({"messages": messages}).encode())


def responses(*messages: dict[str, Any]) -> Conversation:
    return read_responses(json.dumps({"input": messages}).encode())


def say(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (chat, "messages.system.role"),
        (anthropic, "messages.system.role"),
        (responses, "input.system.role"),
    ],
)
def test_the_first_are_the_system_prompt_and_a_later_one_keeps_its_place(
    ask: Ask, name: str
) -> None:
    """The prompt's beginning stays as it was, so that what a cache holds of it still counts."""
    before = ask(say("system", "s"), say("user", "a"))
    told = ask(say("system", "s"), say("user", "a"), say("system", "x"), say("assistant", "b"))
    assert before.system == told.system == (Text("s"),)
    assert told.turns[: len(before.turns)] == before.turns
    assert [turn.blocks for turn in told.turns] == [(Text("a"),), (LATE,), (Text("b"),)]
    assert [turn.role for turn in told.turns] == ["user", "user", "assistant"]
    assert (before.dropped, told.dropped) == ((), (name,))


@pytest.mark.parametrize("ask", [chat, responses])
def test_a_developer_s_message_is_a_system_message(ask: Ask) -> None:
    told = ask(say("developer", "s"), say("user", "a"), say("developer", "x"))
    assert told.system == (Text("s"),)
    assert [turn.blocks for turn in told.turns] == [(Text("a"),), (LATE,)]


def chat_round(late: dict[str, Any]) -> Conversation:
    call = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    calls = {"role": "assistant", "tool_calls": [call, {**call, "id": "2"}]}
    results = [{"role": "tool", "tool_call_id": one, "content": one} for one in ("1", "2")]
    return chat(say("user", "a"), calls, late, results[0], late, results[1], say("user", "b"))


def anthropic_round(late: dict[str, Any]) -> Conversation:
    calls = [{"type": "tool_use", "id": one, "name": "f", "input": {}} for one in ("1", "2")]
    results = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": one, "content": one}]}
        for one in ("1", "2")
    ]
    said = {"role": "assistant", "content": calls}
    return anthropic(say("user", "a"), said, late, results[0], late, results[1], say("user", "b"))


def responses_round(late: dict[str, Any]) -> Conversation:
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "1", "output": "1"}
    last = {**result, "call_id": "2", "output": "2"}
    second = {**call, "call_id": "2"}
    return responses(say("user", "a"), call, second, late, result, late, last, say("user", "b"))


@pytest.mark.parametrize("ask", [chat_round, anthropic_round, responses_round])
def test_nothing_comes_between_calls_and_their_results(ask: Ask) -> None:
    """OpenAI and others refuse a call that the next messages do not answer."""
    calls = (ToolUse("1", "f", "{}"), ToolUse("2", "f", "{}"))
    results = (ToolResult("1", (Text("1"),)), ToolResult("2", (Text("2"),)))
    told = ask(say("system", "x")).turns
    wanted = [(Text("a"),), calls, results, (LATE, LATE), (Text("b"),)]
    assert [turn.blocks for turn in told] == wanted


def test_a_result_with_words_beside_it_comes_first_too() -> None:
    use = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": "1"}
    told = anthropic(
        {"role": "assistant", "content": [use]},
        say("system", "x"),
        {"role": "user", "content": [result, {"type": "text", "text": "b"}]},
    )
    assert [type(turn.blocks[0]) for turn in told.turns] == [ToolUse, ToolResult, Text]


def test_a_late_message_that_ends_the_request_is_said() -> None:
    """Claude Code ends requests in one, after the results of its tools."""
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "1", "output": "1"}
    told = responses(call, result, say("system", "x"))
    assert told.turns[-1].blocks == (LATE,)


@pytest.mark.parametrize("ask", [chat, anthropic, responses])
def test_an_empty_one_says_nothing(ask: Ask) -> None:
    told = ask(say("user", "a"), say("system", ""))
    assert (len(told.turns), told.dropped) == (1, ())
