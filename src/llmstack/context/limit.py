"""The limit of output tokens that a request sets, and what must stay below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from llmstack.context.raw import member
from llmstack.dialects.layout import cut

if TYPE_CHECKING:
    from llmstack.dialects.layout import Layout

#: Members that limit an answer, in the order in which they count.
LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict")
#: Anthropic's least budget for thinking, which must be below ``max_tokens``.
LEAST_THINKING: Final = 1024


def limit_output(top: Layout, tokens: int) -> bool:
    """Set each limit that the body has to ``tokens``; whether that changed anything.

    A negative one stands for none and stays. A thinking budget that no longer fits keeps its share
    of the limit; where that is below what the API takes, thinking is left out.

    Raises:
        ValueError: ``tokens`` is not positive.
    """
    if tokens < 1:
        raise ValueError(f"an answer of {tokens} tokens is none")
    changed = False
    old = None
    for name in LIMITS:
        item = member(top, name)
        limit = _number(item.value) if item is not None else None
        if item is None or limit is None or limit == tokens:
            continue
        old = old or limit
        item.value = b"%d" % tokens
        changed = True
    if changed and old is not None:
        _limit_thinking(top, old, tokens)
    return changed


def _limit_thinking(top: Layout, old: float, tokens: int) -> None:
    item = member(top, "thinking")
    if item is None or not item.value.startswith(b"{"):
        return
    thinking = cut(item.value)
    budget = member(thinking, "budget_tokens")
    wanted = _number(budget.value) if budget is not None else None
    if budget is None or wanted is None or wanted < tokens:
        return
    share = min(int(wanted * tokens / old), tokens - 1)
    if share < LEAST_THINKING:
        top.items = [other for other in top.items if other.key != "thinking"]
    else:
        budget.value = b"%d" % share
        item.value = thinking.render()


def _number(raw: bytes) -> float | None:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return None
    return value
