"""Servers that are peers of each other: a request must not go round for ever.

Everyone who passes a request to a peer counts it in a header. A list of models that a peer asks
for carries it too: what it is then told are the server's own models and those of an Ollama beside
it, not those of its peers, so that neither waits for the other and names do not nest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from llmstack.backends.protocol import Ask, Headers

#: How many servers have passed a request on.
HEADER: Final = b"x-llmstack-hops"
#: How many may. A laptop, a gateway and a machine with the models are two.
LONGEST_WAY: Final = 3


def hops_of(headers: Headers) -> int:
    """How many servers have passed the request on; what is no number counts as too many."""
    written = [value for name, value in headers if name == HEADER]
    if not written:
        return 0
    value = written[-1]
    return int(value) if value.isdigit() and len(value) < 4 else LONGEST_WAY


def stepped(ask: Ask) -> Ask:
    """``ask`` as it goes to a peer.

    Raises:
        BackendFailed: it has gone far enough (508).
    """
    hops = hops_of(ask.headers)
    if hops >= LONGEST_WAY:
        raise BackendFailed(
            f"{ask.answered_as} is not served here, and {hops} servers have passed it on",
            status=508,
            code="loop_detected",
            why="Servers that are peers of each other send each other the same request.",
            fix="Name on one of them a model that it serves itself.",
        )
    headers = [pair for pair in ask.headers if pair[0] != HEADER]
    return replace(ask, headers=[*headers, (HEADER, b"%d" % (hops + 1))])
