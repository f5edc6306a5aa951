"""How long anybody waits: min_residency, max_wait and queue_timeout, on a clock turned by hand."""

from __future__ import annotations

import heapq
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmstack.config.swap import Group, Matrix, MatrixSet, SwapConfig, SwapModel
from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.plan import State
from llmstack.engine.queue import Limits
from llmstack.engine.scheduler import Scheduler
from llmstack.errors import QueueTimeout, StartFailed
from llmstack.residency import compile_residency
from tests.engine.desk import Desk
from tests.engine.simulation import config, model, settle, stage

pytestmark = pytest.mark.anyio


def test_a_model_that_served_stays_for_min_residency() -> None:
    desk = Desk("a", "b", limits=Limits(min_residency=5))
    desk.idle("a")
    desk.time = 1
    desk.ask("b")
    assert desk.stops == []
    assert desk.scheduler.next_deadline() == 5
    desk.time = 5
    desk.expire()
    assert desk.stops == [("a", "evicted for b")]


@pytest.mark.top40(36, "a ready model is served past the queue")
def test_work_for_the_loaded_model_is_batched_before_the_swap() -> None:
    desk = Desk("a", "b", limits=Limits(min_residency=5, max_wait=60))
    desk.idle("a")
    desk.ask("b")
    for desk.time in range(1, 5):
        ticket = desk.ask("a")
        assert ticket in desk.granted
        desk.release(ticket)
    assert desk.stops == []


def test_a_model_that_nobody_used_may_go_at_once() -> None:
    desk = Desk("a", "b", limits=Limits(min_residency=5))
    desk.note(desk.scheduler.acquire(99, "a", 0, uses=False))
    desk.started("a")
    desk.release(99)
    desk.ask("b")
    assert desk.stops == [("a", "evicted for b")]


def test_protection_that_ended_unseen_keeps_nobody_waiting() -> None:
    desk = Desk("a", "b", limits=Limits(min_residency=5))
    desk.idle("a")
    desk.time = 100
    desk.ask("b")
    assert desk.stops == [("a", "evicted for b")]


def test_a_newcomer_does_not_overtake_an_overdue_request() -> None:
    desk = Desk("a", "b", limits=Limits(max_wait=10))
    first = desk.serve("a")
    waiter = desk.ask("b")
    desk.time = 9
    second = desk.ask("a")
    assert second in desk.granted
    desk.time = 10
    desk.expire()
    assert not desk.scheduler.is_clear("a")
    third = desk.ask("a")
    assert third not in desk.granted
    desk.release(first)
    desk.release(second)
    assert desk.stops == [("a", "evicted for b")]
    desk.stopped("a")
    desk.started("b")
    assert desk.granted[-1] == waiter
    desk.release(waiter)
    desk.stopped("b")
    desk.started("a")
    assert desk.granted[-1] == third


def test_without_max_wait_newcomers_overtake_for_ever() -> None:
    desk = Desk("a", "b")
    desk.serve("a")
    desk.ask("b")
    desk.time = 10_000
    desk.expire()
    assert desk.ask("a") in desk.granted


def test_an_overdue_request_does_not_hold_back_what_it_can_run_beside() -> None:
    fixed = Group("fixed", ("n",), persistent=True, exclusive=False)
    desk = Desk("a", "b", "n", groups=(fixed,), limits=Limits(max_wait=10))
    desk.serve("a")
    desk.ask("b")
    desk.time = 10
    desk.expire()
    desk.ask("n")
    assert desk.starts == ["a", "n"]


def test_nothing_starts_that_would_have_to_stop_for_an_overdue_request() -> None:
    loose = Group("loose", ("guest",), exclusive=False)
    desk = Desk("a", "b", "guest", groups=(loose,), limits=Limits(max_wait=10))
    holder = desk.serve("a")
    desk.ask("b")
    desk.time = 10
    desk.expire()
    guest = desk.ask("guest")
    assert desk.starts == ["a"], "b makes the guest leave, too"
    desk.release(holder)
    desk.stopped("a")
    desk.started("b")
    assert guest not in desk.granted
    assert desk.starts == ["a", "b", "guest"]


def test_an_overdue_request_that_another_one_holds_back_holds_others_back_itself() -> None:
    sets = {"one": "a & y", "two": "b & y", "three": "a & x"}
    matrix = Matrix({}, {}, tuple(MatrixSet(name, text) for name, text in sets.items()))
    desk = Desk("a", "b", "x", "y", matrix=matrix, limits=Limits(max_wait=10))
    desk.serve("a")
    desk.ask("b")
    desk.time = 1
    desk.ask("x")  # may start beside a at once
    assert desk.starts == ["a", "x"]
    desk.stopped("x", StartFailed("no memory"))
    desk.ask("b")
    desk.time = 10
    desk.expire()
    desk.ask("x")  # b would make it leave
    desk.time = 20
    desk.expire()
    desk.ask("y")  # b would not, but x would
    assert desk.starts == ["a", "x"]


def test_the_overdue_are_served_oldest_first_whatever_the_priorities() -> None:
    desk = Desk("a", "b", "c", priorities={"c": 9}, limits=Limits(max_wait=10))
    holder = desk.serve("a")
    b = desk.ask("b")
    desk.time = 1
    c = desk.ask("c")
    desk.time = 11
    desk.expire()
    desk.release(holder)
    desk.stopped("a")
    desk.started("b")
    assert desk.granted[-1] == b
    assert desk.ask("b") not in desk.granted
    desk.release(b)
    desk.stopped("b")
    desk.started("c")
    assert desk.granted[-1] == c


def test_when_an_overdue_client_leaves_those_it_held_back_go_on() -> None:
    desk = Desk("a", "b", limits=Limits(max_wait=10))
    desk.serve("a")
    overdue = desk.ask("b")
    desk.time = 10
    desk.expire()
    held_back = desk.ask("a")
    desk.abandon(overdue)
    assert held_back in desk.granted


def test_an_overdue_request_ends_the_protection_of_its_rival() -> None:
    desk = Desk("a", "b", limits=Limits(min_residency=20, max_wait=10))
    holder = desk.serve("a")
    desk.time = 1
    desk.ask("b")
    desk.release(holder)
    desk.time = 11
    desk.expire()
    assert desk.stops == [("a", "evicted for b")]


def test_who_waited_for_longer_than_queue_timeout_is_turned_away() -> None:
    desk = Desk("a", "b", limits=Limits(queue_timeout=30))
    desk.serve("a")
    waiter = desk.ask("b")
    assert desk.scheduler.next_deadline() == 30
    desk.time = 30
    desk.expire()
    error = desk.rejected[waiter]
    assert isinstance(error, QueueTimeout)
    assert (error.status, error.retry_after) == (503, 10)
    assert "30 s" in error.what
    assert desk.scheduler.waiting("b") == 0


async def test_the_engine_wakes_for_every_limit() -> None:
    setup = config(model("a"), model("b"), min_residency=5, max_wait=20, queue_timeout=30)
    async with stage(setup) as scene:
        first = await scene.load("a")
        waiter = scene.ask("b")
        await scene.clock.advance(19.9)
        assert scene.engine.try_lease(scene.engine.resolve("a")) is not None
        await scene.clock.advance(0.2)
        assert scene.engine.try_lease(scene.engine.resolve("a")) is None
        assert scene.engine.status()[1].queue == 1
        await scene.clock.advance(10)
        with pytest.raises(QueueTimeout):
            await waiter
        first.release()


async def test_the_engine_swaps_when_min_residency_is_over() -> None:
    async with stage(config(model("a"), model("b"), min_residency=5)) as scene:
        (await scene.load("a")).release()
        waiter = scene.ask("b")
        await settle()
        assert scene.engine.state("a") is State.READY
        await scene.clock.advance(5)
        assert scene.engine.state("b") is State.STARTING
        await scene.ready("b")
        (await waiter).release()


async def test_load_makes_ready_without_using_and_takes_no_place() -> None:
    async with stage(config(model("a", concurrency_limit=1, aliases=("gpt",)))) as scene:
        loading = scene.go(scene.engine.load("gpt"))
        client = scene.ask("a")
        await scene.ready("a")
        await loading
        (await client).release()
        assert scene.said() == [("a", "starting", "starting"), ("a", "ready", "ready")]
        await scene.engine.load("a")
        assert len(scene.launcher.of("a")) == 1


async def test_status_tells_the_time_left() -> None:
    async with stage(config(model("a", ttl=60))) as scene:
        lease = await scene.load("a")
        assert scene.engine.status()[0].ttl_left is None
        lease.release()
        await scene.clock.advance(10)
        assert scene.engine.status()[0].ttl_left == 50
        assert scene.engine.status()[0].memory is None


# Bounds under random arrivals.

LOAD, STOP, ANSWER = 3.0, 1.0, 8.0
NAMES = ("a", "b", "c", "d")

requests = st.tuples(st.floats(0, 4), st.sampled_from(NAMES), st.floats(0.1, ANSWER))
# A few that come into an empty queue now and then, or a crowd.
arrivals = st.lists(requests, min_size=1, max_size=5) | st.lists(requests, min_size=6, max_size=60)


class World:
    """A scheduler whose processes and answers take a known time."""

    def __init__(
        self, names: tuple[str, ...], limits: Limits, priorities: dict[str, int] | None = None
    ) -> None:
        models = {name: SwapModel(id=name, concurrency_limit=1000) for name in names}
        rules = compile_residency(SwapConfig(source="t", models=models))
        self.scheduler = Scheduler(models.values(), rules, priorities, limits)
        self.limits = limits
        self.now = 0.0
        self.order = itertools.count()
        self.agenda: list[tuple[float, int, str, tuple[str, int, float]]] = []
        self.asked: dict[int, tuple[str, float, float]] = {}
        self.waited: list[float] = []
        self.ready_since: dict[str, float] = {}
        self.lives: dict[str, int] = {}

    def later(self, seconds: float, what: str, model: str, number: int, span: float = 0) -> None:
        entry = (self.now + seconds, next(self.order), what, (model, number, span))
        heapq.heappush(self.agenda, entry)

    def note(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Grant(ticket, model):
                    _, since, span = self.asked.pop(ticket)
                    self.waited.append(self.now - since)
                    self.later(span, "release", model, ticket)
                case Start(model, generation):
                    self.lives[model] = generation
                    self.later(LOAD, "started", model, generation)
                case Stop(model, reason):
                    self.check_stop(model, reason)
                    self.later(STOP, "stopped", model, self.lives[model])
                case Reject():
                    raise AssertionError(effect)

    def check_stop(self, model: str, reason: str) -> None:
        target = reason.removeprefix("evicted for ")
        waits = [self.now - since for name, since, _ in self.asked.values() if name == target]
        overdue = self.limits.max_wait and max(waits, default=0) >= self.limits.max_wait - 1e-6
        stayed = self.now - self.ready_since[model]
        assert overdue or stayed >= self.limits.min_residency - 1e-6, "evicted too soon"

    def run(self) -> None:
        while self.agenda or self.asked:
            due = self.scheduler.next_deadline()
            if due is not None and (not self.agenda or due <= self.agenda[0][0]):
                assert due >= self.now
                self.now = due
                self.note(self.scheduler.expire(due))
                continue
            assert self.agenda, "waiters and nothing left to happen"
            self.now, _, what, (model, number, span) = heapq.heappop(self.agenda)
            if what == "ask":
                self.asked[number] = (model, self.now, span)
                self.note(self.scheduler.acquire(number, model, self.now))
            elif what == "release":
                self.note(self.scheduler.release(number, self.now))
            elif what == "started":
                self.ready_since[model] = self.now
                self.note(self.scheduler.started(model, number, self.now))
            else:
                self.note(self.scheduler.stopped(model, number))


@settings(max_examples=300, deadline=None)
@given(
    requests=arrivals,
    count=st.integers(2, len(NAMES)),
    max_wait=st.sampled_from([6.0, 15.0, 40.0]),
    min_residency=st.sampled_from([0.0, 5.0]),
    priorities=st.dictionaries(st.sampled_from(NAMES), st.integers(-2, 2)),
)
@example(
    requests=[(0, "a", 1), (4, "a", 0.1), (2.5, "b", 1)],
    count=2,
    max_wait=15.0,
    min_residency=5.0,
    priorities={},
)
@example(
    requests=[(0, "a", 1), (0, "b", 8), (1, "a", 2), (4, "a", 8), (1, "a", 1)],
    count=2,
    max_wait=6.0,
    min_residency=0.0,
    priorities={},
)
def test_no_request_starves_and_no_model_is_evicted_too_soon(
    requests: list[tuple[float, str, float]],
    count: int,
    max_wait: float,
    min_residency: float,
    priorities: dict[str, int],
) -> None:
    """max_wait, then at most one answer and one swap for each rival, and the load under way.

    If answers may last longer than max_wait, it is the longest answer instead: an overdue rival
    may have the wanted model drain first.
    """
    world = World(NAMES, Limits(min_residency, max_wait), priorities)
    at = 0.0
    for ticket, (pause, name, span) in enumerate(requests):
        at += pause
        world.later(at, "ask", NAMES[NAMES.index(name) % count], ticket, span)
    world.run()
    assert len(world.waited) == len(requests)
    swap = STOP + LOAD
    bound = max(max_wait, ANSWER) + swap + (count - 1) * (ANSWER + swap)
    assert max(world.waited) <= bound + 1e-6


def test_a_stream_of_requests_for_one_model_cannot_keep_another_waiting() -> None:
    """Answers that always overlap: without max_wait the rival would wait until they end."""
    world = World(("a", "b"), Limits(min_residency=5, max_wait=20))
    for second in range(100):
        world.later(second, "ask", "a", second, 5.0)
    world.later(4, "ask", "b", 1000, 1.0)
    world.run()
    assert max(world.waited) <= 20 + 5 + STOP + LOAD
