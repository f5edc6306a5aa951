"""The window that a llama-server's command line asks for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.llama_server.arguments import parse
from llmstack.residency.sizing import server_flags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def asked_window(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """The tokens of one slot of a llama-server started as ``argv``.

    0 where it is the model's own, and for any other program. Each slot has its part of the context,
    unless they share it: with ``--kv-unified``, and where nobody says how many there are. The
    server rounds a part up to 256 tokens, and caps it at ``--kv-unified-per-slot``.
    """
    flags = server_flags(argv)
    if flags is None:
        return 0
    try:
        values = parse(flags, environ).values
    except LlmstackError:
        return 0
    context, slots = _number(values, "ctx-size"), _number(values, "parallel")
    own = context // slots if slots and not values.get("kv-unified", False) else context
    most = _number(values, "kv-unified-per-slot")
    return min(own, most) if own and most else own or most


def _number(values: Mapping[str, object], key: str) -> int:
    """A number that says something, else 0."""
    value = values.get(key)
    return value if isinstance(value, int) and value > 0 else 0
