"""What the items of an Anthropic body's ``messages`` are.

Results are blocks of the user message after the call. That message may say something of the
user's as well; it belongs to the round all the same, since it cannot be parted from the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.context.calls import about
from llmstack.context.content import is_users, joined
from llmstack.context.units import Call, Found, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence


def see(messages: Sequence[Any]) -> list[Seen]:
    """One ``Seen`` for each message."""
    return [_see(message) for message in messages]


def _see(message: Any) -> Seen:
    if not isinstance(message, dict):
        item = Seen("other")
        item.weight.carry(message)
        return item
    role, content = message.get("role"), message.get("content")
    if role == "assistant":
        item = Seen("assistant", calls=_calls(content))
    elif role == "user":
        results = _results(content)
        item = Seen("result" if results else "user", results=results, words=is_users(content))
    else:
        item = Seen("system" if role in ("system", "developer") else "other")
    item.weight.add(content)
    return item


def _calls(content: Any) -> list[Call]:
    """Calls of the client's tools; those of the server's own come with their results."""
    return [_call(block) for block in _blocks(content) if block.get("type") == "tool_use"]


def _call(block: dict[str, Any]) -> Call:
    name, tool = block.get("id"), block.get("name")
    tool = tool if isinstance(tool, str) else ""
    return Call(name if isinstance(name, str) else None, tool, about(tool, block.get("input")))


def _results(content: Any) -> list[Found]:
    if not isinstance(content, list):
        return []
    found = []
    for index, block in enumerate(content):
        if isinstance(block, dict) and block.get("type") == "tool_result":
            call, told = block.get("tool_use_id"), block.get("content")
            found.append(
                Found(
                    call if isinstance(call, str) else None,
                    index,
                    joined(told) if isinstance(told, (str, list)) else None,
                    block.get("is_error") is True,
                )
            )
    return found


def _blocks(content: Any) -> list[dict[str, Any]]:
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if isinstance(block, dict)]
