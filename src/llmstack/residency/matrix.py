"""Residency by a matrix: named sets of models that may run together, and what eviction costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.residency.combinations import Search
from llmstack.residency.explanation import Explanation, listing
from llmstack.residency.idle import ALL_IN_USE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.residency.idle import Idle
    from llmstack.residency.sets import LinkedSet

#: Decisions remembered before all are forgotten.
_CACHE_SIZE = 4096


class MatrixResidency:
    """The rules of ``matrix``.

    A set only permits its models to run together. Among the combinations with the target, the one
    that leaves the least cost of running models outside wins, the first one among equals: sets in
    the order given, combinations from left to right. ``costs`` is by model id, 1 where missing.
    """

    def __init__(
        self, sets: Iterable[LinkedSet], bits: Mapping[str, int], costs: Mapping[str, int]
    ) -> None:
        self._bits = dict(bits)
        self._costs = {bit: costs.get(model, 1) for model, bit in bits.items()}
        self._model_costs = dict(costs)
        self._models = {bit: model for model, bit in bits.items()}
        self._sets_with: dict[str, list[LinkedSet]] = {model: [] for model in bits}
        for linked in sets:
            for bit in _bits_of(linked.family.support):
                self._sets_with[self._models[bit]].append(linked)
        self._weights: dict[int, int] = {0: 0}
        self._decisions: dict[tuple[str, frozenset[str]], tuple[frozenset[str], str]] = {}

    def evict(self, target: str, running: Iterable[str], _: Idle = ALL_IN_USE) -> frozenset[str]:
        """The running models that must stop before ``target`` starts.

        Nothing stops when ``target`` itself is among the running.
        """
        return self._decide(target, frozenset(running))[0]

    def explain(self, target: str, running: Iterable[str], _: Idle = ALL_IN_USE) -> Explanation:
        """``evict`` with its reason."""
        present = frozenset(running)
        evicted, set_name = self._decide(target, present)
        if target in present:
            reason = f"{target} is already running, so nothing stops."
        elif not set_name:
            who = f"{listing(evicted)} stops" if evicted else "nothing else runs"
            reason = f"{target} is in no set of the matrix and runs alone: {who}."
        elif not evicted:
            reason = f'set "{set_name}" permits {target} beside all running models.'
        else:
            kept = listing(present - evicted) or "no running model"
            cost = sum(self._model_costs.get(model, 1) for model in evicted)
            reason = (
                f'set "{set_name}" keeps {kept} at the lowest cost: '
                f"{listing(evicted)} stops (cost {cost})."
            )
        return Explanation(target, evicted, reason)

    def refusal(self, _: str, __: Iterable[str]) -> None:
        """None: whoever stands in the way stops."""

    def _decide(self, target: str, running: frozenset[str]) -> tuple[frozenset[str], str]:
        key = (target, running)
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= _CACHE_SIZE:
                self._decisions.clear()
                self._weights = {0: 0}
            decision = self._decisions[key] = self._solve(target, running)
        return decision

    def _solve(self, target: str, running: frozenset[str]) -> tuple[frozenset[str], str]:
        """The evicted models and the name of the set that decided, if one did."""
        if target in running:
            return frozenset(), ""
        present = 0
        for model in running:
            present |= self._bits.get(model, 0)
        search = Search(self._bits.get(target, 0), present, self._weight)
        best, best_cost, best_name = 0, -1, ""
        for linked in self._sets_with.get(target, ()):
            least = self._weight(present & ~linked.family.support)
            if 0 <= best_cost <= least:
                continue
            mask = search.best(linked.family)
            if mask is None:
                continue
            cost = self._weight(present & ~mask)
            if best_cost < 0 or cost < best_cost:
                best, best_cost, best_name = mask, cost, linked.name
        kept = {self._models[bit] for bit in _bits_of(best & present)}
        return running - kept, best_name

    def _weight(self, mask: int) -> int:
        """The summed cost of the models in ``mask``."""
        weight = self._weights.get(mask)
        if weight is None:
            weight = sum(self._costs[bit] for bit in _bits_of(mask))
            self._weights[mask] = weight
        return weight


def _bits_of(mask: int) -> Iterable[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit
