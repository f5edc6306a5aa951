"""A day put through a policy on an imagined machine, and what it lost."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from llmstack.routing.decide import decide
from llmstack.routing.kind import SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.routing.ladder import Ladder
    from llmstack.routing.simulation.event import Event
    from llmstack.routing.simulation.machine import Served, SimulatedMachine
    from llmstack.routing.simulation.policies import Policy


@dataclass(frozen=True, slots=True)
class Step:
    """One request: when it came, who answered, how, and the tokens that were new in it."""

    event: Event
    came: float
    model: str
    served: Served
    new: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a day lost.

    A swap is a load for which another model had to leave, or which brings back one that had to;
    ``swap_seconds`` are those of such loads. ``reread_seconds`` were spent on prompt text that a
    model which had answered the whole conversation, undisturbed, would still have known.
    ``side_swaps`` are swaps for titles, summaries, probes and counts. ``fresh`` counts the turns
    that users began, ``as_wished`` those that got the tier of an unhindered decision that knows
    the agent's declared mode, ``as_bare`` those that got the bare ladder's.
    """

    requests: int
    swaps: int
    side_swaps: int
    subagent_swaps: int
    swap_seconds: float
    reread_seconds: float
    cold_loads: int
    fresh: int
    as_wished: int
    as_bare: int

    @property
    def lost(self) -> float:
        """Seconds in all."""
        return self.swap_seconds + self.reread_seconds


def simulate(
    events: Sequence[Event], policy: Policy, machine: SimulatedMachine
) -> tuple[Step, ...]:
    """Every request in the order in which they came."""
    waiting: dict[int, list[int]] = {}
    due: list[tuple[float, int]] = []
    for number, event in enumerate(events):
        if event.after is None:
            due.append((event.at, number))
        else:
            waiting.setdefault(event.after, []).append(number)
    heapify(due)
    known: dict[str, int] = {}
    steps = []
    while due:
        now, number = heappop(due)
        event = events[number]
        machine.expire(now)
        model = policy.choose(event, machine, now)
        served = machine.serve(model, event, now)
        new = max(event.tokens - known.get(event.conversation, 0), 0)
        known[event.conversation] = event.tokens + event.output
        steps.append(Step(event, now, model, served, new))
        for follower in waiting.pop(number, ()):
            heappush(due, (served.ended + events[follower].pause, follower))
    return tuple(steps)


def outcome(steps: Sequence[Step], ladder: Ladder, machine: SimulatedMachine) -> Outcome:
    """The sums of a simulated day."""
    evicted: set[str] = set()
    swaps: list[Step] = []
    cold = 0
    reread = 0.0
    fresh = [step for step in steps if step.event.fresh]
    for step in steps:
        served = step.served
        if served.load:
            if served.evicted or step.model in evicted:
                swaps.append(step)
            else:
                cold += 1
            evicted = (evicted | served.evicted) - {step.model}
        reread += machine.costs[step.model].read(max(served.read - step.new, 0))
    return Outcome(
        requests=len(steps),
        swaps=len(swaps),
        side_swaps=sum(step.event.kind in SIDE for step in swaps),
        subagent_swaps=sum(step.event.client.is_subagent for step in swaps),
        swap_seconds=sum(step.served.load for step in swaps),
        reread_seconds=reread,
        cold_loads=cold,
        fresh=len(fresh),
        as_wished=sum(
            step.model == decide(step.event.view, ladder, step.event.mode).model for step in fresh
        ),
        as_bare=sum(step.model == decide(step.event.view, ladder).model for step in fresh),
    )
