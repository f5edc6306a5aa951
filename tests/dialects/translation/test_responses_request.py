"""Requests of the Responses API: what is kept, what is named as dropped, what is refused."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.conversation import (
    AnswerFormat,
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
from llmstack.dialects.translation.responses_request import read_responses
from llmstack.errors import BadRequest

PNG = b"\x89PNG\r\n\x1a\nrest"
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


def read(**members: Any) -> Conversation:
    """What a request for model "m" with ``members`` says."""
    return read_responses(json.dumps({"model": "m", "input": "hi", **members}).encode())


def function(name: str, **members: Any) -> dict[str, Any]:
    """A function tool."""
    return {"type": "function", "name": name, **members}


def test_a_string_is_a_user_s_message() -> None:
    wanted = Conversation("m", (Turn("user", (Text("hi"),)),), include_usage=True)
    assert read() == wanted


def test_a_coding_agent_s_round_of_tools_is_two_turns() -> None:
    """Thoughts, words and calls of the assistant are one turn; so are the results."""
    told = read(
        instructions="Be brief.",
        input=[
            {"type": "message", "role": "developer", "content": "No network."},
            {"role": "user", "content": [{"type": "input_text", "text": "List files"}]},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "I need ls."}],
                "encrypted_content": "gAAA",
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Looking.", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "sh", "arguments": '{"c":"ls"}'},
            {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** x\n"},
            {"type": "function_call_output", "call_id": "c1", "output": "a.py"},
            {
                "type": "custom_tool_call_output",
                "call_id": "c2",
                "output": [{"type": "input_image", "image_url": PNG_URL, "detail": "low"}],
            },
            {"role": "user", "content": "Thanks"},
        ],
    )
    assert told.system == (Text("Be brief."), Text("No network."))
    assert told.turns == (
        Turn("user", (Text("List files"),)),
        Turn(
            "assistant",
            (
                Thinking("I need ls.", redacted="gAAA"),
                Text("Looking."),
                ToolUse("c1", "sh", '{"c":"ls"}'),
                ToolUse("c2", "patch", '{"input":"*** x\\n"}'),
            ),
        ),
        Turn(
            "user",
            (
                ToolResult("c1", (Text("a.py"),)),
                ToolResult("c2", (Image("image/png", PNG, detail="low"),)),
            ),
        ),
        Turn("user", (Text("Thanks"),)),
    )
    assert told.dropped == ()


def test_codex_s_second_request() -> None:
    """As Codex 0.169 sends back what it was answered: with ids, nulls and metadata."""
    thought = {"type": "summary_text", "text": "Look first"}
    told = read(
        input=[
            {"type": "message", "id": "m", "role": "user", "content": "do it"},
            {
                "type": "reasoning",
                "id": "rs_0_0",
                "summary": [thought],
                "content": None,
                "encrypted_content": "llmstack.signature.SIG",
            },
            {
                "type": "function_call",
                "status": "completed",
                "id": "fc_0_2",
                "name": "close_agent",
                "namespace": "multi_agent_v1",
                "arguments": '{"target": "a"}',
                "call_id": "c1",
            },
            {"type": "function_call_output", "id": "fco_0", "call_id": "c1", "output": "closed"},
        ],
        reasoning={"summary": "auto"},
        include=["reasoning.encrypted_content"],
        store=False,
        prompt_cache_key="k",
        client_metadata={"x": "y"},
    )
    assert told.turns[1:] == (
        Turn(
            "assistant",
            (
                Thinking("Look first", signature="SIG"),
                ToolUse("c1", "multi_agent_v1__close_agent", '{"target": "a"}'),
            ),
        ),
        Turn("user", (ToolResult("c1", (Text("closed"),)),)),
    )
    assert told.dropped == ("prompt_cache_key", "client_metadata")


def test_pictures_and_files_come_as_bytes_or_addresses() -> None:
    file = {"type": "input_file", "filename": "a.pdf"}
    told = read(
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "https://example.org/a.png"},
                    {**file, "file_data": "data:application/pdf;base64,JVBERg=="},
                    {**file, "file_data": "JVBERg=="},
                    {**file, "file_url": "https://example.org/a.pdf"},
                ],
            }
        ]
    )
    assert told.turns[0].blocks == (
        Image(url="https://example.org/a.png"),
        Document("application/pdf", b"%PDF", name="a.pdf"),
        Document("", b"%PDF", name="a.pdf"),
        Document(url="https://example.org/a.pdf", name="a.pdf"),
    )


def test_tools_of_all_kinds() -> None:
    """Freeform tools take their text as a member; namespaces become part of names."""
    schema = {"type": "object", "properties": {"c": {"type": "string"}}}
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
    told = read(
        tools=[
            function("sh", description="Runs", parameters=schema, strict=False),
            {"type": "custom", "name": "patch", "description": "Edits", "format": grammar},
            {"type": "namespace", "name": "crm", "tools": [function("find")]},
            {"type": "web_search"},
            {"type": "web_search"},
        ],
        tool_choice={"type": "function", "name": "find", "namespace": "crm"},
        parallel_tool_calls=False,
    )
    shell, patch, find = told.tools
    assert shell == Tool("sh", "Runs", schema, strict=False)
    assert patch.freeform
    assert patch.schema["required"] == ["input"]
    assert patch.description == "Edits\n\nThe input must follow this lark grammar:\nstart: A"
    assert find == Tool("crm__find", namespace="crm")
    assert told.tool_choice == ToolChoice("named", "crm__find")
    assert told.parallel_calls is False
    assert told.dropped == ("tools.web_search",)


def test_a_namespaced_call_names_the_tool_as_the_tools_do() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "find", "arguments": "{}"}
    told = read(input=[{**call, "namespace": "crm"}])
    assert told.turns[0].blocks == (ToolUse("c", "crm__find", "{}"),)


def test_allowed_tools_are_those_that_are_left() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [function("b")]}
    told = read(tools=[function("a"), function("b")], tool_choice=allowed)
    assert told.tools == (Tool("b"),)
    assert told.tool_choice == ToolChoice("required")


@pytest.mark.parametrize(
    ("choice", "dropped"),
    [("auto", ("tools.web_search",)), ("required", ("tools.web_search", "tool_choice"))],
)
def test_without_tools_there_is_no_choice(choice: str, dropped: tuple[str, ...]) -> None:
    """OpenAI and others refuse a choice without tools."""
    told = read(tools=[{"type": "web_search"}], tool_choice=choice)
    assert (told.tools, told.tool_choice, told.dropped) == ((), None, dropped)


def test_how_the_answer_shall_be() -> None:
    schema = {"type": "object"}
    told = read(
        temperature=0.5,
        top_p=1,
        max_output_tokens=9,
        reasoning={"effort": "high", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
        stream=True,
        user="u",
    )
    assert told.sampling == Sampling(temperature=0.5, top_p=1.0, max_output=9)
    assert told.effort == "high"
    assert told.format == AnswerFormat(schema, "n", strict=True)
    assert (told.stream, told.user) == (True, "u")
    assert told.dropped == ()


def test_what_is_dropped_is_named() -> None:
    told = read(
        input=[{"type": "web_search_call", "id": "w"}, {"role": "user", "content": "x"}],
        store=True,
        truncation="auto",
        service_tier="flex",
        text={"verbosity": "low"},
        include=["reasoning.encrypted_content", "file_search_call.results"],
        tool_choice={"type": "file_search"},
        **{"x\r\ny": 1},
    )
    assert set(told.dropped) == {
        "input.web_search_call",
        "store",
        "truncation",
        "service_tier",
        "text.verbosity",
        "include.file_search_call.results",
        "tool_choice.file_search",
        "other",
    }


def test_what_says_nothing_is_not_named() -> None:
    assert read(store=False, truncation="disabled", metadata={}, service_tier="auto").dropped == ()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"previous_response_id": "resp_1"}, "keeps no state"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "keeps no state"),
        ({"background": True}, "keeps no state"),
        ({"input": None}, '"input" is missing'),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "content[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "keeps no files",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "?"}]}]},
            "base64",
        ),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "call_id"),
        ({"tool_choice": {"type": "function", "name": "absent"}}, 'one of "tools"'),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"max_output_tokens": 0}, "at least 1"),
        ({"temperature": True}, "temperature"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_remedy(members: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**members)
    assert said in str(refused.value)
    assert refused.value.fix


_NAMES = st.sampled_from(
    [
        *("type", "role", "content", "text", "input", "instructions", "tools", "tool_choice"),
        *("name", "arguments", "call_id", "output", "summary", "encrypted_content", "format"),
        *("schema", "image_url", "file_data", "parameters", "reasoning", "effort", "include"),
        *("namespace", "mode"),
    ]
)
_WORDS = st.sampled_from(
    [
        *("message", "user", "assistant", "developer", "function", "function_call", "custom"),
        *("custom_tool_call", "reasoning", "function_call_output", "input_text", "input_image"),
        *("input_file", "allowed_tools", "namespace", "grammar", "json_schema", "auto"),
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8)
    | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_NAMES | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_NAMES, _JSON, max_size=8))
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(BadRequest):
        assert isinstance(read_responses(json.dumps(body).encode()), Conversation)


_ITEM = st.fixed_dictionaries(
    {"type": _WORDS, "role": _WORDS},
    optional=dict.fromkeys(("content", "arguments", "call_id", "name", "output", "summary"), _JSON),
)
_PART = st.fixed_dictionaries(
    {"type": _WORDS},
    optional=dict.fromkeys(
        ("text", "image_url", "file_data", "file_url", "name", "parameters"), _JSON
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_ITEM, max_size=3), st.lists(_PART, max_size=3), _JSON)
def test_any_item_part_and_tool_is_read_or_refused(items: Any, parts: Any, odd: Any) -> None:
    body = {
        "input": [*items, {"role": "user", "content": parts}],
        "tools": parts,
        "tool_choice": odd,
        "text": {"format": odd},
    }
    with suppress(BadRequest):
        assert isinstance(read_responses(json.dumps(body).encode()), Conversation)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"input":' + b"[" * 9999, b"\xff", b"null"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_responses(body)
