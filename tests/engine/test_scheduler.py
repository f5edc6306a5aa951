"""The scheduler's promises, one test each. Time and processes are plain method calls here."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.config.swap import Group, Matrix, MatrixSet, SwapConfig, SwapModel
from llmstack.engine.effects import Effect, Grant, Reject, Start, Stop
from llmstack.engine.plan import State
from llmstack.engine.queue import Limits
from llmstack.engine.scheduler import Scheduler
from llmstack.errors import (
    ConcurrencyLimit,
    ModelUnloaded,
    RequestError,
    ShuttingDown,
    StartFailed,
)
from llmstack.residency import compile_residency

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


# Loading.


@pytest.mark.top40(35, "one load for all")
def test_one_load_is_shared_by_all_who_wait() -> None:
    desk = Desk("a")
    tickets = [desk.ask("a") for _ in range(5)]
    assert desk.starts == ["a"]
    assert desk.granted == []
    desk.started("a")
    assert desk.granted == tickets


def test_a_ready_model_is_granted_at_once() -> None:
    desk = Desk("a")
    desk.idle("a")
    assert desk.scheduler.is_clear("a")
    assert desk.ask("a") in desk.granted
    assert desk.starts == ["a"]


@pytest.mark.top40(35, "compatible models load in parallel")
def test_compatible_models_load_in_parallel() -> None:
    desk = Desk("x", "y", groups=PAIR)
    x, y = desk.ask("x"), desk.ask("y")
    assert desk.starts == ["x", "y"]
    desk.started("y")
    desk.started("x")
    assert desk.granted == [y, x]


@pytest.mark.top40(19, "the next request may try again")
def test_a_start_that_fails_is_told_to_all_who_waited_and_the_next_request_tries_again() -> None:
    desk = Desk("a")
    first, second = desk.ask("a"), desk.ask("a")
    error = StartFailed("no memory")
    desk.stopped("a", error)
    assert desk.rejected == {first: error, second: error}
    assert desk.starts == ["a"]
    third = desk.ask("a")
    desk.started("a")
    assert desk.granted == [third]


def test_a_start_that_ends_without_a_reason_is_a_failed_start() -> None:
    desk = Desk("a")
    ticket = desk.ask("a")
    desk.stopped("a")
    assert isinstance(desk.rejected[ticket], StartFailed)


def test_those_for_whom_a_model_was_loaded_are_served_before_it_can_be_evicted() -> None:
    desk = Desk("a", "b", priorities={"b": 10})
    a, b = desk.ask("a"), desk.ask("b")
    desk.started("a")
    assert desk.granted == [a]
    assert desk.stops == []
    desk.release(a)
    desk.stopped("a")
    desk.started("b")
    assert desk.granted == [a, b]


# Swaps.


@pytest.mark.top40(34, "answers are not interrupted")
def test_a_swap_never_interrupts_running_answers() -> None:
    desk = Desk("a", "b")
    first, second = desk.serve("a"), desk.serve("a")
    desk.ask("b")
    assert desk.stops == []
    desk.release(first)
    assert desk.stops == []
    desk.release(second)
    assert desk.stops == [("a", "evicted for b")]


@pytest.mark.top40(34, "victims stop before the newcomer starts")
def test_the_newcomer_starts_only_when_every_victim_has_stopped() -> None:
    desk = Desk("x", "y", "a", groups=PAIR)
    desk.idle("x")
    desk.idle("y")
    ticket = desk.ask("a")
    assert desk.stops == [("x", "evicted for a"), ("y", "evicted for a")]
    desk.stopped("y")
    assert desk.starts == ["x", "y"]
    desk.stopped("x")
    assert desk.starts == ["x", "y", "a"]
    desk.started("a")
    assert ticket in desk.granted


def test_a_stop_under_way_for_another_reason_is_waited_for_and_not_repeated() -> None:
    desk = Desk("a", "b")
    desk.idle("a")
    desk.unload("a")
    desk.ask("b")
    assert desk.stops == [("a", "unload")]
    assert desk.starts == ["a"]
    desk.stopped("a")
    assert desk.starts == ["a", "b"]


def test_a_request_for_a_model_that_is_being_evicted_waits_and_gets_it_anew() -> None:
    desk = Desk("a", "b")
    desk.idle("a")
    b = desk.ask("b")
    a = desk.ask("a")
    desk.stopped("a")
    desk.started("b")
    assert b in desk.granted
    assert a not in desk.granted
    desk.release(b)
    desk.stopped("b")
    desk.started("a")
    assert a in desk.granted


def test_victims_leave_even_if_the_newcomer_then_fails_and_can_come_back() -> None:
    desk = Desk("a", "b")
    desk.idle("a")
    b = desk.ask("b")
    desk.stopped("a")
    a = desk.ask("a")
    desk.stopped("b", StartFailed("bad file"))
    assert b in desk.rejected
    desk.started("a")
    assert a in desk.granted


def test_swaps_that_do_not_touch_each_other_run_side_by_side() -> None:
    desk = Desk(
        "a1",
        "a2",
        "b1",
        "b2",
        groups=(
            Group("a", ("a1", "a2"), exclusive=False),
            Group("b", ("b1", "b2"), exclusive=False),
        ),
    )
    desk.idle("a1")
    desk.idle("b1")
    desk.ask("a2")
    desk.ask("b2")
    assert desk.stops == [("a1", "evicted for a2"), ("b1", "evicted for b2")]


def test_a_request_that_cannot_be_served_yet_does_not_block_those_behind_it() -> None:
    desk = Desk("x", "y", "a", groups=PAIR)
    desk.serve("x")
    blocked = desk.ask("a")  # must wait for x to finish answering
    behind = desk.ask("y")  # may run beside x
    assert desk.starts == ["x", "y"]
    desk.started("y")
    assert behind in desk.granted
    assert desk.scheduler.queue_position(blocked) == 1


def test_a_ready_model_that_may_not_run_beside_a_later_guest_waits_until_the_guest_left() -> None:
    """A model of a group that is not exclusive may come beside an exclusive one that runs."""
    desk = Desk("a", "guest", groups=(Group("loose", ("guest",), exclusive=False),))
    desk.idle("a")
    guest = desk.serve("guest")
    again = desk.ask("a")
    assert again not in desk.granted
    assert desk.stops == []  # the guest answers
    desk.release(guest)
    assert desk.stops == [("guest", "evicted for a")]
    assert again not in desk.granted
    desk.stopped("guest")
    assert again in desk.granted
    assert desk.starts == ["a", "guest"]  # a itself never stopped


def test_a_matrix_decides_which_neighbour_leaves() -> None:
    matrix = Matrix(
        vars={},
        evict_costs={"big": 10},
        sets=(MatrixSet("one", "big & small"), MatrixSet("two", "(big | small) & new")),
    )
    desk = Desk("big", "small", "new", matrix=matrix)
    desk.idle("big")
    desk.idle("small")
    desk.ask("new")
    assert desk.stops == [("small", "evicted for new")]


# Order.


@pytest.mark.top40(36, "priority, then arrival")
def test_the_higher_priority_goes_first_and_among_equals_the_earlier() -> None:
    desk = Desk("a", "b", "c", "d", priorities={"d": 5})
    holder = desk.serve("a")
    waiting = [desk.ask(name) for name in ("b", "c", "d", "b")]
    places = [desk.scheduler.queue_position(ticket) for ticket in waiting]
    assert places == [2, 3, 1, 4]
    desk.release(holder)
    desk.stopped("a")
    for name in ("d", "b", "c"):
        assert desk.starts[-1] == name
        before = len(desk.granted)
        desk.started(name)
        for ticket in desk.granted[before:]:
            desk.release(ticket)
        if name != "c":
            desk.stopped(name)
    d, c = waiting[2], waiting[1]
    assert desk.granted[1:] == [d, waiting[0], waiting[3], c]


def test_a_request_that_does_not_wait_has_no_place_in_the_queue() -> None:
    desk = Desk("a")
    assert desk.scheduler.queue_position(desk.serve("a")) is None


# Crashes.


@pytest.mark.top40(38, "no restart by itself")
def test_a_crash_while_ready_stops_the_model_and_the_next_request_restarts_it() -> None:
    desk = Desk("a")
    desk.idle("a")
    desk.stopped("a")
    assert desk.state("a") is State.STOPPED
    assert desk.starts == ["a"]  # nobody wants it, so nobody restarts it
    assert not desk.scheduler.is_clear("a")
    ticket = desk.ask("a")
    assert ticket not in desk.granted
    desk.started("a")
    assert ticket in desk.granted


def test_a_release_that_comes_after_a_crash_touches_nothing_of_the_next_life() -> None:
    desk = Desk("a", ttl=10)
    old = desk.serve("a")
    desk.stopped("a")
    new = desk.serve("a")
    desk.release(old)
    assert desk.scheduler.in_flight("a") == 1
    desk.time = 100
    desk.expire()
    assert desk.stops == []
    desk.release(new)
    assert desk.scheduler.in_flight("a") == 0


def test_a_crash_of_a_busy_model_lets_those_go_on_who_waited_for_it_to_finish() -> None:
    desk = Desk("a", "b")
    desk.serve("a")
    desk.ask("b")
    desk.stopped("a")
    assert desk.starts == ["a", "b"]


def test_a_victim_that_crashes_while_it_is_being_stopped_counts_as_stopped() -> None:
    desk = Desk("a", "b")
    desk.idle("a")
    ticket = desk.ask("b")
    desk.stopped("a", StartFailed("segmentation fault"))
    desk.started("b")
    assert ticket in desk.granted


def test_reports_of_an_earlier_life_are_ignored() -> None:
    desk = Desk("a")
    desk.idle("a")
    first = desk.generations["a"]
    desk.stopped("a")
    ticket = desk.ask("a")
    desk.started("a", generation=first)
    desk.stopped("a", StartFailed("late news"), generation=first)
    assert desk.state("a") is State.STARTING
    assert not desk.granted[1:]
    assert desk.rejected == {}
    desk.started("a")
    assert ticket in desk.granted


def test_a_second_report_of_the_same_end_is_ignored() -> None:
    desk = Desk("a")
    desk.idle("a")
    generation = desk.generations["a"]
    desk.stopped("a")
    desk.stopped("a", generation=generation)
    assert desk.state("a") is State.STOPPED
    assert desk.rejected == {}


# Clients that leave.


def test_leaving_the_queue_frees_the_place_and_starts_no_load() -> None:
    desk = Desk("a", "b", concurrency_limit=1)
    holder = desk.serve("a")
    waiting = desk.ask("b")
    desk.abandon(waiting)
    desk.release(holder)
    assert desk.stops == []
    assert desk.starts == ["a"]
    assert desk.ask("b") not in desk.rejected


def test_a_load_goes_on_when_the_one_who_wanted_it_leaves() -> None:
    desk = Desk("a")
    desk.abandon(desk.ask("a"))
    assert desk.stops == []
    desk.started("a")
    assert desk.state("a") is State.READY
    assert desk.ask("a") in desk.granted
    assert desk.starts == ["a"]


def test_a_swap_goes_on_when_the_one_who_wanted_it_leaves() -> None:
    desk = Desk("a", "b")
    desk.idle("a")
    desk.abandon(desk.ask("b"))
    desk.stopped("a")
    assert desk.starts == ["a", "b"]


def test_leaving_after_the_grant_gives_the_model_back() -> None:
    desk = Desk("a")
    desk.abandon(desk.serve("a"))
    assert desk.scheduler.in_flight("a") == 0
    assert desk.scheduler.idle


def test_releasing_or_leaving_twice_does_nothing() -> None:
    desk = Desk("a", concurrency_limit=2)
    held, ticket = desk.serve("a"), desk.serve("a")
    for _ in range(3):
        desk.release(ticket)
        desk.abandon(ticket)
    assert desk.scheduler.in_flight("a") == 1
    desk.serve("a")
    assert desk.ask("a") in desk.rejected
    desk.release(held)


# Limits.


@pytest.mark.top40(18, "queued requests count")
def test_the_limit_counts_those_who_wait_as_well_as_those_who_are_served() -> None:
    desk = Desk("a", "b", concurrency_limit=2)
    desk.serve("a")
    desk.serve("a")
    assert not desk.scheduler.is_clear("a")
    full = desk.ask("a")
    assert isinstance(desk.rejected[full], ConcurrencyLimit)
    desk.ask("b")
    desk.ask("b")
    queued_full = desk.ask("b")
    assert isinstance(desk.rejected[queued_full], ConcurrencyLimit)


def test_a_place_is_free_again_after_a_release_a_rejection_and_a_crash() -> None:
    desk = Desk("a", concurrency_limit=1)
    desk.release(desk.serve("a"))
    held = desk.serve("a")
    desk.stopped("a")
    assert desk.ask("a") in desk.rejected  # the crashed answer has not been given back yet
    desk.release(held)
    failed = desk.ask("a")
    desk.stopped("a", StartFailed("no"))
    assert failed in desk.rejected
    desk.serve("a")


# Unload.


def test_unload_stops_an_idle_model_at_once() -> None:
    desk = Desk("a")
    desk.idle("a")
    desk.unload("a")
    assert desk.stops == [("a", "unload")]
    assert desk.state("a") is State.STOPPING


def test_unload_waits_for_running_answers() -> None:
    desk = Desk("a")
    first, second = desk.serve("a"), desk.serve("a")
    desk.unload("a")
    desk.release(first)
    assert desk.stops == []
    desk.release(second)
    assert desk.stops == [("a", "unload")]


def test_requests_after_an_unload_that_waits_get_the_model_anew() -> None:
    desk = Desk("a")
    holder = desk.serve("a")
    desk.unload("a")
    assert not desk.scheduler.is_clear("a")
    late = desk.ask("a")
    assert late not in desk.granted
    desk.release(holder)
    desk.stopped("a")
    assert desk.starts == ["a", "a"]
    desk.started("a")
    assert late in desk.granted
    desk.release(late)
    assert desk.stops == [("a", "unload")]  # the unload was for the first life only


def test_forced_unload_does_not_wait() -> None:
    desk = Desk("a", "b")
    holder = desk.serve("a")
    desk.unload("a")
    desk.unload("a", force=True)
    assert desk.stops == [("a", "unload")]
    desk.ask("b")
    assert desk.starts == ["a"]
    desk.stopped("a")
    assert desk.starts == ["a", "b"]
    desk.release(holder)
    assert desk.scheduler.in_flight("a") == 0


def test_unload_tells_those_who_wait_in_the_queue() -> None:
    desk = Desk("a", "b")
    desk.serve("a")
    waiting = desk.ask("b")
    desk.unload("b")
    assert isinstance(desk.rejected[waiting], ModelUnloaded)
    assert desk.stops == []
    assert desk.scheduler.queue_position(waiting) is None


def test_unload_while_starting_stops_the_start_and_tells_those_who_wait() -> None:
    desk = Desk("a")
    waiting = desk.ask("a")
    desk.unload("a")
    assert isinstance(desk.rejected[waiting], ModelUnloaded)
    assert desk.stops == [("a", "unload")]
    assert desk.state("a") is State.STOPPING
    desk.unload("a")
    assert desk.stops == [("a", "unload")]
    desk.started("a")  # too late: the stop has been asked for
    assert desk.state("a") is State.STOPPING
    desk.stopped("a")
    assert desk.starts == ["a"]


def test_a_request_after_the_unload_of_a_start_gets_a_start_of_its_own() -> None:
    desk = Desk("a")
    desk.ask("a")
    desk.unload("a")
    late = desk.ask("a")
    desk.stopped("a", StartFailed("it was told to"))
    assert late not in desk.rejected
    assert desk.starts == ["a", "a"]
    desk.started("a")
    assert late in desk.granted


def test_unload_of_a_newcomer_whose_victims_are_stopping_starts_nothing() -> None:
    desk = Desk("a", "b")
    desk.idle("a")
    waiting = desk.ask("b")
    desk.unload("b")
    assert isinstance(desk.rejected[waiting], ModelUnloaded)
    desk.stopped("a")
    assert desk.starts == ["a"]
    assert desk.state("b") is State.STOPPED
    desk.serve("b")


def test_unload_of_a_newcomer_lets_those_go_on_whom_its_swap_held_up() -> None:
    desk = Desk("x", "y", "a", groups=PAIR)
    desk.idle("a")
    desk.ask("x")
    again = desk.ask("a")
    desk.unload("x")
    desk.stopped("a")
    desk.started("a")
    assert again in desk.granted


def test_unload_of_a_start_lets_those_go_on_at_once_whom_its_swap_held_up() -> None:
    desk = Desk("x", "y", "a", groups=PAIR)
    desk.idle("y")
    desk.ask("x")
    desk.ask("a")
    assert desk.stops == []
    desk.unload("x")
    assert desk.stops == [("x", "unload"), ("y", "evicted for a")]
    desk.stopped("y")
    assert desk.starts == ["y", "x"]
    desk.stopped("x")
    assert desk.starts == ["y", "x", "a"]


def test_unload_of_what_does_not_run_does_nothing() -> None:
    desk = Desk("a")
    desk.unload("a", force=True)
    assert desk.stops == []
    desk.serve("a")


# Time to live.


@pytest.mark.top40(37, "ttl from the last answer's end")
@pytest.mark.top40(37, "never while busy")
def test_a_model_expires_a_ttl_after_the_end_of_its_last_answer() -> None:
    desk = Desk("a", ttl=10)
    ticket = desk.serve("a")
    assert desk.scheduler.next_deadline() is None
    desk.time = 50
    desk.expire()
    assert desk.stops == []
    desk.release(ticket)
    assert desk.scheduler.next_deadline() == 60
    desk.time = 59.9
    desk.expire()
    assert desk.stops == []
    desk.time = 60
    desk.expire()
    assert desk.stops == [("a", "ttl")]


def test_a_model_that_nobody_used_has_its_full_ttl_from_when_it_was_ready() -> None:
    desk = Desk("a", ttl=10)
    desk.abandon(desk.ask("a"))
    desk.time = 5
    desk.started("a")
    assert desk.scheduler.next_deadline() == 15


def test_a_model_that_somebody_waits_for_does_not_expire() -> None:
    desk = Desk("a", "guest", groups=(Group("loose", ("guest",), exclusive=False),), ttl=10)
    desk.idle("a")
    desk.serve("guest")
    waiting = desk.ask("a")  # for the guest to leave
    desk.time = 100
    desk.expire()
    assert desk.stops == []
    desk.abandon(waiting)
    desk.expire()
    assert desk.stops == [("a", "ttl")]


def test_ttl_zero_means_never() -> None:
    desk = Desk("a")
    desk.idle("a")
    assert desk.scheduler.next_deadline() is None
    desk.time = 1e9
    desk.expire()
    assert desk.stops == []


@pytest.mark.top40(37, "a request during the stop")
def test_a_request_while_an_expired_model_stops_starts_it_anew() -> None:
    desk = Desk("a", ttl=1)
    desk.idle("a")
    desk.time = 5
    desk.expire()
    ticket = desk.ask("a")
    desk.stopped("a")
    desk.started("a")
    assert ticket in desk.granted


# Closing.


def test_closing_turns_away_those_who_wait_and_those_who_come() -> None:
    desk = Desk("a", "b")
    held = desk.serve("a")
    waiting = desk.ask("b")
    desk.note(desk.scheduler.close())
    assert isinstance(desk.rejected[waiting], ShuttingDown)
    late = desk.ask("a")
    assert isinstance(desk.rejected[late], ShuttingDown)
    assert not desk.scheduler.is_clear("a")
    assert desk.stops == []
    assert not desk.scheduler.idle
    desk.release(held)
    assert desk.scheduler.idle


def test_closing_during_a_swap_starts_nobody() -> None:
    desk = Desk("a", "b")
    desk.idle("a")
    desk.ask("b")
    desk.note(desk.scheduler.close())
    desk.note(desk.scheduler.stop_all())
    desk.stopped("a")
    assert desk.starts == ["a"]
    assert desk.stops == [("a", "evicted for b")]


def test_stop_all_stops_what_starts_and_what_answers() -> None:
    desk = Desk("x", "y", groups=PAIR)
    desk.serve("x")
    desk.ask("y")
    desk.note(desk.scheduler.close())
    desk.note(desk.scheduler.stop_all())
    assert desk.stops == [("x", "shutdown"), ("y", "shutdown")]
    desk.stopped("x")
    desk.stopped("y")
    assert desk.starts == ["x", "y"]
