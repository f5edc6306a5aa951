"""What the items of an OpenAI chat body's ``messages`` are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmstack.context.calls import about
from llmstack.context.content import is_users, joined
from llmstack.context.units import Call, Found, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Members that other counts hold, or that no prompt shows.
_COUNTED: Final = (
    *("role", "content", "tool_calls", "function_call", "reasoning", "reasoning_content"),
    *("tool_call_id", "cache_control", "id", "reasoning_details"),
)


def see(messages: Sequence[Any]) -> list[Seen]:
    """One ``Seen`` for each message."""
    return [_see(message) for message in messages]


def _see(message: Any) -> Seen:
    if not isinstance(message, dict):
        item = Seen("other")
        item.weight.carry(message)
        return item
    item = _by_role(message)
    item.weight.add(message.get("content"))
    # Some clients send a thought under both names.
    thought = message.get("reasoning_content") or message.get("reasoning")
    item.weight.add(thought)
    for name, value in message.items():
        if name not in _COUNTED:
            item.weight.carry(value)
    return item


def _by_role(message: dict[str, Any]) -> Seen:
    role, content = message.get("role"), message.get("content")
    if role in ("system", "developer"):
        return Seen("system")
    if role == "user":
        return Seen("user", words=is_users(content))
    if role == "assistant":
        item = Seen("assistant", calls=_calls(message))
        item.weight.carry(message.get("tool_calls"))
        item.weight.carry(message.get("function_call"))
        return item
    if role in ("tool", "function"):
        call = message.get("tool_call_id")
        text = joined(content) if isinstance(content, (str, list)) else None
        return Seen("result", results=(Found(call if isinstance(call, str) else None, None, text),))
    return Seen("other")


def _calls(message: dict[str, Any]) -> list[Call]:
    calls = message.get("tool_calls")
    found = [_call(call) for call in calls] if isinstance(calls, list) else []
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        found.append(_named(None, legacy, "arguments"))
    return found


def _call(call: Any) -> Call:
    if not isinstance(call, dict):
        return Call(None, "", "")
    found = call.get("id")
    name = found if isinstance(found, str) else None
    for kind, arguments in (("function", "arguments"), ("custom", "input")):
        if isinstance(call.get(kind), dict):
            return _named(name, call[kind], arguments)
    return Call(name, "", "")


def _named(call: str | None, function: dict[str, Any], arguments: str) -> Call:
    tool = function.get("name")
    tool = tool if isinstance(tool, str) else ""
    return Call(call, tool, about(tool, function.get(arguments)))
