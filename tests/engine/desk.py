"""A scheduler in the hand of a test. Time and processes are plain method calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.config.swap import Group, Matrix, SwapConfig, SwapModel
from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.plan import State
from llmstack.engine.queue import Limits
from llmstack.engine.scheduler import Scheduler
from llmstack.residency import compile_residency

if TYPE_CHECKING:
    from llmstack.errors import RequestError

#: A group whose two members may run together.
PAIR = (Group("pair", ("x", "y"), swap=False),)


class Desk:
    """A scheduler and everything that it has said so far."""

    def __init__(
        self,
        *names: str,
        groups: tuple[Group, ...] = (),
        matrix: Matrix | None = None,
        priorities: dict[str, int] | None = None,
        limits: Limits = Limits(),  # noqa: B008  a frozen value
        **settings: Any,
    ) -> None:
        models = {name: SwapModel(id=name, **settings) for name in names}
        setup = SwapConfig(source="t", models=models, groups=groups, matrix=matrix)
        self.scheduler = Scheduler(models.values(), compile_residency(setup), priorities, limits)
        self.time = 0.0
        self.tickets = 0
        self.granted: list[int] = []
        self.rejected: dict[int, RequestError] = {}
        self.starts: list[str] = []
        self.stops: list[tuple[str, str]] = []
        self.generations: dict[str, int] = {}

    def note(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Grant(ticket, model):
                    assert self.scheduler.state(model) is State.READY
                    self.granted.append(ticket)
                case Reject(ticket, error):
                    self.rejected[ticket] = error
                case Start(model, generation):
                    self.starts.append(model)
                    self.generations[model] = generation
                case Stop(model, reason):
                    self.stops.append((model, reason))

    def ask(self, model: str) -> int:
        self.tickets += 1
        self.note(self.scheduler.acquire(self.tickets, model, self.time))
        return self.tickets

    def release(self, ticket: int) -> None:
        self.note(self.scheduler.release(ticket, self.time))

    def abandon(self, ticket: int) -> None:
        self.note(self.scheduler.abandon(ticket, self.time))

    def started(self, model: str, generation: int | None = None) -> None:
        generation = self.generations[model] if generation is None else generation
        self.note(self.scheduler.started(model, generation, self.time))

    def stopped(
        self, model: str, error: RequestError | None = None, generation: int | None = None
    ) -> None:
        generation = self.generations[model] if generation is None else generation
        self.note(self.scheduler.stopped(model, generation, error))

    def unload(self, model: str, *, force: bool = False) -> None:
        self.note(self.scheduler.unload(model, force=force))

    def expire(self) -> None:
        self.note(self.scheduler.expire(self.time))

    def state(self, model: str) -> State:
        return self.scheduler.state(model)

    def serve(self, model: str) -> int:
        """A ticket that holds ``model``, which must be able to start now."""
        ticket = self.ask(model)
        if ticket not in self.granted:
            self.started(model)
        assert ticket in self.granted
        return ticket

    def idle(self, model: str) -> None:
        """``model`` is ready and nobody holds it."""
        self.release(self.serve(model))
