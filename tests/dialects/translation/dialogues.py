"""What people, models and tools say to each other, written as a body of each API.

Only what all the APIs have words for.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from .conversations import PNG

PICTURE = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{PICTURE}"


@dataclass(frozen=True)
class Round:
    """What a user asks, what the model thinks and says, and which tools give it which results."""

    asked: tuple[str, ...]
    shown: bool
    thought: str
    signature: str
    said: str
    calls: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Dialogue:
    """``rounds``, then a last word of the user's; with ``choice`` as OpenAI names it."""

    rounds: tuple[Round, ...]
    last: str
    system: str
    tools: tuple[str, ...]
    choice: str
    single: bool
    limit: int
    temperature: float
    effort: str
    user: str


WORDS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=6
).filter(lambda text: bool(text.strip()))
OBJECTS = st.dictionaries(WORDS, st.integers(-9, 9) | WORDS | st.lists(st.booleans()), max_size=2)
ARGUMENTS = OBJECTS.map(lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False))
NAMES = ("look", "write")
ROUNDS = st.builds(
    Round,
    asked=st.lists(WORDS, min_size=1, max_size=2).map(tuple),
    shown=st.booleans(),
    thought=st.just("") | WORDS,
    signature=st.just("") | st.just("c2ln"),
    said=WORDS,
    calls=st.lists(st.tuples(st.sampled_from(NAMES), ARGUMENTS), max_size=3).map(tuple),
)
DIALOGUES = st.builds(
    Dialogue,
    rounds=st.lists(ROUNDS, max_size=3).map(tuple),
    last=WORDS,
    system=st.just("") | WORDS,
    tools=st.sampled_from([NAMES, NAMES[:1]]),
    choice=st.sampled_from(["", "auto", "required", "none", "look"]),
    single=st.booleans(),
    limit=st.integers(1, 9999),
    temperature=st.sampled_from([0.0, 0.25, 1.0]),
    effort=st.sampled_from(["", "low", "high", "max"]),
    user=st.just("") | WORDS,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def chat(told: Dialogue) -> bytes:
    """``told`` as chat completions."""
    messages: list[Any] = [{"role": "system", "content": told.system}] if told.system else []
    for at, one in enumerate(told.rounds):
        parts: list[Any] = [{"type": "text", "text": text} for text in one.asked]
        parts += [{"type": "image_url", "image_url": {"url": DATA_URL}}] if one.shown else []
        messages.append({"role": "user", "content": parts})
        detail = {"type": "reasoning.text", "text": one.thought, "signature": one.signature}
        calls = [
            {"id": f"{at}_{n}", "type": "function", "function": {"name": name, "arguments": text}}
            for n, (name, text) in enumerate(one.calls)
        ]
        messages.append(
            {
                "role": "assistant",
                "content": one.said,
                "reasoning_details": [detail] if one.thought else [],
                "tool_calls": calls,
            }
        )
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": "gave"} for call in calls
        ]
    named = {"type": "function", "function": {"name": told.choice}}
    body: dict[str, Any] = {
        "messages": [*messages, {"role": "user", "content": told.last}],
        "tools": [
            {"type": "function", "function": {"name": n, "description": "d", "parameters": SCHEMA}}
            for n in told.tools
        ],
        "tool_choice": named if told.choice in NAMES else told.choice or "auto",
        "parallel_tool_calls": not told.single,
        "max_tokens": told.limit,
        "temperature": told.temperature,
        "user": told.user,
    }
    if told.effort:
        body["reasoning_effort"] = told.effort
    return written(body)


def messages(told: Dialogue) -> bytes:
    """``told`` in Anthropic's API."""
    turns: list[Any] = []
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    for at, one in enumerate(told.rounds):
        parts: list[Any] = [{"type": "text", "text": text} for text in one.asked]
        parts += [{"type": "image", "source": source}] if one.shown else []
        turns.append({"role": "user", "content": parts})
        said: list[Any] = [{"type": "text", "text": one.said}]
        if one.thought:
            thought = {"type": "thinking", "thinking": one.thought, "signature": one.signature}
            said.insert(0, thought)
        said += [
            {"type": "tool_use", "id": f"{at}_{n}", "name": name, "input": json.loads(text)}
            for n, (name, text) in enumerate(one.calls)
        ]
        turns.append({"role": "assistant", "content": said})
        gave = [
            {"type": "tool_result", "tool_use_id": f"{at}_{n}", "content": "gave"}
            for n in range(len(one.calls))
        ]
        turns += [{"role": "user", "content": gave}] if gave else []
    kind = {"required": "any", "": "auto"}.get(told.choice, told.choice)
    choice = {"type": "tool", "name": kind} if kind in NAMES else {"type": kind}
    body: dict[str, Any] = {
        "messages": [*turns, {"role": "user", "content": told.last}],
        "system": told.system,
        "tools": [
            {"name": name, "description": "d", "input_schema": SCHEMA} for name in told.tools
        ],
        "tool_choice": {**choice, "disable_parallel_tool_use": told.single},
        "max_tokens": told.limit,
        "temperature": told.temperature,
        "metadata": {"user_id": told.user},
    }
    if told.effort:
        body["output_config"] = {"effort": told.effort}
    return written(body)


def responses(told: Dialogue) -> bytes:
    """``told`` in the Responses API."""
    items: list[Any] = []
    for at, one in enumerate(told.rounds):
        parts: list[Any] = [{"type": "input_text", "text": text} for text in one.asked]
        parts += [{"type": "input_image", "image_url": DATA_URL}] if one.shown else []
        items.append({"role": "user", "content": parts})
        if one.thought:
            summary = [{"type": "summary_text", "text": one.thought}]
            secret = f"llmstack.signature.{one.signature}" if one.signature else None
            items.append({"type": "reasoning", "summary": summary, "encrypted_content": secret})
        items.append({"role": "assistant", "content": one.said})
        for n, (name, text) in enumerate(one.calls):
            call = {"type": "function_call", "call_id": f"{at}_{n}", "name": name}
            items.append({**call, "arguments": text})
        items += [
            {"type": "function_call_output", "call_id": f"{at}_{n}", "output": "gave"}
            for n in range(len(one.calls))
        ]
    named = {"type": "function", "name": told.choice}
    body: dict[str, Any] = {
        "input": [*items, {"role": "user", "content": told.last}],
        "instructions": told.system,
        "tools": [
            {"type": "function", "name": name, "description": "d", "parameters": SCHEMA}
            for name in told.tools
        ],
        "tool_choice": named if told.choice in NAMES else told.choice or "auto",
        "parallel_tool_calls": not told.single,
        "max_output_tokens": told.limit,
        "temperature": told.temperature,
        "user": told.user,
    }
    if told.effort:
        body["reasoning"] = {"effort": told.effort}
    return written(body)


def written(body: dict[str, Any]) -> bytes:
    """``body`` as JSON for the model "m"."""
    return json.dumps({"model": "m", **body}, ensure_ascii=False).encode()
