"""The scheduler on what ends: crashes, clients that leave, unloads, idle time, closing."""

from __future__ import annotations

import pytest

from llmstack.config.swap import Group
from llmstack.engine.plan import State
from llmstack.errors import (
    ModelUnloaded,
    ShuttingDown,
    StartFailed,
)
from tests.engine.desk import PAIR, Desk


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
