"""From a configuration to the rule that decides who must leave for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llmstack.config.problems import Problem
from llmstack.errors import ConfigError
from llmstack.residency.groups import GroupResidency
from llmstack.residency.matrix import MatrixResidency
from llmstack.residency.sets import link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.swap import SwapConfig
    from llmstack.residency.explanation import Explanation


class Residency(Protocol):
    """Which models may be loaded together. A pure function of its arguments.

    ``running`` is every model that takes memory or is about to: starting, ready and stopping
    ones, and the targets of swaps under way. It may contain ``target``.
    """

    def evict(self, target: str, running: Iterable[str]) -> frozenset[str]:
        """The running models that must stop before ``target`` starts; never ``target``."""
        ...

    def explain(self, target: str, running: Iterable[str]) -> Explanation:
        """The same decision with its reason."""
        ...


def compile_residency(config: SwapConfig) -> Residency:
    """The rule that ``config`` asks for: its matrix if it has one, else its groups.

    Raises ConfigError with every mistake in the expressions of the matrix, and for the rule by
    memory, which does not exist yet.
    """
    if config.memory is not None:
        message = "routing.router.use is 'memory', which this version cannot do yet."
        raise ConfigError([Problem(config.source, None, message, "Write group or matrix.")])
    if config.matrix is None:
        return GroupResidency(config.groups)
    linked = link(config.matrix, config.models, config.source)
    if linked.problems:
        raise ConfigError(linked.problems)
    matrix_vars = config.matrix.vars
    costs = {matrix_vars.get(key, key): cost for key, cost in config.matrix.evict_costs.items()}
    return MatrixResidency(linked.sets, linked.bits, costs)
