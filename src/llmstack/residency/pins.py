"""Models that are to stay, and whether the rule of a configuration can promise that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmstack.residency.groups import DEFAULT_GROUP
from llmstack.residency.rules import compile_residency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.swap import Matrix, SwapConfig


@dataclass(frozen=True, slots=True)
class Broken:
    """A pin that does not hold: a load of ``target`` stops ``pinned``. ``fix`` says what to write.

    ``reason`` is the rule's own.
    """

    pinned: str
    target: str
    reason: str
    fix: str


def with_pins(config: SwapConfig, pins: Mapping[str, bool]) -> SwapConfig:
    """``config`` with models pinned (True) or not (False), whatever it says itself.

    Pinned ones have no time to live. Under the rule by memory they are among its ``pinned``; in a
    matrix losing one of them costs more than losing all others. Groups have no word for it: there a
    model stays if the groups say so (``broken``).
    """
    stay = {model for model, pinned in pins.items() if pinned and model in config.models}
    models = {
        model.id: replace(model, ttl=0) if model.id in stay else model
        for model in config.models.values()
    }
    memory, matrix = config.memory, config.matrix
    if memory is not None:
        others = (model for model in memory.pinned if pins.get(model, True))
        memory = replace(memory, pinned=tuple(dict.fromkeys((*others, *sorted(stay)))))
    elif matrix is not None and stay:
        matrix = _dear(matrix, stay, len(models))
    return replace(config, models=models, memory=memory, matrix=matrix)


def broken(config: SwapConfig, pinned: frozenset[str]) -> Broken | None:
    """A pin of ``pinned`` that the rule of ``config`` cannot keep; ``with_pins`` has made it.

    Under the rule by memory all can be kept: what has no room beside them is refused. Otherwise a
    pinned model stays if, for every other model, there is a way to load it that stops no pinned
    one. Groups decide for each pair on its own, and a matrix prefers that way by its costs.

    Raises ConfigError for a matrix that makes no sense.
    """
    if config.memory is not None or not pinned:
        return None
    residency = compile_residency(config)
    for target in config.models:
        others = pinned - {target}
        leaving = residency.evict(target, others)
        if leaving:
            model = min(leaving)
            reason = residency.explain(target, others).reason
            return Broken(model, target, reason, _fix(config, model, target))
    return None


def _dear(matrix: Matrix, stay: set[str], models: int) -> Matrix:
    """The matrix in which a model of ``stay`` costs more than all others together."""
    called = {model: name for name, model in matrix.vars.items()}
    most = sum(matrix.evict_costs.values()) + models + 1
    costs = {called.get(model, model): most for model in stay}
    return replace(matrix, evict_costs={**matrix.evict_costs, **costs})


def _fix(config: SwapConfig, model: str, target: str) -> str:
    stack = f"In a stack, role = fast in [{model}] of models.ini does that."
    if config.matrix is not None:
        return f"Let a set of matrix.sets permit {target} beside {model}. {stack}"
    groups = {member: group for group in config.groups for member in group.members}
    own, other = groups.get(model, DEFAULT_GROUP), groups.get(target, DEFAULT_GROUP)
    if own is DEFAULT_GROUP:
        return f"Give {model} a group with persistent: true and exclusive: false. {stack}"
    if own is other:
        return f"Write groups.{own.id}.swap: false."
    return f"Write groups.{own.id}.persistent: true."
