"""The models that another llmstack or llama-swap lists, without those that are not its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.backends.offered import offered

if TYPE_CHECKING:
    from llmstack.backends.protocol import Offered

#: What a record says of names that lead on: to a third server, or to a model listed beside.
_ELSEWHERE: Final = frozenset({"peer", "alias"})
#: How a server tells that a model is loaded.
_STATES: Final = {"loaded": True, "unloaded": False}


def peer_models(body: bytes) -> tuple[Offered, ...]:
    """What ``body``, the answer to ``/v1/models``, lists of the server's own.

    A peer's peers are left out: two servers that are peers of each other would otherwise list
    ``a/b/a/...`` longer each time. Its ``auto`` and its selectors stay, for they choose well there;
    so do models of an Ollama beside it.

    Raises:
        ValueError: it is no list of models.
    """
    told = {one.name: one for one in offered(body)}
    decoded = msgspec.json.decode(body)  # it could be decoded before
    rows = decoded.get("data") if isinstance(decoded, dict) else None
    for row in rows if isinstance(rows, list) else []:
        name = row.get("id") if isinstance(row, dict) else None
        if not isinstance(name, str) or name not in told:
            continue
        if _leads_on(row):
            del told[name]
        else:
            told[name] = _more(told[name], row)
    return tuple(told.values())


def _more(one: Offered, row: dict[str, Any]) -> Offered:
    """``one`` with what llama-swap's records tell beside."""
    able = _part(row, "capabilities")
    state = _part(row, "status").get("value")
    return replace(
        one,
        loaded=_STATES.get(state) if isinstance(state, str) else None,
        tools=one.tools or able.get("function_calling") is True,
    )


def _leads_on(row: dict[str, Any]) -> bool:
    about = _part(_part(row, "meta"), "llamaswap")
    kind = about.get("type")
    if kind == "found":  # on a peer, or on an Ollama, which has no peers
        return about.get("backend") != "ollama"
    return isinstance(kind, str) and kind in _ELSEWHERE


def _part(row: dict[str, Any], name: str) -> dict[str, Any]:
    part = row.get(name)
    return part if isinstance(part, dict) else {}
