"""What the items of a Responses body's ``input`` are.

One turn of an assistant is several items there: reasoning, messages, calls. They stay together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmstack.context.calls import about
from llmstack.context.content import is_users, joined
from llmstack.context.units import Call, Found, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Calls that an item with the result answers.
_CALLS: Final = (
    *("function_call", "custom_tool_call", "local_shell_call", "shell_call"),
    *("apply_patch_call", "computer_call"),
)
#: Calls that hold their own result, which the server's side ran.
_WHOLE_CALLS: Final = (
    *("mcp_call", "web_search_call", "file_search_call", "code_interpreter_call"),
    "image_generation_call",
)
#: Results whose ``output`` is a text or a list of parts.
_PLAIN_OUTPUTS: Final = (
    *("function_call_output", "custom_tool_call_output"),
    *("local_shell_call_output", "apply_patch_call_output"),
)
_OUTPUTS: Final = (*_PLAIN_OUTPUTS, "shell_call_output", "computer_call_output")


def see(items: Sequence[Any]) -> list[Seen]:
    """One ``Seen`` for each item."""
    return [_see(item) for item in items]


def _see(item: Any) -> Seen:
    if isinstance(item, str):  # how a single user message may be spelled
        seen = Seen("user", words=is_users(item))
        seen.weight.read(item)
        return seen
    if not isinstance(item, dict):
        seen = Seen("other")
        seen.weight.carry(item)
        return seen
    kind = item.get("type")
    if not isinstance(kind, str):
        kind = "message" if kind is None and "role" in item else ""
    if kind == "message":
        return _message(item)
    if kind == "reasoning":
        seen = Seen("assistant", turn=True)
        seen.weight.add(item.get("content") or item.get("summary"))
        return seen
    if kind in _CALLS:
        seen = Seen("assistant", calls=(_call(kind, item),), turn=True)
        seen.weight.carry(item.get("name"))
        seen.weight.carry(_arguments(item))
        return seen
    if kind in _OUTPUTS:
        return _output(kind, item)
    seen = Seen("assistant", turn=True) if kind in _WHOLE_CALLS else Seen("other")
    for name, value in item.items():
        if name not in ("type", "id", "status", "encrypted_content"):
            seen.weight.carry(value)
    return seen


def _message(item: dict[str, Any]) -> Seen:
    role, content = item.get("role"), item.get("content")
    if role == "user":
        seen = Seen("user", words=is_users(content))
    elif role == "assistant":
        seen = Seen("assistant", turn=True)
    else:
        seen = Seen("system" if role in ("system", "developer") else "other")
    seen.weight.add(content)
    return seen


def _output(kind: str, item: dict[str, Any]) -> Seen:
    call, output = item.get("call_id"), item.get("output")
    if not isinstance(call, str):  # an old form names the call by the item's own id
        call = item.get("id") if isinstance(item.get("id"), str) else None
    plain = kind in _PLAIN_OUTPUTS and isinstance(output, (str, list))
    failed = True if item.get("status") in ("failed", "incomplete") else None
    found = Found(call, None, joined(output) if plain else None, failed)
    seen = Seen("result", results=(found,))
    seen.weight.add(output)
    return seen


def _call(kind: str, item: dict[str, Any]) -> Call:
    call, tool = item.get("call_id"), item.get("name")
    if not isinstance(call, str):
        call = item.get("id") if isinstance(item.get("id"), str) else None
    if not isinstance(tool, str):
        tool = kind.removesuffix("_call")
    return Call(call, tool, about(tool, _arguments(item)))


def _arguments(item: dict[str, Any]) -> Any:
    for name in ("arguments", "input", "action", "operation"):
        if name in item:
            return item[name]
    return None
