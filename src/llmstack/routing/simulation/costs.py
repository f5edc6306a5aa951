"""What loading and reading cost, for machines that are only imagined.

The numbers are round ones of a machine with one fast memory of 64 GB and a solid-state disk; where
they are checked against a real engine is in ``docs/routing-day.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.stack import Stack

#: Seconds that every load takes, and GB that are read in one.
START: Final = 1.5
DISK: Final = 1.5
#: Prompt tokens a second of a model of 1 GB, and of the largest: those are mixtures, of which each
#: token meets a part.
PREFILL: Final = 4000.0
LEAST_PREFILL: Final = 400.0
MOST_PREFILL: Final = 2500.0
#: Tokens written in a second, likewise.
DECODE: Final = 250.0
LEAST_DECODE: Final = 25.0
MOST_DECODE: Final = 120.0
#: GB of a model that does not say.
UNKNOWN: Final = 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one model: seconds to load it, and tokens a second that it reads and writes.

    ``ttl`` are the idle seconds after which it leaves, 0 for never. To load and to read a model
    that others host costs nothing.
    """

    load: float = 0.0
    prefill: float = MOST_PREFILL
    decode: float = MOST_DECODE
    ttl: float = 0.0
    hosted: bool = False

    def read(self, tokens: float) -> float:
        """Seconds to read ``tokens``."""
        return 0.0 if self.hosted else tokens / self.prefill


def cost_of(size: float, ttl: float = 0.0, disk: float = DISK) -> Cost:
    """The cost of a model of ``size`` GB on a disk that reads ``disk`` GB a second."""
    return Cost(
        load=START + size / disk,
        prefill=min(max(PREFILL / size, LEAST_PREFILL), MOST_PREFILL),
        decode=min(max(DECODE / size, LEAST_DECODE), MOST_DECODE),
        ttl=ttl,
    )


def costs_of(stack: Stack, disk: float = DISK) -> Mapping[str, Cost]:
    """The cost of every tier of ``stack``, by its name."""
    return {
        tier.name: Cost(hosted=True)
        if tier.hosted
        else cost_of(tier.weights.size_gb or UNKNOWN, tier.ttl, disk)
        for tier in stack.tiers
    }
