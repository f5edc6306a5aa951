"""Requests of Anthropic's API keep all that has a counterpart, and name what has none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    CacheMark,
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
from llmstack.dialects.translation.messages_request import read_messages
from llmstack.errors import BadRequest
from tests.dialects.recorded import FOLDER

HELLO: dict[str, Any] = {"role": "user", "content": "hello"}
MARK = {"type": "ephemeral"}
PIXEL = b"\x89PNG pixel"
PIXEL_TEXT = base64.b64encode(PIXEL).decode()
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "x": 1}}


def read(**members: Any) -> Any:
    """What a body with one message and ``members`` means."""
    return read_messages(json.dumps({"model": "auto", "messages": [HELLO], **members}).encode())


def blocks(*content: dict[str, Any], role: str = "user") -> Any:
    """What one message with ``content`` holds."""
    return read(messages=[{"role": role, "content": list(content)}]).turns[0].blocks


def test_a_plain_request() -> None:
    read_back = read(max_tokens=9, stream=True, system="Be brief.", metadata={"user_id": "u1"})
    assert read_back.model == "auto"
    assert read_back.turns == (Turn("user", (Text("hello"),)),)
    assert read_back.system == (Text("Be brief."),)
    assert read_back.sampling == Sampling(max_output=9)
    assert (read_back.stream, read_back.include_usage, read_back.user) == (True, True, "u1")
    assert read_back.dropped == ()


def test_system_blocks_keep_their_cache_marks() -> None:
    seen = read(
        system=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"} | cached("1h")]
    )
    assert seen.system == (Text("a"), Text("b", CacheMark("1h")))


def cached(ttl: str = "") -> dict[str, Any]:
    return {"cache_control": MARK | ({"ttl": ttl} if ttl else {})}


def test_what_a_user_shows() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL_TEXT}
    assert blocks(
        {"type": "text", "text": "see", **cached()},
        {"type": "image", "source": source},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "document", "title": "T", "source": source | {"media_type": "application/pdf"}},
        {"type": "document", "source": {"type": "text", "data": "wörter"}},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
    ) == (
        Text("see", CacheMark()),
        Image("image/png", PIXEL),
        Image(url="https://x/y.png"),
        Document("application/pdf", PIXEL, name="T"),
        Document("text/plain", "wörter".encode()),
        Document(url="https://x/y.pdf"),
    )


def test_documents_and_finds_made_of_blocks_stand_in_their_place() -> None:
    inner = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert blocks(
        {"type": "document", "source": {"type": "content", "content": inner}, **cached()},
        {"type": "search_result", "title": "T", "source": "https://x", "content": inner[:1]},
    ) == (Text("one"), Text("two", CacheMark()), Text("T (https://x)"), Text("one"))


def test_what_an_assistant_did() -> None:
    assert blocks(
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"b": 1, "a": [1.0, "ä"]}},
        {"type": "tool_use", "id": "t2", "name": "look", "input": {}, **cached()},
        role="assistant",
    ) == (
        Thinking("hm", "s"),
        Thinking(redacted="secret"),
        ToolUse("t1", "look", '{"b":1,"a":[1.0,"ä"]}'),
        ToolUse("t2", "look", "{}", CacheMark()),
    )


def test_what_tools_gave() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    assert blocks(
        {"type": "tool_result", "tool_use_id": "t1", "content": "ok"},
        {"type": "tool_result", "tool_use_id": "t2", "is_error": True, "content": [picture]},
        {"type": "tool_result", "tool_use_id": "t3", **cached()},
    ) == (
        ToolResult("t1", (Text("ok"),)),
        ToolResult("t2", (Image(url="https://x"),), error=True),
        ToolResult("t3", (), cache=CacheMark()),
    )


def test_tools_of_the_client_are_kept_and_tools_of_the_server_are_named() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    seen = read(tools=[TOOL | cached(), {"name": "bare", "type": "custom"}, search])
    assert seen.tools == (
        Tool("look", "Looks.", {"type": "object", "x": 1}, cache=CacheMark()),
        Tool("bare"),
    )
    assert seen.dropped == ("tools.web_search_20250305",)
    chosen = read(tools=[search], tool_choice={"type": "tool", "name": "web_search"})
    assert chosen.tool_choice is None
    assert chosen.dropped == ("tools.web_search_20250305", "tool_choice")


@pytest.mark.parametrize(
    ("choice", "meant", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "none"}, ToolChoice("none"), None),
        (
            {"type": "tool", "name": "look", "disable_parallel_tool_use": False},
            ToolChoice("named", "look"),
            True,
        ),
    ],
)
def test_tool_choice(choice: Any, meant: ToolChoice, parallel: bool | None) -> None:
    seen = read(tools=[TOOL], tool_choice=choice)
    assert (seen.tool_choice, seen.parallel_calls) == (meant, parallel)


@pytest.mark.parametrize(
    ("members", "effort", "budget", "dropped"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, 2048, ()),
        ({"thinking": {"type": "adaptive"}}, "high", None, ()),
        ({"thinking": {"type": "disabled"}}, "none", None, ()),
        ({"output_config": {"effort": "low"}}, "low", None, ()),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max", None, ()),
        (
            {
                "thinking": {"type": "enabled", "budget_tokens": 9, "display": "omitted"},
                "output_config": {"effort": "max"},
            },
            None,
            9,
            ("thinking.display", "output_config.effort"),
        ),
    ],
)
def test_thinking(members: Any, effort: str | None, budget: int | None, dropped: Any) -> None:
    seen = read(**members)
    assert (seen.effort, seen.thinking_budget) == (effort, budget)
    assert set(seen.dropped) == set(dropped)


@pytest.mark.parametrize("member", ["output_config", "output_format"])
def test_the_format_of_the_answer(member: str) -> None:
    wanted = {"type": "json_schema", "schema": {"type": "array"}}
    seen = read(**{member: {"format": wanted} if member == "output_config" else wanted})
    assert seen.format == AnswerFormat({"type": "array"})
    assert seen.dropped == ()


def test_sampling() -> None:
    seen = read(temperature=1, top_p=0.5, top_k=4, stop_sequences=["a", "b"], seed=3, min_p=0.1)
    assert seen.sampling == Sampling(1.0, 0.5, 4, 0.1, seed=3, stop=("a", "b"))


def test_a_mark_on_the_whole_request_is_on_its_last_block() -> None:
    seen = read(cache_control=MARK, messages=[HELLO, {"role": "assistant", "content": "Well"}])
    assert [turn.blocks[-1].cache for turn in seen.turns] == [None, CacheMark()]


def test_whatever_is_not_kept_is_named_once_and_fits_a_header() -> None:
    cited = {"type": "text", "text": "x", "citations": [1]}
    server = {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}
    said = {"role": "assistant", "content": [cited, cited, server]}
    seen = read(messages=[HELLO, said], container="c", service_tier=None, **{"a\r\nb: c": 1})
    assert seen.dropped == (
        "container",
        "other",
        "messages.content.citations",
        "messages.content.server_tool_use",
    )
    assert len(read(**{f"x{n}": 1 for n in range(100)}).dropped) == 40


def test_a_turn_of_nothing_but_dropped_blocks_is_no_turn() -> None:
    server = {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}
    seen = read(messages=[HELLO, {"role": "assistant", "content": [server]}, HELLO])
    assert [turn.role for turn in seen.turns] == ["user", "user"]


def test_what_opencode_sends_is_read_with_nothing_lost() -> None:
    body = json.loads((FOLDER / "provider_anthropic_messages.json").read_text())
    seen = read_messages(json.dumps(body.get("body", body)).encode())
    assert seen.dropped == ()
    assert seen.turns == (Turn("user", (Text("hello", CacheMark()),)),)
    assert len(seen.tools) == 10


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"messages": None}, '"messages"'),
        ({"messages": []}, '"messages"'),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "content[0].text"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"description": "x"}]}, "tools[0].name"),
        ({"tool_choice": {"type": "tool", "name": "look"}}, "tool_choice"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"cache_control": {"type": "ephemeral", "ttl": "x"}}, "cache_control.ttl"),
    ],
)
def test_a_refusal_names_the_member(members: Any, named: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**members)
    assert named in refused.value.what
    assert refused.value.fix


def test_data_that_is_no_base64_is_refused() -> None:
    with pytest.raises(BadRequest, match="base64"):
        blocks({"type": "image", "source": {"type": "base64", "media_type": "x", "data": "a"}})


@pytest.mark.parametrize("url", ["file:///etc/passwd", "s3://bucket/key", "/x", "data:,x"])
def test_only_the_web_is_fetched_from(url: str) -> None:
    """What an upstream may open is its operator's business, not a client's."""
    for kind in ("image", "document"):
        with pytest.raises(BadRequest, match="url"):
            blocks({"type": kind, "source": {"type": "url", "url": url}})


def test_data_of_nothing_is_refused_and_empty_words_are_left_out() -> None:
    with pytest.raises(BadRequest, match="base64"):
        blocks({"type": "image", "source": {"type": "base64", "media_type": "x", "data": ""}})
    assert blocks({"type": "text", "text": ""}, {"type": "text", "text": "a"}) == (Text("a"),)


def test_blocks_of_the_other_side_are_refused() -> None:
    with pytest.raises(BadRequest, match="assistant"):
        blocks({"type": "tool_use", "id": "1", "name": "x", "input": {}})
