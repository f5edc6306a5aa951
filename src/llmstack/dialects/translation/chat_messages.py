"""The turns of a conversation as the messages of chat completions.

A tool's result is a message of its own there, and holds text alone: pictures and files that a tool
gave follow in a user's message. Of one turn's blocks thoughts come first, then text, then calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import (
    Document,
    Image,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from llmstack.dialects.translation.data_url import write_data_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.dialects.translation.conversation import CacheMark, Conversation, Turn

Json = dict[str, Any]


def write_messages(conversation: Conversation, *, marks: bool) -> list[Json]:
    """All messages; cache marks among them only if ``marks``."""
    messages: list[Json] = []
    if conversation.system:
        content = _content(conversation.system, marks=marks)
        messages.append({"role": "system", "content": content})
    for turn in conversation.turns:
        if turn.role == "user":
            messages += _user(turn, marks=marks)
        else:
            messages.append(_assistant(turn, marks=marks))
    return messages


def mark_object(mark: CacheMark) -> Json:
    """A mark as LiteLLM and OpenRouter take it."""
    return {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}


def _user(turn: Turn, *, marks: bool) -> list[Json]:
    messages: list[Json] = []
    parts: list[Text | Image | Document] = []
    for block in turn.blocks:
        if isinstance(block, ToolResult):
            words = [part for part in block.content if isinstance(part, Text)]
            others = [part for part in block.content if not isinstance(part, Text)]
            message: Json = {
                "role": "tool",
                "tool_call_id": block.id,
                "content": _content(words, marks=marks) or ("(see below)" if others else ""),
            }
            if marks and block.cache is not None:
                message["cache_control"] = mark_object(block.cache)
            messages.append(message)
            parts += [Text(f"What the tool gave for the call {block.id}:")] if others else []
            parts += others
    parts += [block for block in turn.blocks if isinstance(block, (Text, Image, Document))]
    if parts or not messages:
        messages.append({"role": "user", "content": _content(parts, marks=marks)})
    return messages


def _assistant(turn: Turn, *, marks: bool) -> Json:
    words = [block for block in turn.blocks if isinstance(block, Text)]
    thoughts = [block for block in turn.blocks if isinstance(block, Thinking)]
    calls = [block for block in turn.blocks if isinstance(block, ToolUse)]
    content = _content(words, marks=marks)
    message: Json = {"role": "assistant", "content": content}
    if calls and not content:
        message["content"] = None
    if thinking := "\n\n".join(thought.text for thought in thoughts if thought.text):
        message["reasoning_content"] = thinking
    if any(thought.signature or thought.redacted for thought in thoughts):
        message["reasoning_details"] = [_detail(thought) for thought in thoughts]
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    return message


def _detail(thought: Thinking) -> Json:
    if thought.redacted:
        return {"type": "reasoning.encrypted", "data": thought.redacted}
    signature = {"signature": thought.signature} if thought.signature else {}
    return {"type": "reasoning.text", "text": thought.text, **signature}


def _call(call: ToolUse) -> Json:
    # vLLM and LM Studio parse the arguments: a call without any says so in JSON.
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _content(parts: Sequence[Text | Image | Document], *, marks: bool) -> str | list[Json]:
    """One string where it says all: many templates know no arrays."""
    if not parts:
        return ""
    first = parts[0]
    if len(parts) == 1 and isinstance(first, Text) and not (marks and first.cache):
        return first.text
    return [_part(part, marks=marks) for part in parts]


def _part(part: Text | Image | Document, *, marks: bool) -> Json:
    told: Json
    match part:
        case Text():
            told = {"type": "text", "text": part.text}
        case Image():
            url = part.url or write_data_url(part.media_type or "image/png", part.data)
            detail = {"detail": part.detail} if part.detail else {}
            told = {"type": "image_url", "image_url": {"url": url, **detail}}
        case Document():
            data = part.url or write_data_url(
                part.media_type or "application/octet-stream", part.data
            )
            name = {"filename": part.name} if part.name else {}
            told = {"type": "file", "file": {**name, "file_data": data}}
    if marks and part.cache is not None:
        told["cache_control"] = mark_object(part.cache)
    return told
