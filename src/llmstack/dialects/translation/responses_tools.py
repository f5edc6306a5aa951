"""The tools of a request of the Responses API, and which of them must be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from llmstack.dialects.translation.conversation import Tool, ToolChoice
from llmstack.dialects.translation.members import (
    name_of,
    optional_flag,
    optional_list,
    optional_object,
    optional_schema,
    optional_text,
    refuse,
)
from llmstack.dialects.translation.tolerant import json_object

if TYPE_CHECKING:
    from llmstack.dialects.translation.members import Dropped

_MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
}
_CALLED = ("function", "custom")


def full_name(name: str, namespace: str) -> str:
    """What a tool is called where there are no namespaces."""
    return f"{namespace}__{name}" if namespace else name


def freeform_arguments(text: str) -> str:
    """The arguments of a freeform tool's call, as JSON."""
    return msgspec.json.encode({"input": text}).decode()


def freeform_input(arguments: str) -> str:
    """The plain text of a freeform tool's call; ``arguments`` themselves if a model wrote that."""
    text = (json_object(arguments) or {}).get("input")
    return text if isinstance(text, str) else arguments


def read_tools(value: object, dropped: Dropped) -> tuple[Tool, ...]:
    """The tools. Those that only OpenAI's servers can run are named as dropped."""
    tools: list[Tool] = []
    _read_into(tools, dropped, optional_list(value, "tools"), "tools", "")
    return tuple(tools)


def read_choice(
    value: object, tools: tuple[Tool, ...], dropped: Dropped
) -> tuple[ToolChoice | None, tuple[Tool, ...]]:
    """Which tool must be called, and the tools that may be.

    Where no tool is left there is nothing to choose: upstreams refuse a choice without tools.

    Raises:
        BadRequest: it names a tool that the request does not have.
    """
    choice, left = _chosen(value, tools, dropped)
    if choice is None or left:
        return choice, left
    if choice.kind not in ("auto", "none"):
        dropped.add("tool_choice")
    return None, left


def _chosen(
    value: object, tools: tuple[Tool, ...], dropped: Dropped
) -> tuple[ToolChoice | None, tuple[Tool, ...]]:
    if value is None:
        return None, tools
    if isinstance(value, str):
        return ToolChoice(_mode(value, "tool_choice")), tools
    choice = optional_object(value, "tool_choice")
    offered = frozenset(tool.name for tool in tools)
    kind = choice.get("type")
    if kind in _CALLED:
        return ToolChoice("named", _known(choice, "tool_choice", offered)), tools
    if kind == "allowed_tools":
        return _allowed(choice, tools, dropped)
    if not isinstance(kind, str):
        refuse("tool_choice.type", kind, '"function" with "name", or "tool_choice" as "auto"')
    dropped.add("tool_choice", kind)
    return None, tools


def _allowed(
    choice: dict[str, Any], tools: tuple[Tool, ...], dropped: Dropped
) -> tuple[ToolChoice, tuple[Tool, ...]]:
    offered = frozenset(tool.name for tool in tools)
    names: set[str] = set()
    for at, allowed in enumerate(optional_list(choice.get("tools"), "tool_choice.tools")):
        where = f"tool_choice.tools[{at}]"
        entry = optional_object(allowed, where)
        if entry.get("type") in _CALLED:
            names.add(_known(entry, where, offered))
        else:
            dropped.add("tool_choice", entry.get("type"))
    mode = _mode(choice.get("mode", "auto"), "tool_choice.mode")
    return ToolChoice(mode), tuple(tool for tool in tools if tool.name in names)


def _mode(value: object, where: str) -> Literal["auto", "none", "required"]:
    mode = _MODES.get(value) if isinstance(value, str) else None
    return mode or refuse(where, value, '"auto", "none" or "required"')


def _known(choice: dict[str, Any], where: str, offered: frozenset[str]) -> str:
    namespace = optional_text(choice.get("namespace"), f"{where}.namespace")
    name = full_name(name_of(choice.get("name"), f"{where}.name"), namespace)
    if name not in offered:
        refuse(f"{where}.name", name, 'the name of one of "tools"')
    return name


def _read_into(
    tools: list[Tool], dropped: Dropped, entries: list[Any], where: str, namespace: str
) -> None:
    for at, entry in enumerate(entries):
        here = f"{where}[{at}]"
        if not isinstance(entry, dict):
            refuse(here, entry, 'an object such as {"type": "function", "name": "..."}')
        kind = entry.get("type")
        if not isinstance(kind, str):
            refuse(f"{here}.type", kind, '"function" or "custom"')
        if kind == "namespace" and not namespace:
            name = name_of(entry.get("name"), f"{here}.name")
            inner = optional_list(entry.get("tools"), f"{here}.tools")
            _read_into(tools, dropped, inner, f"{here}.tools", name)
        elif kind == "function":
            tools.append(_function(entry, here, namespace))
        elif kind == "custom":
            tools.append(_custom(entry, here, namespace))
        else:
            dropped.add("tools", kind)


def _function(entry: dict[str, Any], where: str, namespace: str) -> Tool:
    return Tool(
        full_name(name_of(entry.get("name"), f"{where}.name"), namespace),
        optional_text(entry.get("description"), f"{where}.description"),
        optional_schema(entry.get("parameters"), f"{where}.parameters"),
        optional_flag(entry.get("strict"), f"{where}.strict"),
        namespace=namespace,
    )


def _custom(entry: dict[str, Any], where: str, namespace: str) -> Tool:
    description = optional_text(entry.get("description"), f"{where}.description")
    form = optional_object(entry.get("format"), f"{where}.format")
    if form.get("type") == "grammar":
        # No upstream enforces it, but a model that reads it can follow it.
        syntax = optional_text(form.get("syntax"), f"{where}.format.syntax")
        definition = optional_text(form.get("definition"), f"{where}.format.definition")
        description += f"\n\nThe input must follow this {syntax} grammar:\n{definition}"
    return Tool(
        full_name(name_of(entry.get("name"), f"{where}.name"), namespace),
        description.strip(),
        {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
            "additionalProperties": False,
        },
        freeform=True,
        namespace=namespace,
    )
