"""A request of eight times the size costs about eight times as much, not sixty-four times."""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.dialects.translation.chat_body import lost_in_chat, write_chat
from llmstack.dialects.translation.chat_request import read_chat
from llmstack.dialects.translation.conversation import Sampling
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.dialects.translation.converse_undelivered import undelivered
from llmstack.dialects.translation.messages_request import read_messages
from llmstack.dialects.translation.responses_request import read_responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.dialects.translation.conversation import Conversation

    Read = Callable[[bytes], Conversation]

HI: Any = {"role": "user", "content": "x"}
CALL: Any = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
RESULT: Any = {"role": "tool", "tool_call_id": "1", "content": "x"}
MARKED: Any = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
PDF: Any = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="}


def calls(count: int) -> Any:
    return {"messages": [{"role": "assistant", "tool_calls": [CALL] * count}, *[RESULT] * count]}


def instructions(count: int) -> Any:
    begun = [HI, {"role": "assistant", "tool_calls": [CALL]}]
    return {"messages": [*begun, *[{"role": "system", "content": "x"}, RESULT] * count]}


def marks(count: int) -> Any:
    return {"messages": [{"role": "user", "content": [MARKED] * count}]}


def files(count: int) -> Any:
    return {"messages": [{"role": "user", "content": [{"type": "file", "file": PDF}] * count}]}


def anthropic_calls(count: int) -> Any:
    use = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    return {"messages": [{"role": "assistant", "content": [use]}] * count}


def items(count: int) -> Any:
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "1", "output": "x"}
    return {"input": [call] * count + [result] * count}


def choice(count: int) -> Any:
    tools = [{"type": "function", "name": f"f{n}"} for n in range(count)]
    return {"input": "x", "tools": tools, "tool_choice": {"type": "allowed_tools", "tools": tools}}


def seconds(read: Read, body: bytes) -> float:
    gc.disable()  # its cost is that of all else that the tests have left in memory
    began = time.process_time()
    try:
        said = read(body)
        write_chat(said)
        lost_in_chat(said)
        undelivered(said, write_converse(said, "anthropic.claude-sonnet-4-5", Sampling()))
        return time.process_time() - began
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("read", "make"),
    [
        (read_chat, calls),
        (read_chat, instructions),
        (read_chat, marks),
        (read_chat, files),
        (read_messages, anthropic_calls),
        (read_responses, items),
        (read_responses, choice),
    ],
)
def test_the_cost_grows_as_the_request_does(read: Read, make: Callable[[int], Any]) -> None:
    """CPU time and the fastest run, so that other load on the machine counts little."""
    small, large = (json.dumps(make(count)).encode() for count in (1500, 12_000))
    once = min(seconds(read, small) for _ in range(3))
    assert min(seconds(read, large) for _ in range(2)) < 24 * once
