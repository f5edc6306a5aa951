"""Who gets which model, when: the engine's state machine, without time or I/O of its own.

Every event is a method; it changes the state and returns the effects that the caller must carry
out. One ``Engine`` owns one ``Scheduler``, so no state here is ever shared. ``docs/decisions``
says why this is a state machine that the owner calls, and not a task with a mailbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.engine.effects import Effect, Reject
from llmstack.engine.life import Life, same_process
from llmstack.engine.plan import State
from llmstack.engine.queue import Limits
from llmstack.engine.turns import Turns
from llmstack.errors import (
    ConcurrencyLimit,
    ModelNotFound,
    ModelUnloaded,
    QueueTimeout,
    RequestError,
    ShuttingDown,
    StartFailed,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from llmstack.config.swap import SwapModel
    from llmstack.residency import Residency

#: Why a process stops that the configuration no longer asks for.
RELOAD, REMOVED = "reload", "removed"


class Scheduler(Turns):
    """Admission, queue, swaps and time-outs of a set of models that ``reconfigure`` may change.

    What only time brings about (``Limits``, idle time-outs) happens in ``expire`` and nowhere
    else, so that ``is_clear`` and the ``acquire`` that follows it agree.
    """

    # Requests.

    def acquire(self, ticket: int, model: str, now: float, *, uses: bool = True) -> list[Effect]:
        """A request wants ``model`` (a real id).

        The effects of this very call hold the ticket's ``Grant`` when the model is ready. One
        that only wants the model loaded (not ``uses``) takes none of its places.
        """
        if self._closing:
            return [Reject(ticket, ShuttingDown("the engine is shutting down"))]
        if model not in self._models:
            return [Reject(ticket, _removed(model))]
        life = self._lives[model]
        limit = self._models[model].concurrency_limit
        if uses and life.admitted >= limit:
            return [
                Reject(
                    ticket,
                    ConcurrencyLimit(
                        "Too many requests",
                        why=f"{model} admits {limit} requests at once (concurrencyLimit)",
                    ),
                )
            ]
        life.admitted += uses
        if model in self._unthreatened:
            return [self._grant(ticket, model, uses=uses)]
        if not self._queue:  # nobody waited for the protections to end, so nobody ended them
            self._now = now  # with a queue not, for ``is_clear`` does not know the time
            for other in self._lives.values():
                other.settle(now, self._limits)
        self._queue.add(ticket, model, self._priorities.get(model, 0), now, uses=uses)
        return self._advance()

    def release(self, ticket: int, now: float) -> list[Effect]:
        """A granted request has ended, one way or another."""
        holder = self._holders.pop(ticket, None)
        if holder is None:
            return []
        life = self._lives.get(holder.model)
        if life is None:
            return []  # removed by a reload, and its process is gone
        life.admitted -= holder.uses
        if holder.generation != life.generation:
            return []  # its process is gone already
        life.in_flight -= 1
        if life.in_flight:
            return []
        life.idle_since = self._now = now
        effects: list[Effect] = []
        if life.leaving and life.state is State.READY:
            effects += self._stop(holder.model, life.leaving)
        return effects + (self._advance() if self._queue else [])

    def abandon(self, ticket: int, now: float) -> list[Effect]:
        """The client left. A load that already runs for it goes on."""
        if ticket in self._holders:
            return self.release(ticket, now)
        waiting = self._leave_queue(ticket)
        # Whom an overdue request held back may go on.
        return self._advance() if waiting and waiting.overdue else []

    # Processes.

    def started(self, model: str, generation: int, now: float) -> list[Effect]:
        """The process of ``generation`` is ready. Those who waited for it come first."""
        life = self._lives.get(model)
        if life is None or life.generation != generation or life.state is not State.STARTING:
            return []
        life.state = State.READY
        life.ready_since = life.idle_since = self._now = now
        life.used, life.settled = False, not self._limits.min_residency
        self._end_swap(model)
        return self._advance(first=model)

    def stopped(
        self, model: str, generation: int, error: RequestError | None = None
    ) -> list[Effect]:
        """The process of ``generation`` is gone: stopped, crashed, or never became ready.

        ``error`` is what requests that wait for this start are told. After a stop that was asked
        for, those that wait go on waiting and the model is started anew.
        """
        life = self._lives.get(model)
        if life is None or life.generation != generation or life.state is State.STOPPED:
            return []
        was_starting = life.state is State.STARTING
        life.state = State.STOPPED
        life.in_flight = life.generation = 0
        life.leaving, life.runs = "", None
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
        if model not in self._models:
            del self._lives[model]
        return effects + self._advance()

    # Commands and time.

    def unload(self, model: str, *, force: bool = False) -> list[Effect]:
        """Stop ``model``: at once when idle or forced, else after its running answers.

        Requests that wait for it are told that it was unloaded.
        """
        if model not in self._lives:
            return []
        life = self._lives[model]
        effects: list[Effect] = list(
            self._reject_waiting(model, ModelUnloaded(f"{model} was unloaded"))
        )
        if model in self._swaps and life.state is State.STOPPED:
            self._end_swap(model)  # its victims were still stopping; nothing to stop here
        elif life.state is State.STARTING or (
            life.state is State.READY and (force or not life.in_flight)
        ):
            effects += self._stop(model, "unload")
        elif life.state is State.READY:
            life.leaving = "unload"
            self._unthreatened.discard(model)
        return effects + self._advance()

    def reconfigure(
        self,
        models: Iterable[SwapModel],
        residency: Residency,
        priorities: dict[str, int] | None = None,
        limits: Limits = Limits(),  # noqa: B008  a frozen value
        keep: Container[str] = (),
    ) -> list[Effect]:
        """Go by other models and rules from now on.

        A process that the new models still ask for runs on. Any other stops when it is idle, a
        start at once; who waits for a changed model waits for its new process, who waits for a
        removed one is turned away. Models that run together although the new rules would not
        have it do so until one of them is asked for. A process of a model in ``keep`` runs on
        though the model changed, until something else stops it.
        """
        self._models = {model.id: model for model in models}
        self._residency, self._limits = residency, limits
        self._priorities = priorities or {}
        self._unthreatened.clear()
        for target in list(self._swaps):
            if self._lives[target].state is State.STOPPED:
                self._end_swap(target)  # nothing started yet: think again
        for model in [new for new in self._models if new not in self._lives]:
            # Who still holds a life that was removed before counts for the model's limit.
            held = sum(h.uses for h in self._holders.values() if h.model == model)
            self._lives[model] = Life(admitted=held)
        effects: list[Effect] = []
        for model, life in list(self._lives.items()):
            new = self._models.get(model)
            if new is None:
                effects += self._reject_waiting(model, _removed(model))
                if life.state is State.STOPPED:
                    del self._lives[model]
                    continue
            if new and life.runs and same_process(life.runs, new):
                if life.leaving in (RELOAD, REMOVED):
                    life.leaving = ""
                continue
            if new and model in keep:
                continue
            why = RELOAD if new else REMOVED
            if life.state is State.STARTING or (life.state is State.READY and not life.in_flight):
                effects += self._stop(model, why)
            elif life.state is State.READY:
                life.leaving = why
        return effects + self._advance()

    def adopt(self, residency: Residency) -> list[Effect]:
        """Go by ``residency``, which knows better how much memory models take."""
        self._residency = residency
        self._unthreatened.clear()
        return self._advance()

    def runs(self, model: str) -> SwapModel | None:
        """The entry that the present process of ``model`` was started from, None without one."""
        life = self._lives.get(model)
        return life.runs if life else None

    def leaving(self) -> set[str]:
        """Models whose process is on its way out or will be once it is idle."""
        return {
            model
            for model, life in self._lives.items()
            if life.leaving or life.state is State.STOPPING
        }

    def expire(self, now: float) -> list[Effect]:
        """Do what only time brings about.

        Stop what has been idle for longer than its time to live, turn away who has waited longer
        than ``queue_timeout``, put first who has become overdue.
        """
        self._now = now
        effects: list[Effect] = []
        if wait := self._limits.queue_timeout:
            for waiting in self._queue.timed_out(now, wait):
                self._leave_queue(waiting.ticket)
                effects.append(Reject(waiting.ticket, _timed_out(waiting.model, wait)))
        changed = bool(effects)
        if self._limits.max_wait and self._queue.age(now, self._limits.max_wait):
            self._unthreatened.clear()
            changed = True
        for life in self._lives.values():
            changed |= life.settle(now, self._limits)
        wanted = self._queue.wanted()
        for model, life in self._lives.items():
            deadline = self._deadline(model, life, wanted)
            if deadline is not None and now >= deadline:
                effects += self._stop(model, "ttl")
        return effects + (self._advance() if changed and self._queue else [])

    def next_deadline(self) -> float | None:
        """When ``expire`` next has something to do, or None."""
        wanted = self._queue.wanted()
        deadlines = [self._deadline(model, life, wanted) for model, life in self._lives.items()]
        times = [at for at in deadlines if at is not None]
        if self._queue:
            times += self._queue.deadlines(self._limits)
            stay = self._limits.min_residency
            times += [life.ready_since + stay for life in self._lives.values() if life.fresh]
        return min(times, default=None)

    def close(self) -> list[Effect]:
        """Take no more requests and turn away those that wait. Running answers go on."""
        self._closing = True
        error = ShuttingDown("the engine is shutting down")
        return [effect for model in self._lives for effect in self._reject_waiting(model, error)]

    def stop_all(self) -> list[Effect]:
        """Stop every process that lives, whatever it is doing."""
        effects: list[Effect] = []
        for model, life in self._lives.items():
            if life.state in (State.STARTING, State.READY):
                effects += self._stop(model, "shutdown")
        return effects


def _removed(model: str) -> ModelNotFound:
    return ModelNotFound(
        "no router for requested model",
        why=f"{model!r} was removed from the configuration",
    )


def _timed_out(model: str, seconds: float) -> QueueTimeout:
    return QueueTimeout(
        f"{model} could not be had within {seconds:g} s",
        why="Requests may wait that long (queueTimeout)",
    )
