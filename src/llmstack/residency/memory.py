"""Residency by memory: as many models as fit, and the least valuable ones leave for a newcomer."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmstack.errors import NoRoom
from llmstack.residency.eviction import Candidate, cheapest
from llmstack.residency.explanation import Explanation, listing
from llmstack.residency.footprint import Known
from llmstack.residency.idle import ALL_IN_USE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.config.swap import MemoryPlan, SwapModel
    from llmstack.residency.footprint import Pool
    from llmstack.residency.idle import Idle

#: Bytes that are taken to load in a second, where no load was measured.
LOAD_RATE = 1 << 30

_UNKNOWN = Known(None, "unknown")


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """What was found out for the rule: bytes of the ``pool`` and each model's memory.

    ``what`` names the pool for people.
    """

    capacity: int = 0
    pool: Pool = "machine"
    what: str = "memory"
    known: Mapping[str, Known] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Holder:
    """A running model in a ``MemorySum``."""

    model: str
    known: Known
    pinned: bool
    evicted: bool


@dataclass(frozen=True, slots=True)
class MemorySum:
    """The arithmetic of one decision, in bytes. ``left`` may be negative: then it is a try.

    ``taken`` is what runs now, ``freed`` what of it goes. Sizes that nobody knows count as 0.
    """

    budget: int
    needed: Known
    running: tuple[Holder, ...]
    taken: int
    freed: int

    @property
    def left(self) -> int:
        """What is free once the newcomer is loaded."""
        return self.budget - self.taken + self.freed - (self.needed.size or 0)


class MemoryResidency:
    """The rules of ``routing.router.use: memory``.

    Footprints of all that runs stay within ``budget``. When T does not fit beside the others,
    those go whose loss costs least: the seconds that they take to load again per second that they
    have been idle. Models in use go only if no others will do, pinned ones never.

    A model of unknown size runs alone, beside pinned ones. So does one whose estimate or
    measurement is larger than the budget: a failed load tells more than a guess. But a declared
    size is the user's own word, and ``refusal`` takes it for what it is.
    """

    def __init__(self, budget: int, pinned: Iterable[str], known: Mapping[str, Known]) -> None:
        self.budget = budget
        self._pinned = frozenset(pinned)
        self._known = dict(known)

    def evict(self, target: str, running: Iterable[str], idle: Idle = ALL_IN_USE) -> frozenset[str]:
        """The running models that must stop before ``target`` starts.

        Nothing stops when ``target`` itself is among the running.
        """
        present = frozenset(running)
        if target in present:
            return frozenset()
        movable = present - self._pinned
        size = self._of(target).size
        if size is None:
            return movable
        unknown = frozenset(model for model in movable if self._of(model).size is None)
        need = sum(self._size(model) for model in present) + size - self.budget
        chosen = cheapest((self._candidate(m, idle) for m in movable - unknown), need)
        return movable if chosen is None else chosen | unknown

    def refusal(self, target: str, running: Iterable[str]) -> NoRoom | None:
        """Why ``target`` cannot be loaded whatever is unloaded for it; None if it may be tried."""
        present = frozenset(running)
        known = self._of(target)
        if target in present or known.source != "declared" or known.size is None:
            return None
        held = {model: self._size(model) for model in present & self._pinned}
        if known.size + sum(held.values()) <= self.budget:
            return None
        why = f"It needs {shown(known.size)} (declared); the budget is {shown(self.budget)}"
        fix = f"Raise the budget of routing.router.settings.memory, or lower {target}'s memory."
        if held:
            why += f", of which pinned models hold {shown(sum(held.values()))}"
            fix = f"Unload {listing(frozenset(held))}, unpin it, or raise the budget."
        return NoRoom(f"{target} does not fit into memory", why=f"{why}.", fix=fix)

    def explain(self, target: str, running: Iterable[str], idle: Idle = ALL_IN_USE) -> Explanation:
        """``evict`` with its reason and the sum."""
        present = frozenset(running)
        refused = self.refusal(target, present)
        evicted: frozenset[str] = frozenset() if refused else self.evict(target, present, idle)
        holders = tuple(
            Holder(model, self._of(model), model in self._pinned, model in evicted)
            for model in sorted(present)
        )
        total = MemorySum(
            budget=self.budget,
            needed=self._of(target),
            running=holders,
            taken=sum(self._size(model) for model in present),
            freed=sum(self._size(model) for model in evicted),
        )
        if refused:
            reason = f"{refused.what}. {refused.why}"
        else:
            reason = self._reason(target, present, evicted, total)
        return Explanation(target, evicted, reason, total)

    def known(self, model: str) -> Known:
        """What is known of a model's memory."""
        return self._of(model)

    def _reason(
        self, target: str, present: frozenset[str], evicted: frozenset[str], total: MemorySum
    ) -> str:
        if target in present:
            return f"{target} is already running, so nothing stops."
        who = f"{listing(evicted)} stops" if evicted else "nothing else stops"
        if total.needed.size is None:
            return f"nobody knows yet how much memory {target} takes, so it runs alone: {who}."
        if total.left < 0:
            return (
                f"{target} may not fit even so ({shown(-total.left)} too much), but its size is "
                f"only {total.needed.source}, so it is tried alone: {who}."
            )
        if unknown := {m for m in evicted if self._of(m).size is None}:
            who += f"; nobody knows how much memory {listing(frozenset(unknown))} takes"
        if not evicted:
            return f"{target} fits beside all running models."
        return f"{who}: of what makes room for {target} that is the least loss."

    def _candidate(self, model: str, idle: Idle) -> Candidate:
        known = self._of(model)
        seconds = known.load_seconds
        if seconds is None:
            seconds = self._size(model) / LOAD_RATE
        age = max(idle.get(model, 1.0), 1.0)
        loss = 0 if age == inf else max(round(1e9 * seconds / age), 1)
        return Candidate(model, self._size(model), loss, in_use=model not in idle)

    def _of(self, model: str) -> Known:
        return self._known.get(model, _UNKNOWN)

    def _size(self, model: str) -> int:
        return self._of(model).size or 0


def declared(models: Iterable[SwapModel]) -> dict[str, Known]:
    """What the configuration itself says of the memory of ``models``."""
    return {
        model.id: Known(model.memory, "declared") for model in models if model.memory is not None
    }


def budget_of(plan: MemoryPlan, facts: MemoryFacts) -> int:
    """Bytes that all models may take together."""
    return max(facts.capacity - plan.margin, 0) if plan.budget is None else plan.budget


def shown(size: int) -> str:
    """Bytes for people."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"
