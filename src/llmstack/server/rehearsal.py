"""A stack on an imagined machine, rehearsed: the daemon's own routing, residency and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmstack.config.render import render_swap
from llmstack.config.swap_loader import parse_swap
from llmstack.residency import compile_residency
from llmstack.routing import ladder
from llmstack.routing.simulation import (
    ExplicitPolicy,
    LadderPolicy,
    OncePolicy,
    SimulatedMachine,
    StickyPolicy,
    costs_of,
    outcome,
    simulate,
)
from llmstack.routing.simulation.costs import DISK
from llmstack.server.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmstack.config.stack import Stack
    from llmstack.residency import Residency
    from llmstack.routing import Ladder
    from llmstack.routing.simulation import Cost, Event, Outcome, Policy, Step

_POLICIES: Final[Mapping[str, Callable[[Ladder], Policy]]] = {
    "ladder": LadderPolicy,
    "ladder+mode": lambda rungs: LadderPolicy(rungs, declared=True),
    "explicit": ExplicitPolicy,
    "sticky": lambda rungs: StickyPolicy(rungs, Sessions),
    "once": OncePolicy,
}
#: What each policy is, for people.
MEANINGS: Final[Mapping[str, str]] = {
    "ladder": "the bare ladder, sticky = off",
    "ladder+mode": "the ladder for every request, told of the agent's mode",
    "explicit": "llama-swap: the client names a model for each of its agents",
    "sticky": "llmstack: routing that knows sessions and prices",
    "once": "no policy but a yardstick: each fresh turn gets its wish, nothing else moves",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stack is rehearsed on: its ladder, its residency rule and what its models cost."""

    ladder: Ladder
    residency: Residency
    costs: Mapping[str, Cost]
    preload: tuple[str, ...]

    def machine(self) -> SimulatedMachine:
        """A machine on which only what is preloaded is loaded."""
        return SimulatedMachine(self.residency, self.costs, self.preload)

    def policy(self, name: str) -> Policy:
        """A policy that has seen nothing yet; KeyError for a name that is none."""
        return _POLICIES[name](self.ladder)

    def play(self, events: Sequence[Event], policy: Policy) -> tuple[Outcome, tuple[Step, ...]]:
        """Put ``events`` through a policy on a new machine."""
        machine = self.machine()
        steps = simulate(events, policy, machine)
        return outcome(steps, self.ladder, machine), steps


def stage(stack: Stack, disk: float = DISK) -> Stage:
    """The stage of ``stack`` with the rules that its engine would have.

    ``disk`` is how many GB of a model are loaded in a second.
    """
    # No server is started: the command only has to be one.
    text = render_swap(stack, llama_server=("llama-server",))
    return Stage(
        ladder=ladder(stack),
        residency=compile_residency(parse_swap(text, stack.source, {})),
        costs=costs_of(stack, disk),
        preload=tuple(tier.name for tier in stack.local if tier.preload),
    )
