"""Kept bodies: what is said in them, whatever API they are of."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.ui.browser import Visitor

#: Bodies of all the APIs, with what is read in them: role, kind of the part, its text.
BODIES: tuple[tuple[str, Any, list[tuple[str, str, str]]], ...] = (
    (
        "messagesOf",
        {
            "system": [{"type": "text", "text": "Be short."}],
            "messages": [
                {"role": "user", "content": "Read a.py"},
                {"role": "assistant", "content": [{"type": "tool_use", "name": "r", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "content": "import os"}]},
            ],
        },
        [
            ("system", "text", "Be short."),
            ("user", "text", "Read a.py"),
            ("assistant", "call", "r({})"),
            ("user", "result", "import os"),
        ],
    ),
    (
        "messagesOf",
        {
            "instructions": "Be short.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Read a.py"}]},
                {"type": "function_call", "name": "r", "arguments": "{}"},
                {"type": "function_call_output", "output": "import os"},
            ],
        },
        [
            ("system", "text", "Be short."),
            ("user", "text", "Read a.py"),
            ("assistant", "call", "r({})"),
            ("tool", "result", "import os"),
        ],
    ),
    ("messagesOf", {"prompt": "def f("}, [("prompt", "text", "def f(")]),
    (
        "answerOf",
        [
            {"choices": [{"index": 0, "delta": {"reasoning_content": "Well"}}]},
            {"choices": [{"index": 0, "delta": {"content": "He"}}]},
            {"choices": [{"index": 0, "delta": {"content": "y"}}]},
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "r"}}]}}]},
            {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "{"}}]}}]},
            {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "}"}}]}}]},
            {"choices": [], "usage": {}},
            "[DONE]",
        ],
        [
            ("assistant", "reasoning", "Well"),
            ("assistant", "text", "Hey"),
            ("assistant", "call", "r({})"),
        ],
    ),
    (
        "answerOf",
        [
            {"type": "message_start", "message": {"role": "assistant"}},
            {"type": "content_block_delta", "index": 0, "delta": {"thinking": "Well"}},
            {"type": "content_block_delta", "index": 1, "delta": {"text": "He"}},
            {"type": "content_block_delta", "index": 1, "delta": {"text": "y"}},
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "tool_use", "name": "r"},
            },
            {"type": "content_block_delta", "index": 2, "delta": {"partial_json": "{}"}},
        ],
        [
            ("assistant", "reasoning", "Well"),
            ("assistant", "text", "Hey"),
            ("assistant", "call", "r({})"),
        ],
    ),
    (
        "answerOf",
        [
            {"type": "response.output_text.delta", "delta": "He"},
            {"type": "response.output_text.delta", "delta": "y"},
        ],
        [("assistant", "text", "Hey")],
    ),
    ("answerOf", {"choices": [{"text": "x):"}]}, [("completion", "text", "x):")]),
)


def test_bodies_of_every_api_are_read(visitor: Visitor) -> None:
    visitor.open("activity")
    read = """async ([name, body]) => {
      const found = (await import("/ui/pages/activity-bodies.js"))[name](body);
      return found.flatMap(({ role, parts }) => parts.map(({ kind, text }) => [role, kind, text]));
    }"""
    for name, body, expected in BODIES:
        assert [tuple(part) for part in visitor.page.evaluate(read, [name, body])] == expected


def test_a_compressed_body_is_unpacked(visitor: Visitor) -> None:
    visitor.open("activity")
    read = """async (body) => {
      const bodies = await import("/ui/pages/activity-bodies.js");
      return bodies.textOf(await bodies.decoded(body));
    }"""
    told = "data: {}\n\n"
    packed = base64.b64encode(gzip.compress(told.encode())).decode()
    assert visitor.page.evaluate(read, packed) == told
    assert visitor.page.evaluate(read, base64.b64encode(b"\xff\xfe\x00").decode()) is None
