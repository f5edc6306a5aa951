"""What holds for the scheduler after any events in any order, found out by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from llmstack.config.swap import Group, Matrix, MatrixSet, SwapConfig, SwapModel
from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.plan import Serve, State, plan
from llmstack.engine.queue import Limits
from llmstack.engine.scheduler import Scheduler
from llmstack.errors import ConcurrencyLimit, ModelNotFound, StartFailed
from llmstack.residency import compile_residency

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

MODELS = ("a", "b", "c", "d", "e")
model_names = st.sampled_from(MODELS)
picks = st.integers(0, 1_000)


@st.composite
def groupings(draw: DrawFn) -> tuple[Group, ...]:
    """Some models in groups with any mix of rules; the others share the default group."""
    places = draw(st.tuples(*[st.sampled_from(["g", "h", None]) for _ in MODELS]))
    return tuple(
        Group(
            name,
            tuple(model for model, place in zip(MODELS, places, strict=True) if place == name),
            swap=draw(st.booleans()),
            exclusive=draw(st.booleans()),
            persistent=draw(st.booleans()),
        )
        for name in ("g", "h")
        if name in places
    )


@st.composite
def matrices(draw: DrawFn) -> Matrix:
    together = st.lists(model_names, min_size=1, max_size=3, unique=True).map(" & ".join)
    expressions = draw(st.lists(together, min_size=1, max_size=3))
    costs = draw(st.dictionaries(model_names, st.integers(1, 5), max_size=3))
    sets = tuple(MatrixSet(f"s{n}", text) for n, text in enumerate(expressions))
    return Matrix(vars={}, evict_costs=costs, sets=sets)


class Events(RuleBasedStateMachine):
    """Clients, processes and a clock that do what they want."""

    @initialize(
        groups=groupings(),
        matrix=st.none() | matrices(),
        limit=st.integers(1, 4),
        ttl=st.sampled_from([0, 10]),
        priorities=st.dictionaries(model_names, st.integers(-1, 1), max_size=3),
        limits=st.builds(
            Limits,
            min_residency=st.sampled_from([0, 5]),
            max_wait=st.sampled_from([0, 9]),
            queue_timeout=st.sampled_from([0, 30]),
        ),
    )
    def open(
        self,
        groups: tuple[Group, ...],
        matrix: Matrix | None,
        limit: int,
        ttl: int,
        priorities: dict[str, int],
        limits: Limits,
    ) -> None:
        models = {name: SwapModel(id=name, concurrency_limit=limit, ttl=ttl) for name in MODELS}
        self.models, self.limits = models, limits
        setup = SwapConfig(source="t", models=models, groups=groups, matrix=matrix)
        self.matrix = matrix
        self.residency = compile_residency(setup)
        self.scheduler = Scheduler(models.values(), self.residency, priorities, limits)
        self.limit, self.ttl = limit, ttl
        self.time = 0.0
        self.tickets = 0
        self.closing = False
        self.commands = {}
        self.waiting: dict[int, str] = {}
        self.held: dict[int, tuple[str, int]] = {}  # ticket -> model, generation
        self.processes: dict[str, tuple[int, State]] = {}  # what the engine would run

    def note(self, effects: list[Effect]) -> None:
        """Carry out ``effects``; each must be possible, in this order."""
        for effect in effects:
            match effect:
                case Grant(ticket, model):
                    generation, phase = self.processes[model]
                    assert phase is State.READY, "a grant of a model that is not ready"
                    assert self.waiting.pop(ticket) == model
                    self.held[ticket] = (model, generation)
                case Reject(ticket, _):
                    self.waiting.pop(ticket)
                case Start(model, generation):
                    assert model not in self.processes, "a second process of one model"
                    assert not self.closing, "a start while closing"
                    self.processes[model] = (generation, State.STARTING)
                case Stop(model, reason):
                    generation, phase = self.processes[model]
                    assert phase is not State.STOPPING, "a second stop"
                    if reason != "shutdown" and not (reason == "unload" and self.forced):
                        assert (model, generation) not in self.held.values(), (
                            f"{reason} cut a running answer"
                        )
                    self.processes[model] = (generation, State.STOPPING)

    # Events.

    @rule(model=model_names)
    def acquire(self, model: str) -> None:
        self.tickets += 1
        ticket = self.tickets
        clear = self.scheduler.is_clear(model)
        known = model in self.models
        situation = self.scheduler.situation()
        servable = known and plan(model, situation, self.residency) == Serve()
        full = self.admitted(model) >= self.limit
        self.waiting[ticket] = model
        effects = self.scheduler.acquire(ticket, model, self.time)
        self.note(effects)
        at_once = ticket in self.held
        if clear:
            assert effects == [Grant(ticket, model)]
        if at_once:
            assert servable
        rejected = ticket not in self.waiting and not at_once
        assert rejected == (full or self.closing or not known)
        if rejected and not self.closing:
            assert isinstance(effects[0], Reject)
            assert isinstance(effects[0].error, ConcurrencyLimit if known else ModelNotFound)

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def release(self, pick: int) -> None:
        ticket = sorted(self.held)[pick % len(self.held)]
        del self.held[ticket]
        self.note(self.scheduler.release(ticket, self.time))
        assert self.scheduler.release(ticket, self.time) == []

    @precondition(lambda self: self.waiting or self.held)
    @rule(pick=picks)
    def leave(self, pick: int) -> None:
        tickets = sorted([*self.waiting, *self.held])
        ticket = tickets[pick % len(tickets)]
        self.waiting.pop(ticket, None)
        self.held.pop(ticket, None)
        self.note(self.scheduler.abandon(ticket, self.time))

    @rule(ticket=st.integers(-5, 60))
    def leave_long_gone(self, ticket: int) -> None:
        if ticket not in self.waiting and ticket not in self.held:
            assert self.scheduler.abandon(ticket, self.time) == []

    @precondition(lambda self: self.of(State.STARTING))
    @rule(pick=picks)
    def becomes_ready(self, pick: int) -> None:
        self.make_ready(self.choose(State.STARTING, pick))

    @precondition(lambda self: self.of(State.STARTING))
    @rule(pick=picks)
    def fails_to_start(self, pick: int) -> None:
        self.end(self.choose(State.STARTING, pick), StartFailed("no"))

    @precondition(lambda self: self.of(State.READY))
    @rule(pick=picks)
    def crashes(self, pick: int) -> None:
        self.end(self.choose(State.READY, pick))

    @precondition(lambda self: self.of(State.STOPPING))
    @rule(pick=picks, failed=st.booleans())
    def has_stopped(self, pick: int, failed: bool) -> None:
        error = StartFailed("told to stop") if failed else None
        self.end(self.choose(State.STOPPING, pick), error)

    @rule(model=model_names, back=st.integers(1, 3), ready=st.booleans())
    def late_news(self, model: str, back: int, ready: bool) -> None:
        """A report of a life that is over changes nothing."""
        generation, _ = self.processes.get(model, (back, State.STOPPED))
        if ready:
            effects = self.scheduler.started(model, generation - back, self.time)
        else:
            effects = self.scheduler.stopped(model, generation - back, StartFailed("late"))
        assert effects == []

    @rule(model=model_names, force=st.booleans())
    def unload(self, model: str, force: bool) -> None:
        self.forced = force
        self.note(self.scheduler.unload(model, force=force))
        self.forced = False
        assert model not in self.waiting.values()

    @precondition(lambda self: not self.closing)
    @rule(kept=st.sets(model_names, min_size=1), changed=st.sets(model_names), pick=picks)
    def reload(self, kept: set[str], changed: set[str], pick: int) -> None:
        """Some models go, some change, some come back."""
        before = dict(self.processes)
        self.models = {
            name: SwapModel(
                id=name,
                cmd=str(pick) if name in changed else self.commands.get(name, ""),
                concurrency_limit=self.limit,
                ttl=self.ttl,
            )
            for name in MODELS
            if name in kept
        }
        effects = self.scheduler.reconfigure(
            self.models.values(), self.residency, None, self.limits
        )
        self.commands |= {name: model.cmd for name, model in self.models.items()}
        self.note(effects)
        assert all(name in kept for name in self.waiting.values())
        for effect in effects:
            if isinstance(effect, Stop) and effect.reason in ("reload", "removed"):
                kind = "reload" if effect.model in kept else "removed"
                assert effect.reason == kind
                _, phase = before[effect.model]
                assert phase in (State.STARTING, State.READY)

    @rule(seconds=st.sampled_from([1.0, 9.0, 10.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds
        due = self.scheduler.next_deadline()
        effects = self.scheduler.expire(self.time)
        if due is None or due > self.time:
            assert effects == []
        later = self.scheduler.next_deadline()
        assert later is None or later > self.time
        self.note(effects)

    @precondition(lambda self: self.tickets > 15)
    @rule()
    def close(self) -> None:
        self.closing = True
        self.note(self.scheduler.close())
        assert self.waiting == {}

    @precondition(lambda self: self.closing)
    @rule()
    def stop_all(self) -> None:
        self.note(self.scheduler.stop_all())
        assert all(phase is State.STOPPING for _, phase in self.processes.values())

    # What always holds.

    @invariant()
    def states_are_those_of_the_processes(self) -> None:
        for model in MODELS:
            _, phase = self.processes.get(model, (0, State.STOPPED))
            assert self.scheduler.state(model) is phase

    @invariant()
    def in_flight_counts_the_holders_of_this_life(self) -> None:
        for model in self.scheduler._lives:
            life = (model, self.processes.get(model, (-1, State.STOPPED))[0])
            assert self.scheduler.in_flight(model) == list(self.held.values()).count(life)

    @invariant()
    def admitted_are_those_who_wait_and_those_who_hold(self) -> None:
        for model, life in self.scheduler._lives.items():
            if model in self.models:
                assert life.admitted == self.admitted(model)
        assert self.scheduler.idle == (not self.waiting and not self.held)

    @invariant()
    def everybody_who_waits_has_a_place(self) -> None:
        places = [self.scheduler.queue_position(ticket) for ticket in self.waiting]
        assert sorted(place or 0 for place in places) == list(range(1, len(self.waiting) + 1))

    @invariant()
    def models_that_exclude_each_other_never_run_together(self) -> None:
        alive = frozenset(self.processes)
        for model in alive:
            others = alive - {model}
            if self.matrix:
                assert self.residency.evict(model, others) == frozenset()
            for other in others:
                assert not (
                    self.residency.evict(model, {other}) and self.residency.evict(other, {model})
                )

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Who waits, waits for a process that changes or for somebody's answer to end."""
        moving = any(phase is not State.READY for _, phase in self.processes.values())
        if self.waiting and not moving and not self.held:
            assert self.scheduler.next_deadline() is not None, "a lost waiter"
            assert any(life.protected for life in self.scheduler._lives.values())

    def teardown(self) -> None:
        """When every answer ends and every process obeys, everybody has been answered."""
        if not hasattr(self, "scheduler"):
            return
        for _ in range(1_000):
            if self.held:
                self.release(0)
            elif self.of(State.STARTING):
                self.make_ready(self.choose(State.STARTING, 0))
            elif self.of(State.STOPPING):
                self.end(self.choose(State.STOPPING, 0))
            elif self.waiting:
                self.time_passes(10.0)
            else:
                break
        assert self.waiting == {}
        assert self.scheduler.situation().swaps == ()
        assert self.scheduler.idle

    # Helpers.

    forced = False
    commands: dict[str, str] = {}  # noqa: RUF012  set anew by open()

    def admitted(self, model: str) -> int:
        wanted = [*self.waiting.values(), *(held for held, _ in self.held.values())]
        return wanted.count(model)

    def of(self, phase: State) -> list[str]:
        return sorted(model for model, (_, now) in self.processes.items() if now is phase)

    def choose(self, phase: State, pick: int) -> str:
        models = self.of(phase)
        return models[pick % len(models)]

    def make_ready(self, model: str) -> None:
        generation, _ = self.processes[model]
        self.processes[model] = (generation, State.READY)
        self.note(self.scheduler.started(model, generation, self.time))

    def end(self, model: str, error: StartFailed | None = None) -> None:
        generation, _ = self.processes.pop(model)
        self.note(self.scheduler.stopped(model, generation, error))


TestEvents = Events.TestCase
TestEvents.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
