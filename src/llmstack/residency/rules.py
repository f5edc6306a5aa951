"""From a configuration to the rule that decides who must leave for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llmstack.errors import ConfigError
from llmstack.residency.groups import GroupResidency
from llmstack.residency.idle import ALL_IN_USE
from llmstack.residency.matrix import MatrixResidency
from llmstack.residency.memory import MemoryFacts, MemoryResidency, budget_of, declared
from llmstack.residency.sets import link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.swap import SwapConfig
    from llmstack.errors import RequestError
    from llmstack.residency.explanation import Explanation
    from llmstack.residency.idle import Idle


class Residency(Protocol):
    """Which models may be loaded together. A pure function of its arguments.

    ``running`` is every model that takes memory or is about to: starting, ready and stopping
    ones, and the targets of swaps under way. It may contain ``target``.
    """

    def evict(
        self, target: str, running: Iterable[str], idle: Idle = ALL_IN_USE, /
    ) -> frozenset[str]:
        """The running models that must stop before ``target`` starts; never ``target``."""
        ...

    def explain(
        self, target: str, running: Iterable[str], idle: Idle = ALL_IN_USE, /
    ) -> Explanation:
        """The same decision with its reason."""
        ...

    def refusal(self, target: str, running: Iterable[str], /) -> RequestError | None:
        """Why ``target`` cannot be loaded while ``running`` does, whatever stops; or None."""
        ...


def compile_residency(config: SwapConfig, facts: MemoryFacts | None = None) -> Residency:
    """The rule that ``config`` asks for: memory or a matrix if it has one, else its groups.

    ``facts`` is what is known for the rule by memory; without them, what the configuration says.
    Raises ConfigError with every mistake in the expressions of the matrix.
    """
    if config.memory is not None:
        facts = facts or MemoryFacts(known=declared(config.models.values()))
        budget = budget_of(config.memory, facts)
        return MemoryResidency(budget, config.memory.pinned, facts.known)
    if config.matrix is None:
        return GroupResidency(config.groups)
    linked = link(config.matrix, config.models, config.source)
    if linked.problems:
        raise ConfigError(linked.problems)
    matrix_vars = config.matrix.vars
    costs = {matrix_vars.get(key, key): cost for key, cost in config.matrix.evict_costs.items()}
    return MatrixResidency(linked.sets, linked.bits, costs)
