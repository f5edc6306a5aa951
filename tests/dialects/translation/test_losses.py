"""docs/translation.md names what is left out and what is refused: all of it, and nothing else."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.chat_body import ChatUpstream, lost_in_chat
from llmstack.dialects.translation.chat_request import read_chat
from llmstack.dialects.translation.completions_request import read_completions
from llmstack.dialects.translation.conversation import (
    CacheMark,
    Conversation,
    Image,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    Turn,
)
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.dialects.translation.converse_undelivered import undelivered
from llmstack.dialects.translation.messages_request import read_messages
from llmstack.dialects.translation.responses_request import read_responses
from llmstack.errors import BadRequest

from .conversations import PNG, conversations, models

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[3] / "docs" / "translation.md").read_text()

HI: Any = {"role": "user", "content": "hi"}
LATE: Any = [HI, {"role": "system", "content": "x"}]
FUNCTION: Any = {"name": "f"}
CALL: Any = {"id": "1", "function": {"name": "f", "arguments": ""}, "extra_content": 1}


def holds(*parts: Any, role: str = "user") -> list[Any]:
    return [{"role": role, "content": list(parts)}]


CHAT: dict[str, Any] = {
    **{
        name: {name: value}
        for name, value in {
            "logprobs": True,
            "top_logprobs": 2,
            "logit_bias": {"1": 2},
            "store": True,
            "metadata": {"a": "b"},
            "service_tier": "flex",
            "modalities": ["audio"],
            "audio": {"voice": "x"},
            "prediction": {"type": "content"},
            "verbosity": "low",
            "prompt_cache_key": "k",
            "web_search_options": {"a": 1},
            "chat_template_kwargs": {"a": 1},
            "repetition_penalty": 1.1,
        }.items()
    },
    "stream_options.MEMBER": {"stream_options": {"include_obfuscation": True}},
    "messages.name": {"messages": [{**HI, "name": "x"}]},
    "messages.content.TYPE": {"messages": [HI, *holds({"type": "input_audio"})]},
    "messages.cache_control": {"messages": [HI, {"role": "user", "cache_control": {"ttl": "1h"}}]},
    "messages.tool_calls.MEMBER": {"messages": [{"role": "assistant", "tool_calls": [CALL]}]},
    "messages.system.role": {"messages": LATE},
    "tools.TYPE": {"tools": [{"type": "custom", "custom": FUNCTION}]},
    "tools.function.MEMBER": {"tools": [{"function": {**FUNCTION, "odd": 1}}]},
    "tool_choice.allowed_tools": {
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}
    },
}
COMPLETIONS: dict[str, Any] = {"echo": {"echo": True}, "logprobs": {"logprobs": 3}}
SERVER_TOOL: Any = {"type": "web_search_20250305", "name": "w"}
MESSAGES: dict[str, Any] = {
    "container": {"container": "c"},
    "context_management": {"context_management": {"edits": []}},
    "mcp_servers": {"mcp_servers": [{}]},
    "service_tier": {"service_tier": "standard_only"},
    "thinking.display": {"thinking": {"type": "adaptive", "display": "omitted"}},
    "thinking.between_tools": {"thinking": {"type": "between_tools"}},
    "output_config.effort": {
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "low"},
    },
    "metadata.MEMBER": {"metadata": {"odd": 1}},
    "system.citations": {"system": [{"type": "text", "text": "x", "citations": [1]}]},
    "messages.content.citations": {
        "messages": holds({"type": "text", "text": "x", "citations": [1]})
    },
    "messages.content.context": {
        "messages": holds(
            {"type": "document", "context": "x", "source": {"type": "text", "data": "x"}}
        )
    },
    "messages.content.TYPE": {
        "messages": [HI, *holds({"type": "server_tool_use"}, role="assistant")]
    },
    "messages.content.source.file": {
        "messages": [HI, *holds({"type": "image", "source": {"type": "file", "file_id": "f"}})]
    },
    "messages.system.role": {"messages": LATE},
    "tools.TYPE": {"tools": [SERVER_TOOL]},
    "tools.MEMBER": {"tools": [{"name": "f", "defer_loading": True}]},
    "tool_choice": {"tools": [SERVER_TOOL], "tool_choice": {"type": "tool", "name": "w"}},
}
RESPONSES: dict[str, Any] = {
    **{
        name: {name: value}
        for name, value in {
            "store": True,
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "client_metadata": {"a": "b"},
            "service_tier": "flex",
            "truncation": "auto",
            "top_logprobs": 2,
            "max_tool_calls": 3,
        }.items()
    },
    "text.verbosity": {"text": {"verbosity": "low"}},
    "text.format.description": {
        "text": {"format": {"type": "json_schema", "schema": {}, "description": "x"}}
    },
    "include.NAME": {"include": ["message.output_text.logprobs"]},
    "input.TYPE": {"input": [HI, {"type": "web_search_call"}]},
    "input.system.role": {"input": LATE},
    "tools.TYPE": {"tools": [{"type": "web_search"}]},
    "tool_choice.TYPE": {"tool_choice": {"type": "web_search"}},
    "tool_choice": {"tool_choice": "required"},
}
READERS: dict[str, tuple[Callable[[bytes], Conversation], dict[str, Any], dict[str, Any]]] = {
    "From chat completions": (read_chat, {"messages": [HI]}, CHAT),
    "From completions": (read_completions, {"prompt": "hi"}, COMPLETIONS),
    "From Anthropic's messages": (read_messages, {"messages": [HI]}, MESSAGES),
    "From responses": (read_responses, {"input": "hi"}, RESPONSES),
}
PICTURE: Any = {"type": "input_image", "file_id": "f"}
REFUSED: dict[str, dict[str, Any]] = {
    "From chat completions": {
        "n": {"n": 2},
        "messages.content.file.file_data": {
            "messages": holds({"type": "file", "file": {"file_id": "f"}})
        },
        "messages.content.image_url.url": {
            "messages": holds({"type": "image_url", "image_url": {"url": "file:///x"}})
        },
    },
    "From completions": {
        "suffix": {"suffix": "x"},
        "prompt": {"prompt": [1]},
        "n": {"n": 2},
        "best_of": {"best_of": 2},
    },
    "From Anthropic's messages": {
        "messages[0].content[0]": {"messages": holds({"type": "tool_use"})},
        "messages[0].content[0].source.url": {
            "messages": holds({"type": "image", "source": {"type": "url", "url": "s3://x"}})
        },
    },
    "From responses": {
        "previous_response_id": {"previous_response_id": "r"},
        "conversation": {"conversation": "c"},
        "prompt": {"prompt": {"id": "p"}},
        "background": {"background": True},
        "input[0].item_reference": {"input": [{"type": "item_reference", "id": "i"}]},
        "input[0].content[0].file_id": {"input": holds(PICTURE)},
    },
}
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-2-lite-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
STORED = "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:2"
TURNS = (Turn("user", (Text("hi"),)),)
MARKED = (Turn("user", (Text("hi", CacheMark()),)),)
TOOLS = (Tool("f", strict=True),)
TO_CHAT: dict[str, dict[str, Any]] = {
    "tool_result.error": {"turns": (Turn("user", (ToolResult("1", (), error=True),)),)},
    "cache_control": {"turns": MARKED},
    "thinking": {"thinking_budget": 9},
    "reasoning_effort": {"effort": "max"},
    "tool_choice": {"tool_choice": ToolChoice("auto")},
    "parallel_tool_calls": {"parallel_calls": True},
}
TO_CONVERSE: dict[str, tuple[str, dict[str, Any]]] = {
    "temperature": (LLAMA, {"sampling": Sampling(temperature=2)}),
    "top_p": ("anthropic.claude-opus-4-7", {"sampling": Sampling(top_p=0.5)}),
    "top_k": (LLAMA, {"sampling": Sampling(top_k=5)}),
    "min_p": (SONNET, {"sampling": Sampling(min_p=0.1)}),
    "presence_penalty": (SONNET, {"sampling": Sampling(presence_penalty=1)}),
    "frequency_penalty": (SONNET, {"sampling": Sampling(frequency_penalty=1)}),
    "seed": (SONNET, {"sampling": Sampling(seed=1)}),
    "max_tokens": (NOVA, {"sampling": Sampling(max_output=9), "effort": "high"}),
    "stop": (SONNET, {"sampling": Sampling(stop=("\n",))}),
    "user": (SONNET, {"user": "u"}),
    "image_url.detail": (
        SONNET,
        {"turns": (Turn("user", (Image("image/png", PNG, detail="low"),)),)},
    ),
    "cache_control": (LLAMA, {"turns": MARKED}),
    "strict": (LLAMA, {"tools": TOOLS}),
    "parallel_tool_calls": (LLAMA, {"tools": (Tool("f"),), "parallel_calls": False}),
    "tool_choice": (SONNET, {"tools": TOOLS, "tool_choice": ToolChoice("named", "g")}),
    "reasoning_effort": (LLAMA, {"effort": "high"}),
    "thinking": (LLAMA, {"thinking_budget": 2048}),
    "tools": (STORED, {"tools": (Tool("f"),)}),
    "system": (STORED, {"system": (Text("x"),)}),
}


def rows(section: str, table: str) -> list[str]:
    """The first cells of the table that begins with ``table`` under the heading ``section``."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    if f"| {table} |" not in text:
        return []
    lines = text.split(f"| {table} |")[1].split("\n\n")[0]
    return re.findall(r"^\| `([^`]+)` \|", lines, re.MULTILINE)


def names(row: str, dropped: str) -> bool:
    """Whether ``dropped`` is what ``row`` stands for. Words in capitals stand for any name."""
    pattern = re.sub(r"\\?\.(TYPE|MEMBER|NAME)$", r"[.][A-Za-z0-9_.]+", re.escape(row))
    return re.fullmatch(pattern, dropped) is not None


def test_every_row_has_its_proof_and_every_proof_its_row() -> None:
    for section, (_, _, cases) in READERS.items():
        assert rows(section, "left out") == list(cases)
        assert rows(section, "refused") == list(REFUSED[section])
    assert rows("To an upstream of chat completions", "left out") == list(TO_CHAT)
    assert rows("To Bedrock's Converse", "left out") == list(TO_CONVERSE)


@pytest.mark.parametrize(
    ("section", "row"), [(name, row) for name, (_, _, cases) in READERS.items() for row in cases]
)
def test_what_is_said_to_be_left_out_is_named(section: str, row: str) -> None:
    read, plain, cases = READERS[section]
    assert read(json.dumps(plain).encode()).dropped == ()
    dropped = read(json.dumps({**plain, **cases[row]}).encode()).dropped
    others = {"tool_choice": {"tools.web_search_20250305"}}.get(row, set())
    assert [name for name in dropped if name not in others] != []
    assert all(names(row, name) for name in dropped if name not in others)


@pytest.mark.parametrize(
    ("section", "row"), [(name, row) for name, cases in REFUSED.items() for row in cases]
)
def test_what_is_said_to_be_refused_is(section: str, row: str) -> None:
    read, plain, _ = READERS[section]
    with pytest.raises(BadRequest) as refused:
        read(json.dumps({**plain, **REFUSED[section][row]}).encode())
    assert row.rpartition(".")[2].split("[")[0] in str(refused.value)
    assert refused.value.fix


@pytest.mark.parametrize("row", TO_CHAT)
def test_what_chat_is_not_told_is_named(row: str) -> None:
    said = Conversation("m", **{"turns": TURNS, **TO_CHAT[row]})
    assert lost_in_chat(said, ChatUpstream(cache_marks=False)) == (row,)


@pytest.mark.parametrize("row", TO_CONVERSE)
def test_what_bedrock_is_not_told_is_named(row: str) -> None:
    model_id, members = TO_CONVERSE[row]
    said = Conversation("m", **{"turns": TURNS, **members})
    assert undelivered(said, write_converse(said, model_id, Sampling())) == (row,)


@settings(max_examples=150, deadline=None)
@given(conversations, models, st.booleans())
def test_whatever_a_writer_names_has_a_row(said: Conversation, model: str, marks: bool) -> None:
    assert set(lost_in_chat(said, ChatUpstream(cache_marks=marks))) <= TO_CHAT.keys()
    with suppress(BadRequest):
        body = write_converse(said, model, Sampling())
        assert set(undelivered(said, body)) <= TO_CONVERSE.keys()
