"""What an answer costs (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.config.stack import Prices
    from llmstack.dialects.translation.reply import Usage

_MILLION = 1_000_000


def cost_of(usage: Usage, prices: Prices) -> float | None:
    """US dollars for ``usage``; None when no price at all is stated.

    Cached tokens cost what reading or writing a cache costs, and what others of the prompt cost
    where that is not said. Anything else without a price is free: an embedding model has no output,
    and whoever states one price only means that the other is nothing.
    """
    plain = prices.input
    if plain is None:
        if prices.output is None and prices.cache_read is None and prices.cache_write is None:
            return None
        plain = 0.0
    read = plain if prices.cache_read is None else prices.cache_read
    write = plain if prices.cache_write is None else prices.cache_write
    fresh = max(usage.input - usage.cached - usage.cache_written, 0)
    prompt = fresh * plain + usage.cached * read + usage.cache_written * write
    return (prompt + usage.output * (prices.output or 0.0)) / _MILLION
