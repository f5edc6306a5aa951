"""Tools in one order from request to request.

Clients with MCP servers list tools as those servers connected, and templates put tools first.
Nobody can see in one request whether a client does so; sorted by name they are the same in all.
Tools with cache marks keep their order, since a client that sets them minds its prefix itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.context.raw import member
from llmstack.dialects.layout import cut

if TYPE_CHECKING:
    from llmstack.dialects.layout import Layout


class _Named(msgspec.Struct):
    name: Any = None


class _Tool(_Named):
    type: Any = None
    function: _Named | None = None


_tools = msgspec.json.Decoder(list[_Tool])


def wanted_order(tools: bytes) -> list[int]:
    """The indexes of raw ``tools`` by name; empty when they are in order or cannot be sorted."""
    try:
        names = [_name(tool) for tool in _tools.decode(tools)] if tools else []
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    order = sorted(range(len(names)), key=names.__getitem__)
    if order == list(range(len(names))) or b'"cache_control"' in tools:
        return []
    return order


def _name(tool: _Tool) -> str:
    for name in (tool.function.name if tool.function else None, tool.name, tool.type):
        if isinstance(name, str):
            return name
    return ""


def sort_tools(top: Layout, order: list[int]) -> bool:
    """Put a body's tools into ``order``; whether they could be."""
    item = member(top, "tools")
    if item is None:
        return False
    tools = cut(item.value)
    values = [tool.value for tool in tools.items]
    if len(values) != len(order):
        return False
    # Only the values move, so that the layout between them stays as the client wrote it.
    for tool, index in zip(tools.items, order, strict=True):
        tool.value = values[index]
    item.value = tools.render()
    return True
