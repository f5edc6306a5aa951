"""Who chooses the model of each request of a day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from llmstack.routing.decide import decide, requested
from llmstack.routing.kind import SIDE
from llmstack.routing.price import Machine, Place
from llmstack.routing.route import route

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping

    from llmstack.routing.ladder import Ladder, Role
    from llmstack.routing.session import Client
    from llmstack.routing.simulation.event import Event
    from llmstack.routing.simulation.machine import SimulatedMachine
    from llmstack.routing.turns import SessionState


class Policy(Protocol):
    """``choose`` names the model for a request that comes at ``now``."""

    def choose(self, event: Event, machine: SimulatedMachine, now: float) -> str:
        """The model's name."""
        ...


class Remembered(Protocol):
    """The sessions that a daemon remembers (``server.sessions``)."""

    def get(self, key: bytes | None) -> SessionState | None:
        """The state of a session."""
        ...

    def keep(self, key: bytes, state: SessionState) -> None:
        """Remember a session."""
        ...

    def users(self, but: bytes) -> Counter[str]:
        """How many other sessions have used each model lately."""
        ...


class LadderPolicy:
    """The bare ladder. ``declared`` lets it know the mode that the client's agent declares."""

    def __init__(self, ladder: Ladder, *, declared: bool = False) -> None:
        self._ladder = replace(ladder, sticky=False)
        self._declared = declared

    def choose(self, event: Event, machine: SimulatedMachine, now: float) -> str:  # noqa: ARG002
        """What the words and the size of this one request say."""
        if self._declared:
            return decide(event.view, self._ladder, event.mode).model
        return route(event.view, self._ladder).decision.model


class OncePolicy:
    """Every wish of a fresh turn is granted, and nothing else ever moves: a yardstick.

    What the ladder (with the declared mode) chooses for a user's fresh turn answers the whole
    turn, sub-agents and compactions as well; side work goes to the small tier.
    """

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._turns: dict[bytes, str] = {}
        self._side = ExplicitPolicy(ladder)

    def choose(self, event: Event, machine: SimulatedMachine, now: float) -> str:
        """The model of the turn."""
        if event.kind in SIDE:
            return self._side.choose(event, machine, now)
        session = event.client.parent or event.client.session
        model = self._turns.get(session)
        rung = self._ladder.rung_of(model) if model else None
        fits = rung is not None and rung.fits(event.tokens, event.view.max_output)
        if model is None or event.fresh or not fits:
            model = self._turns[session] = decide(event.view, self._ladder, event.mode).model
        return model


class ExplicitPolicy:
    """llama-swap as it is used: the client names a model for each of its agents.

    Titles and other side work go to the small model, planning to the planner, the rest to the
    coding agent; a tier that the stack has not is the coding agent's or the first one.
    """

    def __init__(self, ladder: Ladder) -> None:
        rungs = ladder.rungs
        first = next(iter(rungs.values())).model

        def of(*roles: Role) -> str:
            return next((rungs[role].model for role in roles if role in rungs), first)

        self._small, self._agent = of("fast", "agent"), of("agent", "ultra", "fast")
        self._plan = of("plan", "agent", "ultra")

    def choose(self, event: Event, machine: SimulatedMachine, now: float) -> str:  # noqa: ARG002
        """The model that the client's configuration names."""
        if event.kind in SIDE:
            return self._small
        return self._plan if event.agent == "plan" else self._agent


class StickyPolicy:
    """Routing that knows the session and the machine, as the daemon calls it.

    ``remembered`` makes the daemon's memory of sessions from a clock. What a load and reading cost
    is learned from the first time that it happens.
    """

    def __init__(
        self, ladder: Ladder, remembered: Callable[[Callable[[], float]], Remembered]
    ) -> None:
        self._ladder = replace(ladder, sticky=True)
        self._now = 0.0
        self._sessions = remembered(lambda: self._now)

    def choose(self, event: Event, machine: SimulatedMachine, now: float) -> str:
        """What ``routing.route`` says."""
        self._now = now
        client: Client = event.client
        routed = route(
            event.view,
            self._ladder,
            self._sessions.get(client.session),
            self._machine(machine, client.session),
            kind=event.kind,
            mode=event.mode,
            parent=self._sessions.get(client.parent),
        )
        self._sessions.keep(client.session, routed.state)
        return routed.decision.model

    def _machine(self, machine: SimulatedMachine, session: bytes) -> Machine:
        users = self._sessions.users(session)
        names = {rung.model for rung in self._ladder.rungs.values()}
        return Machine({name: self._place(machine, name, users[name]) for name in names})

    def _place(self, machine: SimulatedMachine, name: str, users: int) -> Place:
        cost, loads = machine.costs[name], machine.loads(name)
        if cost.hosted:
            return Place(ready=True, hosted=True, users=users)
        return Place(
            ready=machine.is_ready(name, self._now),
            loading=machine.is_loading(name, self._now),
            busy=machine.is_busy(name, self._now),
            users=users,
            load_seconds=cost.load if loads else None,
            prefill=cost.prefill if loads else None,
            evicts=machine.evicts(name),
            load=loads,
        )


class NamedFirst:
    """Another policy for what asks for ``auto``; a model that the client names is used."""

    def __init__(self, policy: Policy, models: Mapping[str, str]) -> None:
        self._policy = policy
        self._models = models

    def choose(self, event: Event, machine: SimulatedMachine, now: float) -> str:
        """The named model, else the other policy's choice."""
        if not requested(event.view.model) and (own := self._models.get(event.view.model or "")):
            return own
        return self._policy.choose(event, machine, now)
