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
    *("apply_patch_call", "computer_call", "mcp_approval_request"),
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
_OUTPUTS: Final = (
    *_PLAIN_OUTPUTS,
    *("shell_call_output", "computer_call_output", "mcp_approval_response"),
)
#: Members that name the call; the item's own id does so in an old form.
_CALL_IDS: Final = ("call_id", "approval_request_id", "id")


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
    if kind in _CALLS or (kind.endswith("_call") and "call_id" in item):
        seen = Seen("assistant", calls=(_call(kind, item),), turn=True)
        seen.weight.carry(item.get("name"))
        seen.weight.carry(_arguments(item))
        return seen
    if kind in _OUTPUTS or (kind.endswith("_output") and "call_id" in item):
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
    output = item.get("output")
    plain = kind in _PLAIN_OUTPUTS and isinstance(output, (str, list))
    failed = True if item.get("status") in ("failed", "incomplete") else None
    found = Found(_call_id(item), None, joined(output) if plain else None, failed)
    seen = Seen("result", results=(found,))
    seen.weight.add(output)
    return seen


def _call(kind: str, item: dict[str, Any]) -> Call:
    tool = item.get("name")
    if not isinstance(tool, str):
        tool = kind.removesuffix("_call")
    return Call(_call_id(item), tool, about(tool, _arguments(item)))


def _call_id(item: dict[str, Any]) -> str | None:
    found = (item.get(name) for name in _CALL_IDS)
    return next((name for name in found if isinstance(name, str)), None)


def _arguments(item: dict[str, Any]) -> Any:
    for name in ("arguments", "input", "action", "operation"):
        if name in item:
            return item[name]
    return None
