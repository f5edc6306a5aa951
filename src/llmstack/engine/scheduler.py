"""Who gets which model, when: the engine's state machine, without time or I/O of its own.

Every event is a method; it changes the state and returns the effects that the caller must carry
out. One ``Engine`` owns one ``Scheduler``, so no state here is ever shared. ``docs/decisions``
says why this is a state machine that the owner calls, and not a task with a mailbox.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.plan import Evict, Serve, Situation, State, Swap, Wait, plan
from llmstack.errors import (
    ConcurrencyLimit,
    ModelUnloaded,
    RequestError,
    ShuttingDown,
    StartFailed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.swap import SwapModel
    from llmstack.residency import Residency


@dataclass(frozen=True, slots=True, order=True)
class _Waiting:
    order: tuple[int, int]  # (-priority, arrival)
    ticket: int = field(compare=False)
    model: str = field(compare=False)


@dataclass(slots=True)
class _Life:
    """The present life of one model's process."""

    state: State = State.STOPPED
    generation: int = 0
    in_flight: int = 0
    admitted: int = 0
    idle_since: float = 0.0
    unload_when_idle: bool = False


@dataclass(slots=True)
class _Holder:
    """What a granted ticket holds."""

    model: str
    generation: int


class Scheduler:
    """Admission, queue, swaps and idle time-outs for a fixed set of models."""

    def __init__(
        self,
        models: Iterable[SwapModel],
        residency: Residency,
        priorities: dict[str, int] | None = None,
    ) -> None:
        self._models = {model.id: model for model in models}
        self._residency = residency
        self._priorities = priorities or {}
        self._lives = {model: _Life() for model in self._models}
        self._queue: list[_Waiting] = []
        self._holders: dict[int, _Holder] = {}
        self._waiting: dict[int, str] = {}
        self._swaps: dict[str, set[str]] = {}  # target -> victims that have not stopped yet
        self._victims: dict[str, frozenset[str]] = {}  # target -> all its victims
        # Ready models that plan() served since the last change.
        self._unthreatened: set[str] = set()
        self._arrivals = 0
        self._closing = False

    # What a caller may look at.

    def state(self, model: str) -> State:
        """The state of one model."""
        return self._lives[model].state

    def in_flight(self, model: str) -> int:
        """Requests that hold the model now."""
        return self._lives[model].in_flight

    def is_clear(self, model: str) -> bool:
        """Whether ``acquire`` would grant at once."""
        life = self._lives[model]
        if self._closing or life.admitted >= self._models[model].concurrency_limit:
            return False
        if model in self._unthreatened:
            return True
        if life.state is not State.READY or life.unload_when_idle:
            return False
        return isinstance(plan(model, self.situation(), self._residency), Serve)

    def queue_position(self, ticket: int) -> int | None:
        """Place in the queue counted from 1, or None when the ticket does not wait."""
        for place, waiting in enumerate(self._queue, 1):
            if waiting.ticket == ticket:
                return place
        return None

    def position_of(self, model: str) -> int | None:
        """Place of the first request that waits for ``model``; None while it is being loaded."""
        if model in self._swaps:
            return None
        places = (n for n, waiting in enumerate(self._queue, 1) if waiting.model == model)
        return next(places, None)

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
        )

    # Requests.

    def acquire(self, ticket: int, model: str) -> list[Effect]:
        """A request wants ``model`` (a real id).

        The effects of this very call hold the ticket's ``Grant`` when the model is ready.
        """
        life = self._lives[model]
        if self._closing:
            return [Reject(ticket, ShuttingDown("the engine is shutting down"))]
        limit = self._models[model].concurrency_limit
        if life.admitted >= limit:
            return [
                Reject(
                    ticket,
                    ConcurrencyLimit(
                        "Too many requests",
                        why=f"{model} admits {limit} requests at once (concurrencyLimit)",
                    ),
                )
            ]
        life.admitted += 1
        if model in self._unthreatened:
            return [self._grant(ticket, model)]
        self._arrivals += 1
        order = (-self._priorities.get(model, 0), self._arrivals)
        insort(self._queue, _Waiting(order, ticket, model))
        self._waiting[ticket] = model
        return self._advance()

    def release(self, ticket: int, now: float) -> list[Effect]:
        """A granted request has ended, one way or another."""
        holder = self._holders.pop(ticket, None)
        if holder is None:
            return []
        life = self._lives[holder.model]
        life.admitted -= 1
        if holder.generation != life.generation:
            return []  # its process is gone already
        life.in_flight -= 1
        if life.in_flight:
            return []
        life.idle_since = now
        effects: list[Effect] = []
        if life.unload_when_idle and life.state is State.READY:
            effects += self._stop(holder.model, "unload")
        return effects + (self._advance() if self._queue else [])

    def abandon(self, ticket: int, now: float) -> list[Effect]:
        """The client left. A load that already runs for it goes on."""
        if ticket in self._holders:
            return self.release(ticket, now)
        self._leave_queue(ticket)
        return []

    # Processes.

    def started(self, model: str, generation: int, now: float) -> list[Effect]:
        """The process of ``generation`` is ready. Those who waited for it come first."""
        life = self._lives[model]
        if life.generation != generation or life.state is not State.STARTING:
            return []
        life.state = State.READY
        life.idle_since = now
        self._end_swap(model)
        return self._advance(first=model)

    def stopped(
        self, model: str, generation: int, error: RequestError | None = None
    ) -> list[Effect]:
        """The process of ``generation`` is gone: stopped, crashed, or never became ready.

        ``error`` is what requests that wait for this start are told. After a stop that was asked
        for, those that wait go on waiting and the model is started anew.
        """
        life = self._lives[model]
        if life.generation != generation or life.state is State.STOPPED:
            return []
        was_starting = life.state is State.STARTING
        life.state = State.STOPPED
        life.in_flight = 0
        life.unload_when_idle = False
        life.generation += 1
        self._unthreatened.clear()
        effects: list[Effect] = []
        if was_starting:
            self._end_swap(model)
            effects += self._reject_waiting(
                model, error or StartFailed(f"{model}: its process ended before it was ready")
            )
        for target, remaining in list(self._swaps.items()):
            remaining.discard(model)
            if not remaining and self._lives[target].state is State.STOPPED:
                if self._closing:
                    self._end_swap(target)
                else:
                    effects += self._start(target)
        return effects + self._advance()

    # Commands and time.

    def unload(self, model: str, *, force: bool = False) -> list[Effect]:
        """Stop ``model``: at once when idle or forced, else after its running answers.

        Requests that wait for it are told that it was unloaded.
        """
        life = self._lives[model]
        effects: list[Effect] = list(
            self._reject_waiting(model, ModelUnloaded(f"{model} was unloaded"))
        )
        if model in self._swaps and life.state is State.STOPPED:
            self._end_swap(model)  # its victims were still stopping; nothing to stop here
            return effects + self._advance()
        if life.state is State.STARTING or (
            life.state is State.READY and (force or not life.in_flight)
        ):
            effects += self._stop(model, "unload") + self._advance()
        elif life.state is State.READY:
            life.unload_when_idle = True
            self._unthreatened.discard(model)
        return effects

    def expire(self, now: float) -> list[Effect]:
        """Stop what has been idle for longer than its time to live."""
        effects: list[Effect] = []
        for model, life in self._lives.items():
            deadline = self._deadline(model, life)
            if deadline is not None and now >= deadline:
                effects += self._stop(model, "ttl")
        return effects

    def next_deadline(self) -> float | None:
        """When ``expire`` next has something to do, or None."""
        deadlines = [self._deadline(model, life) for model, life in self._lives.items()]
        return min((at for at in deadlines if at is not None), default=None)

    def close(self) -> list[Effect]:
        """Take no more requests and turn away those that wait. Running answers go on."""
        self._closing = True
        error = ShuttingDown("the engine is shutting down")
        return [effect for model in self._models for effect in self._reject_waiting(model, error)]

    def stop_all(self) -> list[Effect]:
        """Stop every process that lives, whatever it is doing."""
        effects: list[Effect] = []
        for model, life in self._lives.items():
            if life.state in (State.STARTING, State.READY):
                effects += self._stop(model, "shutdown")
        return effects

    # Internals.

    def _advance(self, first: str = "") -> list[Effect]:
        """Serve, swap or leave waiting, from the head of the queue, without head-of-line block.

        Those who wait for the model ``first`` are looked at before all others: it was loaded for
        them, and somebody with a higher priority must not have it evicted before it served.
        """
        effects: list[Effect] = []
        for waiting in sorted(self._queue, key=lambda waiting: waiting.model != first):
            if waiting.ticket not in self._waiting:
                continue
            step = plan(waiting.model, self.situation(), self._residency)
            if isinstance(step, Wait):
                continue
            if isinstance(step, Serve):
                if self._lives[waiting.model].unload_when_idle:
                    continue
                self._leave_queue(waiting.ticket, keep_admission=True)
                self._unthreatened.add(waiting.model)
                effects.append(self._grant(waiting.ticket, waiting.model))
            else:
                effects += self._swap(waiting.model, step)
        return effects

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
        life.generation += 1
        self._unthreatened.clear()
        return [Start(model, life.generation)]

    def _stop(self, model: str, reason: str) -> list[Effect]:
        self._unthreatened.clear()
        life = self._lives[model]
        if life.state is State.STARTING:
            self._end_swap(model)
        life.state = State.STOPPING
        return [Stop(model, reason)]

    def _grant(self, ticket: int, model: str) -> Grant:
        life = self._lives[model]
        life.in_flight += 1
        self._holders[ticket] = _Holder(model, life.generation)
        return Grant(ticket, model)

    def _end_swap(self, target: str) -> None:
        self._swaps.pop(target, None)
        self._victims.pop(target, None)
        self._unthreatened.clear()

    def _leave_queue(self, ticket: int, *, keep_admission: bool = False) -> None:
        model = self._waiting.pop(ticket, None)
        if model is None:
            return
        self._queue = [waiting for waiting in self._queue if waiting.ticket != ticket]
        if not keep_admission:
            self._lives[model].admitted -= 1

    def _reject_waiting(self, model: str, error: RequestError) -> list[Reject]:
        tickets = [ticket for ticket, wanted in self._waiting.items() if wanted == model]
        for ticket in tickets:
            self._leave_queue(ticket)
        return [Reject(ticket, error) for ticket in tickets]

    def _deadline(self, model: str, life: _Life) -> float | None:
        ttl = self._models[model].ttl
        wanted = any(wanted == model for wanted in self._waiting.values())
        if not ttl or life.state is not State.READY or life.in_flight or wanted:
            return None
        return life.idle_since + ttl
