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

    0 where it is the model's own, and for any other program. Slots share the context unless their
    number is said and ``--kv-unified`` is not; then each has its part.
    """
    flags = server_flags(argv)
    if flags is None:
        return 0
    try:
        values = parse(flags, environ).values
    except LlmstackError:
        return 0
    context, slots = values.get("ctx-size"), values.get("parallel")
    if not isinstance(context, int) or context <= 0:
        return 0
    if not isinstance(slots, int) or slots < 1:
        return context
    return context if values.get("kv-unified", False) else context // slots
