"""What to do for a request that waits for a model: serve it, swap for it, or let it wait.

A pure function over what runs now. The rules are llama-swap's scheduler rules (its behaviour
report, section 4.6): a swap never interrupts running requests, swaps that do not touch each
other run side by side, and a model that is ready and unthreatened is served at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.errors import RequestError
    from llmstack.residency import Idle, Residency


class State(StrEnum):
    """Where a model's process is in its life."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap under way: ``target`` starts once every one of ``victims`` has stopped."""

    target: str
    victims: frozenset[str]


@dataclass(frozen=True, slots=True)
class Situation:
    """What the plan may look at: the state of every model, who is busy, which swaps run.

    ``protected`` models became ready so lately that no swap may stop them yet. ``idle`` says for
    how long each model has been idle that is ready and that nobody holds, protected or not.
    """

    states: Mapping[str, State]
    busy: frozenset[str] = frozenset()
    swaps: tuple[Swap, ...] = ()
    protected: frozenset[str] = frozenset()
    idle: Idle = field(default_factory=dict)

    def hurried(self) -> Situation:
        """The same for a request that has waited too long to respect any protection."""
        return replace(self, protected=frozenset()) if self.protected else self

    def movable(self) -> Idle:
        """For how long each model has been idle that could stop now; see ``residency.idle``."""
        idle = {model: for_ for model, for_ in self.idle.items() if model not in self.protected}
        for model, state in self.states.items():
            if state is State.STOPPING:
                idle[model] = inf
        return idle

    def running(self) -> frozenset[str]:
        """Models that hold memory, or are about to."""
        alive = {model for model, state in self.states.items() if state is not State.STOPPED}
        return frozenset(alive | {swap.target for swap in self.swaps})


@dataclass(frozen=True, slots=True)
class Serve:
    """The model is ready and nothing threatens it."""


@dataclass(frozen=True, slots=True)
class Evict:
    """Stop ``victims`` (perhaps none), then start the model."""

    victims: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done yet; ``why`` says what is being waited for."""

    why: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The model cannot be loaded, whatever stops for it."""

    error: RequestError


def plan(target: str, now: Situation, residency: Residency) -> Serve | Evict | Wait | Refuse:
    """Decide what happens next for a request for ``target``."""
    if any(swap.target == target for swap in now.swaps):
        return Wait("loading")
    if now.states[target] is State.STOPPING:
        return Wait("its own process is stopping")
    running = now.running()
    if refused := residency.refusal(target, running):
        return Refuse(refused)
    victims = residency.evict(target, running, now.movable()) - {target}
    threatened = next((swap for swap in now.swaps if target in swap.victims), None)
    if threatened:
        return Wait(f"being evicted for {threatened.target}")
    if now.states[target] is State.READY and not victims:
        return Serve()
    for swap in now.swaps:
        if swap.target in victims or victims & swap.victims:
            return Wait(f"the swap to {swap.target} must finish first")
    busy = sorted(victims & now.busy)
    if busy:
        return Wait(f"{', '.join(busy)} must finish answering first")
    fresh = sorted(victims & now.protected)
    if fresh:
        return Wait(f"{', '.join(fresh)} may stay a little longer")
    return Evict(victims)
