"""How much of a window is kept free for the answer. One rule, for who routes and for who cuts."""

from __future__ import annotations

from typing import Final

#: Output tokens to leave room for when a request does not say how many it wants.
DEFAULT_OUTPUT: Final = 1024


def output_reserve(window: int, asked: int | None) -> int:
    """Tokens of ``window`` that are kept for an answer of ``asked`` tokens.

    What the request asks for, but no more than a quarter of the window: agents ask for thousands
    of tokens on every turn and rarely use them.
    """
    wanted = DEFAULT_OUTPUT if asked is None else asked
    return max(0, min(wanted, window // 4))
