"""The tools of a conversation as Converse's ``toolConfig``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import Tool, ToolUse
from llmstack.dialects.translation.converse_cache import cache_point
from llmstack.dialects.translation.depth import shallow
from llmstack.dialects.wire import too_deep

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.converse_family import Family
    from llmstack.dialects.translation.converse_names import Names

Json = dict[str, Any]

#: Converse has no "none": with tools in the history their specs must stay, and this is said.
#: Calls that come nevertheless are left out of the answer (``ConverseEvents``).
NO_CALLS = "No tool may be called now. Answer in words."


def write_tools(conversation: Conversation, family: Family, names: Names) -> Json | None:
    """``toolConfig``, or None when no tool is to be named.

    Converse refuses a history of calls without specs, so tools that are only in the history get
    a spec that takes anything.

    Raises:
        BadRequest: a schema is nested too deeply.
    """
    called = _called(conversation)
    refused = refuses_calls(conversation)
    if refused and not called:
        return None
    tools: list[Json] = []
    specified: set[str] = set()
    for tool in conversation.tools:
        if tool.name in specified:
            continue
        specified.add(tool.name)
        tools.append({"toolSpec": _spec(tool, family, names)})
        if tool.cache is not None and family.keeps_tool_cache_points:
            tools.append(cache_point(tool.cache, family))
    if not specified:
        tools += [{"toolSpec": _spec(Tool(name), family, names)} for name in called]
    if not tools:
        return None
    config: Json = {"tools": tools}
    choice = conversation.tool_choice
    if choice is None or refused or not specified:
        return config
    if choice.kind == "auto":
        # It is what happens anyway, and most families refuse to be told.
        if family.vendor in ("claude", "nova"):
            config["toolChoice"] = {"auto": {}}
    elif choice.kind == "required":
        config["toolChoice"] = {"any": {}}
    elif choice.name in specified:
        config["toolChoice"] = {"tool": {"name": names.of(choice.name)}}
    return config


def refuses_calls(conversation: Conversation) -> bool:
    """Whether the answer must not call tools."""
    choice = conversation.tool_choice
    return choice is not None and choice.kind == "none"


def forces_call(config: Json | None) -> bool:
    """Whether ``config`` makes the model call a tool."""
    return bool(config) and not {"any", "tool"}.isdisjoint((config or {}).get("toolChoice", {}))


def _called(conversation: Conversation) -> list[str]:
    blocks = [block for turn in conversation.turns for block in turn.blocks]
    return list(dict.fromkeys(block.name for block in blocks if isinstance(block, ToolUse)))


def _spec(tool: Tool, family: Family, names: Names) -> Json:
    if not shallow(tool.schema):
        raise too_deep()
    schema = dict(tool.schema)
    # Claude wants the type said; arguments are always an object.
    schema.setdefault("type", "object")
    spec: Json = {"name": names.of(tool.name), "inputSchema": {"json": schema}}
    if tool.description.strip():
        spec["description"] = tool.description
    if tool.strict and family.keeps_schemas:
        spec["strict"] = True
    return spec
