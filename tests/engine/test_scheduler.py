"""The scheduler's promises on loads, swaps and their order, one test each."""

from __future__ import annotations

import pytest

from llmstack.config.swap import Group, Matrix, MatrixSet
from llmstack.errors import (
    StartFailed,
)
from tests.engine.desk import PAIR, Desk


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
