"""The tools of a request of the Responses API, and which of them must be called."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from llmstack.dialects.translation.conversation import Tool, ToolChoice
from llmstack.dialects.translation.responses_members import (
    flag,
    list_of,
    name_of,
    object_of,
    plain,
    refuse,
    words,
)

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
    try:
        decoded = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return arguments
    text = decoded.get("input") if isinstance(decoded, dict) else None
    return text if isinstance(text, str) else arguments


def read_tools(value: object) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The tools, and the names of those that only OpenAI's servers can run."""
    tools: list[Tool] = []
    dropped: list[str] = []
    _read_into(tools, dropped, list_of(value, "tools"), "tools", "")
    return tuple(tools), tuple(dict.fromkeys(dropped))


def read_choice(
    value: object, tools: tuple[Tool, ...]
) -> tuple[ToolChoice | None, tuple[Tool, ...], tuple[str, ...]]:
    """Which tool must be called, the tools that may be, and what could not be kept.

    Where no tool is left there is nothing to choose: upstreams refuse a choice without tools.

    Raises:
        BadRequest: it names a tool that the request does not have.
    """
    choice, left, dropped = _chosen(value, tools)
    if choice is None or left:
        return choice, left, dropped
    lost = () if choice.kind in ("auto", "none") else ("tool_choice",)
    return None, left, (*dropped, *lost)


def _chosen(
    value: object, tools: tuple[Tool, ...]
) -> tuple[ToolChoice | None, tuple[Tool, ...], tuple[str, ...]]:
    if value is None:
        return None, tools, ()
    if isinstance(value, str):
        return ToolChoice(_mode(value, "tool_choice")), tools, ()
    choice = object_of(value, "tool_choice")
    kind = choice.get("type")
    if kind in _CALLED:
        return ToolChoice("named", _known(choice, "tool_choice", tools)), tools, ()
    if kind == "allowed_tools":
        return _allowed(choice, tools)
    if not isinstance(kind, str):
        refuse("tool_choice.type", kind, '"function" with "name", or "tool_choice" as "auto"')
    return None, tools, (f"tool_choice.{plain(kind)}",)


def _allowed(
    choice: dict[str, Any], tools: tuple[Tool, ...]
) -> tuple[ToolChoice | None, tuple[Tool, ...], tuple[str, ...]]:
    names: set[str] = set()
    dropped: list[str] = []
    for at, allowed in enumerate(list_of(choice.get("tools"), "tool_choice.tools")):
        where = f"tool_choice.tools[{at}]"
        entry = object_of(allowed, where)
        if entry.get("type") in _CALLED:
            names.add(_known(entry, where, tools))
        else:
            dropped.append(f"tool_choice.{plain(entry.get('type'))}")
    mode = _mode(choice.get("mode", "auto"), "tool_choice.mode")
    return ToolChoice(mode), tuple(tool for tool in tools if tool.name in names), tuple(dropped)


def _mode(value: object, where: str) -> Literal["auto", "none", "required"]:
    mode = _MODES.get(value) if isinstance(value, str) else None
    return mode or refuse(where, value, '"auto", "none" or "required"')


def _known(choice: dict[str, Any], where: str, tools: tuple[Tool, ...]) -> str:
    namespace = words(choice.get("namespace"), f"{where}.namespace")
    name = full_name(name_of(choice.get("name"), f"{where}.name"), namespace)
    if not any(tool.name == name for tool in tools):
        refuse(f"{where}.name", name, 'the name of one of "tools"')
    return name


def _read_into(
    tools: list[Tool], dropped: list[str], entries: list[Any], where: str, namespace: str
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
            inner = list_of(entry.get("tools"), f"{here}.tools")
            _read_into(tools, dropped, inner, f"{here}.tools", name)
        elif kind == "function":
            tools.append(_function(entry, here, namespace))
        elif kind == "custom":
            tools.append(_custom(entry, here, namespace))
        else:
            dropped.append(f"tools.{plain(kind)}")


def _function(entry: dict[str, Any], where: str, namespace: str) -> Tool:
    schema = object_of(entry.get("parameters"), f"{where}.parameters")
    return Tool(
        full_name(name_of(entry.get("name"), f"{where}.name"), namespace),
        words(entry.get("description"), f"{where}.description"),
        schema or {"type": "object"},
        flag(entry.get("strict"), f"{where}.strict"),
        namespace=namespace,
    )


def _custom(entry: dict[str, Any], where: str, namespace: str) -> Tool:
    description = words(entry.get("description"), f"{where}.description")
    form = object_of(entry.get("format"), f"{where}.format")
    if form.get("type") == "grammar":
        # No upstream enforces it, but a model that reads it can follow it.
        syntax = words(form.get("syntax"), f"{where}.format.syntax")
        definition = words(form.get("definition"), f"{where}.format.definition")
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
