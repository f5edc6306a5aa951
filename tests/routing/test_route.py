"""A session stays where a switch costs more than it gives, and moves where the user asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from llmstack.dialects import RequestView
from llmstack.errors import ModelNotFound, NothingAvailable
from llmstack.routing import Kind, Machine, Place, Routed, SessionState, kind_of, ladder, route
from tests.routing.stacks import LADDERS, shipped, stack, tier

FAST, SMART, ULTRA, PLAN = "code-fast", "code-smart", "code-ultra", "plan"
LOCAL = LADDERS["local"]


def machine(loaded: str = "", *, seconds: float = 20.0, **more: Any) -> Machine:
    """One large model at a time beside the fast one; ``loaded`` and the fast one are."""
    large = frozenset({loaded} - {""})
    places = {FAST: Place(ready=True, load_seconds=2.0, prefill=2000.0)}
    for name in (SMART, ULTRA, PLAN, "plan-uncensored"):
        ready = name == loaded
        places[name] = Place(
            ready=ready,
            load_seconds=seconds,
            prefill=500.0,
            evicts=frozenset() if ready else large,
            load=1,
        )
    places |= more
    return Machine(places)


def ask(text: str, turns: int = 2, **more: Any) -> RequestView:
    return RequestView("chat", last_user=text, user_turns=turns, **{"tokens": 8000, **more})


def turn(
    view: RequestView, state: SessionState | None, now: Machine, rungs: Any = LOCAL, **more: Any
) -> Routed:
    return route(view, rungs, state, now, **{"kind": kind_of(view), **more})


def started(text: str = "fix the bug in the parser", loaded: str = SMART, **more: Any) -> Routed:
    return turn(ask(text, 1, **more), None, machine(loaded))


def test_a_tool_loop_stays_on_its_model_however_it_grows() -> None:
    """Above the ceiling the bare ladder would step down; within the turn it does not."""
    begun = started(tokens=30_000)
    grown = ask("fix the bug in the parser", 1, tokens=33_000, continues=True)
    assert route(grown, replace(LOCAL, sticky=False)).decision.model == FAST
    after = turn(grown, begun.state, machine(SMART))
    assert after.decision.model == SMART
    assert after.decision.reason == "the same turn stays on code-smart"


def test_a_turn_that_no_longer_fits_moves_and_says_so() -> None:
    begun = started(tokens=30_000)
    grown = ask("fix the bug in the parser", 1, tokens=70_000, continues=True)
    after = turn(grown, begun.state, machine(SMART))
    assert after.decision.model == FAST
    assert after.decision.reason.startswith("no longer fits code-smart; ")


def test_a_turn_whose_model_went_down_moves_and_says_so() -> None:
    begun = started()
    rungs = ladder(shipped("code-ultra"), {SMART: "is down"})
    after = turn(ask("fix the bug in the parser", 1, continues=True), begun.state, machine(), rungs)
    assert after.decision.model == FAST
    assert "code-smart can no longer be asked" in after.decision.reason


def test_a_turn_stays_on_a_second_player_when_the_first_one_is_back() -> None:
    """A budget that begins anew at midnight moves no turn that is under way."""
    both = stack(tier("paid", "agent"), tier("own", "agent"), tier(FAST, "fast"))
    begun = turn(ask("fix it in main.py", 1), None, Machine(), ladder(both, {"paid": "is down"}))
    assert begun.decision.model == "own"
    goes_on = turn(
        ask("fix it in main.py", 1, continues=True), begun.state, Machine(), ladder(both)
    )
    assert goes_on.decision.reason == "the same turn stays on own"
    assert (
        turn(ask("next thing", 2), goes_on.state, Machine(), ladder(both)).decision.model == "paid"
    )


@pytest.mark.parametrize("text", ["yes", "mach weiter", "继续", "fix it"])
def test_a_terse_follow_up_stays_on_the_turns_model(text: str) -> None:
    planned = started("how should we design the cache?", PLAN)
    assert planned.decision.model == PLAN
    after = turn(ask(text, 2), planned.state, machine(PLAN))
    assert (after.decision.model, after.decision.reason) == (
        PLAN,
        "a terse follow-up stays on plan",
    )


def test_a_follow_up_with_tools_after_a_plan_without_is_another_kind_of_work() -> None:
    planned = started("how should we design the cache?", PLAN)
    after = turn(ask("yes, do it", 2, has_tools=True), planned.state, machine(PLAN))
    assert after.decision.reason != "a terse follow-up stays on plan"


@pytest.mark.parametrize("kind", ["title", "summary", "probe", "count"])
@pytest.mark.parametrize("loaded", ["", SMART, PLAN])
def test_side_work_never_loads_nor_evicts(kind: Kind, loaded: str) -> None:
    """Its words are full of plans; it goes to the small tier, which is loaded."""
    view = ask("Generate a title: how should we design and plan this?", 1, max_output=16)
    done = route(view, LOCAL, None, machine(loaded), kind=kind)
    assert done.decision.model == FAST
    assert done.state == SessionState()


def test_side_work_goes_to_what_is_loaded_when_the_small_tier_is_not() -> None:
    now = machine(PLAN, **{FAST: Place(evicts=frozenset({PLAN}))})
    assert route(ask("title", 1), LOCAL, None, now, kind="title").decision.model == PLAN


def test_side_work_waits_for_what_is_being_loaded_before_it_loads_another() -> None:
    now = machine(**{FAST: Place(evicts=frozenset({SMART})), SMART: Place(loading=True)})
    assert route(ask("title", 1), LOCAL, None, now, kind="title").decision.model == SMART


def test_side_work_costs_no_money_while_the_small_tier_can_be_loaded() -> None:
    hosted = Place(ready=True, hosted=True)
    places = dict.fromkeys((FAST, SMART, PLAN, "plan-uncensored"), Place())
    now = Machine({**places, ULTRA: hosted})
    rungs = LADDERS["full"]
    assert route(ask("title", 1), rungs, None, now, kind="title").decision.model == FAST
    now = Machine({**now.places, FAST: Place(evicts=frozenset({"other"}))})
    assert route(ask("title", 1), rungs, None, now, kind="title").decision.model == ULTRA


def test_a_count_is_made_by_the_model_that_will_read_the_prompt() -> None:
    begun = started()
    counted = route(ask("how many?", 2), LOCAL, begun.state, machine(SMART), kind="count")
    assert counted.decision.model == SMART


def test_a_compaction_stays_on_the_sessions_model() -> None:
    planned = started("how should we design the cache?", PLAN)
    view = ask("Summarise the plan; debug; design", 1, tokens=40_000)
    done = route(view, LOCAL, planned.state, machine(PLAN), kind="compaction")
    assert done.decision.model == PLAN
    assert done.state == planned.state


def test_a_compaction_that_fits_only_elsewhere_goes_there() -> None:
    planned = started("how should we design the cache?", PLAN)
    view = ask("Summarise", 1, tokens=100_000)
    done = route(view, LOCAL, planned.state, machine(PLAN), kind="compaction")
    assert done.decision.model == FAST


def test_a_switch_that_costs_too_much_is_not_made() -> None:
    begun = started("now explain the parser", tokens=9000)
    asked = ask("how should we design the cache?", 2, tokens=9500)
    cheap = turn(asked, begun.state, machine(SMART, seconds=2.0))
    assert cheap.decision.model == PLAN
    dear = turn(asked, begun.state, machine(SMART, seconds=40.0))
    assert dear.decision.model == SMART
    assert dear.decision.reason == (
        "stays on code-smart: a switch to plan costs about 117 s; plan words, no tools"
    )
    (price,) = dear.prices
    # 40 s to load, 9500 tokens at 500/s, and the same back; less the 500 new tokens of staying.
    assert price.seconds == pytest.approx(2 * (40 + 19) - 1)


def test_the_limit_is_settable() -> None:
    begun = started(tokens=9000)
    asked = ask("how should we design the cache?", 2, tokens=9500)
    patient = replace(LOCAL, limit=1000)
    assert turn(asked, begun.state, machine(SMART, seconds=40.0), patient).decision.model == PLAN
    stingy = replace(LOCAL, limit=0)
    assert turn(asked, begun.state, machine(SMART, seconds=1.0), stingy).decision.model == SMART


def test_with_everything_loaded_the_ladder_is_exact() -> None:
    ready = Machine({name: Place(ready=True) for name in (FAST, SMART, ULTRA, PLAN)})
    state = None
    for text, tokens in (
        ("fix it all in main.py", 100),
        ("how should we design it?", 200),
        ("now write the parser", 40_000),
        ("implement the lexer", 900),
    ):
        view = ask(text, 1, tokens=tokens)
        done = turn(view, state, ready, LADDERS["full"])
        bare = route(view, replace(LADDERS["full"], sticky=False))
        assert done.decision.model == bare.decision.model
        assert not done.prices
        state = done.state


def test_what_others_host_costs_nothing_to_switch_to() -> None:
    begun = started()
    now = machine(SMART, seconds=500.0, **{PLAN: Place(ready=True, hosted=True)})
    assert turn(ask("how should we design it?", 2), begun.state, now).decision.model == PLAN


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("[nofilter] tell me", {}, "plan-uncensored"),
        ("nofilter: yes", {}, "plan-uncensored"),
        ("go on", {"mode": "plan", "kind": "turn"}, PLAN),
    ],
)
def test_what_is_asked_for_is_done_at_any_price(
    text: str, more: dict[str, Any], expected: str
) -> None:
    begun = started()
    done = turn(ask(text, 2), begun.state, machine(SMART, seconds=900.0), **more)
    assert done.decision.model == expected
    # And the next turn goes back to where the session is at home, asking no price.
    back = turn(ask("write the parser", 3), done.state, machine(expected, seconds=900.0))
    assert back.decision.model == SMART


def test_off_is_the_bare_ladder() -> None:
    off = replace(LOCAL, sticky=False)
    begun = turn(ask("fix the parser", 1), None, machine(SMART), off)
    asked = ask("how should we design it?", 2)
    assert turn(asked, begun.state, machine(SMART, seconds=900.0), off).decision.model == PLAN
    titled = route(ask("title: design it", 1), off, None, machine(SMART), kind="title")
    assert titled.decision.model == PLAN


def test_a_new_session_does_not_throw_out_what_another_one_uses() -> None:
    """It may when the other one's model is not wanted any more."""
    asked = ask("how should we design it?", 1)
    used = machine(SMART, seconds=60.0)
    used = Machine({**used.places, SMART: structs.replace(used[SMART], users=1)})
    assert turn(asked, None, used).decision.model == SMART
    lately = Machine(machine(SMART, seconds=60.0).places, lambda: {SMART: 1})
    assert turn(asked, None, lately) == turn(asked, None, used)
    assert turn(asked, None, machine(SMART, seconds=60.0)).decision.model == PLAN


def test_a_session_is_never_kept_on_the_uncensored_tier() -> None:
    busy = Place(ready=True, busy=True, users=3)
    now = machine("plan-uncensored", seconds=900.0, **{"plan-uncensored": busy})
    assert turn(ask("write the parser", 1), None, now).decision.model == SMART


def test_a_sub_agent_begins_where_its_parent_is() -> None:
    parent = started().state
    asked = ask("design the search and report", 1)
    child = turn(asked, None, machine(SMART, seconds=60.0), parent=parent)
    assert child.decision.model == SMART
    assert turn(asked, None, machine(SMART, seconds=60.0)).decision.model == PLAN


def test_the_same_request_again_is_decided_the_same() -> None:
    begun = started()
    later = turn(ask("refactor it in main.py", 2), begun.state, machine(SMART))
    again = turn(ask("refactor it in main.py", 2), later.state, machine(PLAN))
    assert again.decision.model == later.decision.model


def test_a_sub_agent_that_speaks_in_its_parents_name_takes_nothing_of_its_turn() -> None:
    parent = started("fix the parser in main.py")
    near = machine(SMART, seconds=5.0)
    both = turn(ask("how should we design the search?", 1), parent.state, near)
    assert both.decision.model == PLAN
    goes_on = ask("fix the parser in main.py", 1, continues=True)
    assert turn(goes_on, both.state, machine(PLAN)).decision.model == SMART


def test_nothing_that_was_said_is_kept() -> None:
    begun = started("a very secret word")
    assert "secret" not in repr(begun.state)


def test_errors_are_those_of_the_ladder() -> None:
    with pytest.raises(ModelNotFound):
        route(ask("hi"), ladder(shipped(FAST, SMART, ULTRA, PLAN, "plan-uncensored")))
    down = dict.fromkeys((FAST, SMART, ULTRA, PLAN, "plan-uncensored"), "is down")
    with pytest.raises(NothingAvailable):
        route(ask("hi"), ladder(shipped(), down), kind="title")
