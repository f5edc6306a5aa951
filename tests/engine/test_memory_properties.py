"""The scheduler's promises hold when memory decides, and the budget with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from llmstack.config.swap import SwapModel
from llmstack.engine.queue import Limits
from llmstack.engine.scheduler import Scheduler
from llmstack.residency.footprint import Known
from llmstack.residency.memory import MemoryResidency
from tests.engine.test_scheduler_properties import MODELS, Events, model_names, picks
from tests.engine.test_waiting import ANSWER, LOAD, STOP, World

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

BUDGET = 12

sizes = st.fixed_dictionaries({name: st.none() | st.integers(1, 12) for name in MODELS})


def residency(of: dict[str, int | None], pinned: frozenset[str] = frozenset()) -> MemoryResidency:
    known = {name: Known(size, "declared" if size else "unknown") for name, size in of.items()}
    return MemoryResidency(BUDGET, pinned, known)


class MemoryEvents(Events):
    """The events of ``Events``, and new knowledge about sizes."""

    @initialize(
        of=sizes,
        pinned=st.frozensets(model_names, max_size=2),
        limit=st.integers(1, 4),
        ttl=st.sampled_from([0, 10]),
        limits=st.builds(
            Limits,
            min_residency=st.sampled_from([0, 5]),
            max_wait=st.sampled_from([0, 9]),
            queue_timeout=st.sampled_from([0, 30]),
        ),
    )
    def open(
        self,
        of: dict[str, int | None],
        pinned: frozenset[str],
        limit: int,
        ttl: int,
        limits: Limits,
    ) -> None:
        self.sizes, self.pinned = of, pinned
        self.matrix = None
        self.models = {
            name: SwapModel(id=name, concurrency_limit=limit, ttl=ttl) for name in MODELS
        }
        self.residency = residency(of, pinned)
        self.scheduler = Scheduler(self.models.values(), self.residency, None, limits)
        self.limit, self.ttl, self.limits = limit, ttl, limits
        self.time = 0.0
        self.tickets = 0
        self.closing = False
        self.commands = {}
        self.waiting = {}
        self.held = {}
        self.processes = {}

    @rule(model=model_names, pick=picks)
    def an_unknown_size_is_learned(self, model: str, pick: int) -> None:
        if self.sizes[model] is None:
            self.sizes[model] = 1 + pick % 6
            self.residency = residency(self.sizes, self.pinned)
            self.note(self.scheduler.adopt(self.residency))

    @invariant()
    def models_that_exclude_each_other_never_run_together(self) -> None:
        """What runs together fits, as far as sizes were known when it was started."""
        if not hasattr(self, "scheduler"):
            return
        sizes_ = [self.started.get(name, 0) for name in self.processes]
        assert sum(sizes_) <= BUDGET

    @property
    def started(self) -> dict[str, int]:
        """The sizes of models that are not pinned and were never unknown."""
        return {
            name: known.size or 0
            for name in self.processes
            if (known := self.residency.known(name)).source == "declared"
            and name not in self.pinned
        }


TestMemoryEvents = MemoryEvents.TestCase
TestMemoryEvents.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class MemoryWorld(World):
    """A world in which memory decides."""

    def __init__(self, of: dict[str, int | None], limits: Limits) -> None:
        super().__init__(tuple(of), limits)
        self.scheduler.adopt(residency(of))


@st.composite
def arrivals(draw: DrawFn) -> list[tuple[float, str, float]]:
    one = st.tuples(st.floats(0, 4), model_names, st.floats(0.1, ANSWER))
    return draw(st.lists(one, min_size=1, max_size=60))


@settings(max_examples=200, deadline=None)
@given(
    of=sizes,
    requests=arrivals(),
    max_wait=st.sampled_from([6.0, 15.0, 40.0]),
    min_residency=st.sampled_from([0.0, 5.0]),
)
def test_no_request_starves_when_memory_decides(
    of: dict[str, int | None],
    requests: list[tuple[float, str, float]],
    max_wait: float,
    min_residency: float,
) -> None:
    """``max_wait``, then an answer and a swap for each rival, and the load under way."""
    world = MemoryWorld(of, Limits(min_residency, max_wait))
    at = 0.0
    for ticket, (pause, name, span) in enumerate(requests):
        at += pause
        world.later(at, "ask", name, ticket, span)
    world.run()
    assert len(world.waited) == len(requests)
    swap = STOP + LOAD
    bound = max_wait + (len(MODELS) - 1) * (ANSWER + swap) + swap
    assert max(world.waited) <= bound + 1e-6
