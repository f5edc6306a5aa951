"""Random agent histories in three dialects, and what makes one valid.

``requests()`` draws a ``Request``: a whole conversation of user's words, answers and rounds of
parallel calls, with unknown members and numbers that no float holds. ``check_pairs`` fails for a
body in which a call and its result were parted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"

WORDS = st.one_of(
    st.sampled_from(["fix the bug", "add a test", "weiter", "продолжай", "修正してください", "ok"]),
    st.text(
        st.characters(exclude_categories=["Cs"]),
        min_size=1,
        max_size=30,
    ).filter(lambda text: text.strip() and "<" not in text and "#" not in text),
)
OUTPUTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.builds(
        lambda line, count: f"{line}\n" * count,
        st.sampled_from(["    return 1", "ERROR: no such file", "  <div>", "行を読む", "x" * 120]),
        st.integers(1, 60),
    ),
)
#: Members that no version of an API knows, with values that a careless reader changes.
EXTRAS = st.dictionaries(
    st.sampled_from(["x_trace", "vendor", "größe", 'quo"te']),
    st.sampled_from([12345678901234567890123, 1.10, -0.0, None, [1, {"a": "\u2028"}], "ß"]),
    max_size=2,
)
REMINDER = "<system-reminder>\nkeep the todo list\n</system-reminder>"


@dataclass(frozen=True)
class Request:
    """A body as a client would send it, and the value it stands for."""

    path: str
    value: dict[str, Any]
    layout: int
    wire: bytes

    @property
    def items(self) -> list[Any]:
        return items_of(self.path, self.value)


def items_of(path: str, value: dict[str, Any]) -> list[Any]:
    """The list that holds a body's history."""
    found: list[Any] = value["input" if path == RESPONSES else "messages"]
    return found


@dataclass(frozen=True)
class _Round:
    said: str
    outputs: tuple[str, ...]
    remark: str | None
    as_parts: bool


ROUNDS = st.builds(
    _Round,
    said=st.one_of(st.just(""), WORDS),
    outputs=st.lists(OUTPUTS, min_size=1, max_size=3).map(tuple),
    remark=st.one_of(st.none(), st.just(REMINDER), WORDS),
    as_parts=st.booleans(),
)
_TURNS = st.lists(
    st.one_of(
        ROUNDS,
        st.tuples(st.just("user"), WORDS, st.booleans()),
        st.tuples(st.just("assistant"), WORDS, st.booleans()),
        st.tuples(st.just("user"), st.just(REMINDER), st.booleans()),
    ),
    max_size=8,
)


@st.composite
def requests(draw: st.DrawFn, paths: tuple[str, ...] = (CHAT, MESSAGES, RESPONSES)) -> Request:
    """A conversation that begins with a task and may end anywhere between two turns."""
    path = draw(st.sampled_from(paths))
    turns = [("user", draw(WORDS), draw(st.booleans())), *draw(_TURNS)]
    items: list[Any] = []
    for number, turn in enumerate(turns):
        made = _round(path, number, turn) if isinstance(turn, _Round) else [_said(path, *turn)]
        if isinstance(turn, tuple):
            made[0] |= draw(EXTRAS)
        items += made
    value: dict[str, Any] = {"model": "code", **draw(EXTRAS)}
    system = draw(st.sampled_from(["", "You are a coding agent.\nBe brief."]))
    if path == CHAT and system:
        items.insert(0, {"role": "system", "content": system})
    elif system:
        value["instructions" if path == RESPONSES else "system"] = system
    value["input" if path == RESPONSES else "messages"] = items
    value |= draw(st.sampled_from([{}, {"stream": True, "tools": _tools(path)}]))
    layout = draw(st.integers(0, 2))
    return Request(path, value, layout, write(value, layout))


def write(value: Any, layout: int) -> bytes:
    """``value`` in one of the ways in which clients write: compact, with spaces, over lines."""
    if layout == 0:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    if layout == 1:
        return json.dumps(value).encode()
    return b" " + json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def check_pairs(path: str, body: bytes) -> None:
    """Fail unless every call has its results where the API wants them, and no result is alone."""
    items = items_of(path, json.loads(body))
    {CHAT: _check_chat, MESSAGES: _check_messages, RESPONSES: _check_responses}[path](items)


def _said(path: str, role: str, text: str, as_parts: bool) -> dict[str, Any]:
    kind = "text"
    if path == RESPONSES:
        kind = "input_text" if role == "user" else "output_text"
    return {"role": role, "content": [{"type": kind, "text": text}] if as_parts else text}


def _round(path: str, number: int, turn: _Round) -> list[Any]:
    calls = [
        (f"call_{number}_{index}", {"filePath": f"/src/{number}.py"}, output)
        for index, output in enumerate(turn.outputs)
    ]
    return {CHAT: _chat_round, MESSAGES: _messages_round, RESPONSES: _responses_round}[path](
        turn, calls
    )


_Calls = list[tuple[str, dict[str, str], str]]


def _chat_round(turn: _Round, calls: _Calls) -> list[Any]:
    asked = [
        {
            "id": name,
            "type": "function",
            "function": {"name": "read", "arguments": json.dumps(arguments)},
        }
        for name, arguments, _ in calls
    ]
    told = [
        {
            "role": "tool",
            "tool_call_id": name,
            "content": [{"type": "text", "text": output}] if turn.as_parts else output,
        }
        for name, _, output in calls
    ]
    return [{"role": "assistant", "content": turn.said or None, "tool_calls": asked}, *told]


def _messages_round(turn: _Round, calls: _Calls) -> list[Any]:
    said = [{"type": "text", "text": turn.said}] if turn.said else []
    asked = [
        {"type": "tool_use", "id": name, "name": "Read", "input": arguments}
        for name, arguments, _ in calls
    ]
    told: list[Any] = [
        {
            "type": "tool_result",
            "tool_use_id": name,
            "content": [{"type": "text", "text": output}] if turn.as_parts else output,
            "cache_control": {"type": "ephemeral"},
        }
        for name, _, output in calls
    ]
    remark = [{"type": "text", "text": turn.remark}] if turn.remark else []
    return [
        {"role": "assistant", "content": said + asked},
        {"role": "user", "content": told + remark},
    ]


def _responses_round(turn: _Round, calls: _Calls) -> list[Any]:
    items: list[Any] = []
    if turn.as_parts:
        items.append({"type": "reasoning", "summary": [], "encrypted_content": "gAAA"})
    if turn.said:
        items.append(
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": turn.said}],
            }
        )
    items += (
        {
            "type": "function_call",
            "call_id": name,
            "name": "read",
            "arguments": json.dumps(arguments),
        }
        for name, arguments, _ in calls
    )
    items += (
        {"type": "function_call_output", "call_id": name, "output": output}
        for name, _, output in calls
    )
    return items


def _tools(path: str) -> list[Any]:
    schema = {"type": "object", "properties": {"filePath": {"type": "string"}}}
    if path == MESSAGES:
        return [{"name": "Read", "input_schema": schema}]
    function = {"name": "read", "parameters": schema}
    if path == RESPONSES:
        return [{"type": "function", **function}]
    return [{"type": "function", "function": function}]


def _check_chat(items: list[Any]) -> None:
    waiting: list[str] = []
    for item in items:
        if item["role"] == "tool":
            assert item["tool_call_id"] in waiting, "a result without its call"
            waiting.remove(item["tool_call_id"])
        else:
            assert not waiting, "a call without its result"
            waiting = [call["id"] for call in item.get("tool_calls", [])]
    assert not waiting, "a call without its result"


def _check_messages(items: list[Any]) -> None:
    waiting: list[str] = []
    for item in items:
        blocks = item["content"] if isinstance(item["content"], list) else []
        kinds = [block["type"] == "tool_result" for block in blocks]
        assert kinds == sorted(kinds, reverse=True), "results do not come first"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert results == waiting, "calls and results do not match"
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
    assert not waiting, "a call without its result"


def _check_responses(items: list[Any]) -> None:
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    results = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    assert calls == results, "calls and results do not match"
    for item, after in pairwise([*items, {}]):
        if item.get("type") == "reasoning":
            assert after.get("type") == "function_call" or after.get("role") == "assistant", (
                "reasoning without what it led to"
            )
