"""What is known of one upstream, shared by all tiers behind the same address and key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmstack.backends.breaker import Breaker

if TYPE_CHECKING:
    from llmstack.backends.protocol import House

#: Seconds for which it is remembered that an upstream does not do something.
MEMORY = 3600.0
#: Seconds for which an upstream that refused our key counts as unusable.
BARRED = 60.0


@dataclass(slots=True)
class Standing:
    """How an upstream is. ``lacks`` says until when it counts as not speaking an API."""

    breaker: Breaker
    lacks: dict[str, float] = field(default_factory=dict)
    #: Whether the last answer was one; None before the first.
    answered: bool | None = None
    #: Why it was none, after the name of whoever asks.
    problem: str = ""
    #: Until when our key counts as refused.
    barred: float = 0.0

    def problem_of(self, name: str) -> str:
        """The problem in the words of the tier called ``name``; empty if there is none."""
        return self.problem and f"{name} {self.problem}"

    def knows(self, what: str, now: float) -> bool:
        """Whether ``what`` may be tried."""
        return self.lacks.get(what, now) <= now

    def learn(self, what: str, now: float) -> None:
        """Remember that it does not do ``what``."""
        self.lacks[what] = now + MEMORY


def standing_of(house: House, base: str, key: str) -> Standing:
    """The standing of the upstream at ``base`` for those with the key of the variable ``key``."""
    found = house.standings.get((base, key))
    if found is None:
        found = Standing(Breaker(house.now, house.random))
        house.standings[base, key] = found
    return found
