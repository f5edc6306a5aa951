"""Who takes a place of a model, and who gives it back."""

from __future__ import annotations

import pytest

from llmstack.engine.plan import State
from llmstack.errors import (
    ConcurrencyLimit,
    StartFailed,
)
from tests.engine.desk import Desk


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
