"""Prompts that llama-server remembers in the machine's memory, which grow with use. Pure.

No estimate counts them: at first they are empty. But left alone they take up to 8 GiB for each
server, so a stack that was chosen for a machine limits them to what it leaves over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.llama_server.arguments import parse
from llmstack.residency.memory import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.config.stack import Tier
    from llmstack.residency.room import Total

_MIB = 1 << 20
#: What a server takes that is not told otherwise, and the step in which profiles give it less.
UNTOLD, STEP = 8192 * _MIB, 128 * _MIB


def limit_of(tier: Tier) -> int:
    """Bytes that the prompts of the tier's server may take; without a limit a very large number."""
    try:
        values = parse(tier.server.extra_args, dict(tier.server.env)).values
    except LlmstackError:
        return UNTOLD
    limit = values.get("cache-ram", UNTOLD // _MIB)
    if not isinstance(limit, int):
        return UNTOLD
    return limit * _MIB if limit >= 0 else 1 << 50


def limits_for(totals: Iterable[Total]) -> dict[str, int]:
    """What each tier of a new stack may take: its part of what the tightest set leaves.

    Tiers for which the usual limit is small enough are left out, and so is all where the machine's
    memory is not counted.
    """
    limits: dict[str, int] = {}
    for total in totals:
        if (left := total.spare) is None:
            continue
        part = max(left // len(total.loads) // STEP * STEP, 0)
        for name in total.tiers:
            limits[name] = min(part, limits.get(name, UNTOLD))
    return {name: limit for name, limit in limits.items() if limit < UNTOLD}


def notes(totals: Iterable[Total], tiers: Mapping[str, Tier]) -> tuple[str, ...]:
    """A line for each set that fits now and may not once the caches are full."""
    found = []
    for total in totals:
        caches = sum(limit_of(tiers[name]) for name in total.tiers)
        left = total.spare
        if left is not None and total.fits and caches > left:
            size = shown(caches) if caches < 1 << 50 else "any amount"
            found.append(
                f"{' + '.join(total.tiers)}: with use, remembered prompts add up to {size}, and "
                f"{shown(left)} are left; extra_args = --cache-ram 512 limits a tier to 512 MiB."
            )
    return tuple(found)
