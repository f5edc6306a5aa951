"""Who is served next: the state under the scheduler and the steps its events are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.life import Holder, Life
from llmstack.engine.plan import Evict, Refuse, Serve, Situation, State, Swap, Wait, plan
from llmstack.engine.queue import Limits, Queue
from llmstack.engine.status import Outlook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.swap import SwapModel
    from llmstack.engine.queue import Waiting
    from llmstack.errors import RequestError
    from llmstack.residency import Residency


class Turns:
    """Models, lives, queue and swaps. Only ``Scheduler``, its subclass, tells it what happened."""

    def __init__(
        self,
        models: Iterable[SwapModel],
        residency: Residency,
        priorities: dict[str, int] | None = None,
        limits: Limits = Limits(),  # noqa: B008  a frozen value
    ) -> None:
        self._models = {model.id: model for model in models}
        self._residency = residency
        self._priorities = priorities or {}
        self._limits = limits
        self._lives = {model: Life() for model in self._models}
        self._queue = Queue()
        self._holders: dict[int, Holder] = {}
        self._swaps: dict[str, set[str]] = {}  # target -> victims that have not stopped yet
        self._victims: dict[str, frozenset[str]] = {}  # target -> all its victims
        # Ready models that plan() served since the last change.
        self._unthreatened: set[str] = set()
        self._generations = 0
        self._now = 0.0  # of the last event that had a time; see ``acquire``
        self._closing = False

    # What a caller may look at.

    def state(self, model: str) -> State:
        """The state of one model."""
        return self._lives[model].state if model in self._lives else State.STOPPED

    def in_flight(self, model: str) -> int:
        """Requests that hold the model now."""
        return self._lives[model].in_flight

    def outlook(self, model: str) -> Outlook:
        """What a request for one model would meet; nothing happens by looking."""
        life = self._lives[model]
        ready = life.state is State.READY
        evicts: frozenset[str] = frozenset()
        if not ready:
            now = self.situation()
            evicts = self._residency.evict(model, now.running(), now.movable()) - {model}
        return Outlook(life.state, life.in_flight > 0, evicts)

    def used(self, model: str) -> bool:
        """Whether its present process has served somebody."""
        return model in self._lives and self._lives[model].used

    def waiting(self, model: str) -> int:
        """Requests that wait for the model now."""
        return len(self._queue.of(model))

    def idle_deadline(self, model: str) -> float | None:
        """When the model's time to live ends if nobody comes; None while it is in use."""
        return self._deadline(model, self._lives[model], self._queue.wanted())

    def is_clear(self, model: str) -> bool:
        """Whether ``acquire`` would grant at once."""
        if model not in self._models:
            return False
        life = self._lives[model]
        if self._closing or life.admitted >= self._models[model].concurrency_limit:
            return False
        if model in self._unthreatened:
            return True
        if life.state is not State.READY or life.leaving:
            return False
        if self._queue and self._held_back(model, self._queue.overdue()):
            return False
        return isinstance(plan(model, self.situation(), self._residency), Serve)

    def queue_position(self, ticket: int) -> int | None:
        """Place in the queue counted from 1, or None when the ticket does not wait."""
        return self._queue.place(ticket)

    def position_of(self, model: str) -> int | None:
        """Place of the first request that waits for ``model``; None while it is being loaded."""
        if model in self._swaps:
            return None
        return self._queue.place_of(model)

    @property
    def idle(self) -> bool:
        """Whether nothing is granted and nobody waits."""
        return not self._holders and not self._queue

    def situation(self) -> Situation:
        """The present state as the pure plan sees it."""
        return Situation(
            states={model: life.state for model, life in self._lives.items()},
            busy=frozenset(model for model, life in self._lives.items() if life.in_flight),
            swaps=tuple(Swap(target, self._victims[target]) for target in self._swaps),
            protected=frozenset(model for model, life in self._lives.items() if life.protected),
            idle={
                model: self._now - life.idle_since
                for model, life in self._lives.items()
                if life.state is State.READY and not life.in_flight
            },
        )

    # Steps, for the subclass.

    def _advance(self, first: str = "") -> list[Effect]:
        """Serve, swap or leave waiting, from the head of the queue, without head-of-line block.

        Those who wait for the model ``first`` are looked at before all others: it was loaded for
        them, and somebody with a higher priority must not have it evicted before it served.
        """
        effects: list[Effect] = []
        passed: set[str] = set()  # models that an overdue request must go on waiting for
        now: Situation | None = None
        # What was decided since the last change that could help somebody. A grant helps nobody.
        steps: dict[tuple[str, bool], Serve | Evict | Wait | Refuse] = {}
        for waiting in self._queue.turns(first):
            if waiting.ticket not in self._queue:
                continue
            if self._held_back(waiting.model, passed):
                if waiting.overdue:
                    passed.add(waiting.model)
                continue
            life = self._lives[waiting.model]
            step = steps.get((waiting.model, waiting.overdue))
            if step is None:
                now = now or self.situation()
                hurried = now.hurried() if waiting.overdue else now
                step = plan(waiting.model, hurried, self._residency)
                steps[waiting.model, waiting.overdue] = step
            if isinstance(step, Evict):
                effects += self._swap(waiting.model, step)
                now = None
                steps.clear()
            elif isinstance(step, Refuse):
                self._leave_queue(waiting.ticket)
                effects.append(Reject(waiting.ticket, step.error))
            elif isinstance(step, Serve) and not life.leaving:
                self._queue.remove(waiting.ticket)
                self._unthreatened.add(waiting.model)
                effects.append(self._grant(waiting.ticket, waiting.model, uses=waiting.uses))
                now = None  # it is busy now
            if waiting.overdue and waiting.ticket in self._queue:
                passed.add(waiting.model)
        if passed:
            self._unthreatened.clear()
        return effects

    def _held_back(self, model: str, overdue: set[str]) -> bool:
        """Whether serving ``model`` would lengthen the wait for one that is overdue."""
        if not overdue or overdue == {model}:
            return False
        now = self.situation().hurried()
        running, idle = now.running(), now.movable()
        for target in overdue - {model}:
            bill = self._residency.evict(target, running | {model}, idle)
            if model in bill:
                return True
            if model not in running and bill != self._residency.evict(target, running, idle):
                return True
        return False

    def _swap(self, target: str, step: Evict) -> list[Effect]:
        effects: list[Effect] = []
        self._unthreatened.clear()
        self._victims[target] = step.victims
        self._swaps[target] = set(step.victims)
        for victim in sorted(step.victims):
            if self._lives[victim].state is State.READY:
                effects += self._stop(victim, f"evicted for {target}")
        if self._lives[target].state is State.READY:  # only the others had to go
            self._end_swap(target)
            return effects
        if not step.victims:
            effects += self._start(target)
        return effects

    def _start(self, model: str) -> list[Effect]:
        life = self._lives[model]
        life.state = State.STARTING
        self._generations += 1
        life.generation = self._generations
        life.runs = self._models[model]
        self._unthreatened.clear()
        return [Start(model, life.generation)]

    def _stop(self, model: str, reason: str) -> list[Effect]:
        self._unthreatened.clear()
        life = self._lives[model]
        if life.state is State.STARTING:
            self._end_swap(model)
        life.state = State.STOPPING
        return [Stop(model, reason)]

    def _grant(self, ticket: int, model: str, *, uses: bool) -> Grant:
        life = self._lives[model]
        life.in_flight += 1
        life.used |= uses
        self._holders[ticket] = Holder(model, life.generation, uses)
        return Grant(ticket, model)

    def _end_swap(self, target: str) -> None:
        self._swaps.pop(target, None)
        self._victims.pop(target, None)
        self._unthreatened.clear()

    def _leave_queue(self, ticket: int) -> Waiting | None:
        waiting = self._queue.remove(ticket)
        if waiting is not None:
            self._lives[waiting.model].admitted -= waiting.uses
        return waiting

    def _reject_waiting(self, model: str, error: RequestError) -> list[Reject]:
        tickets = self._queue.of(model)
        for ticket in tickets:
            self._leave_queue(ticket)
        return [Reject(ticket, error) for ticket in tickets]

    def _deadline(self, model: str, life: Life, wanted: set[str]) -> float | None:
        """When the model has been idle for its time to live."""
        if life.state is not State.READY or life.in_flight or model in wanted:
            return None
        ttl = self._models[model].ttl
        return life.idle_since + ttl if ttl else None
