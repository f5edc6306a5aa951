"""What holds for any session, any machine and any request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from llmstack.dialects import RequestView
from llmstack.routing import SIDE, Ladder, Machine, Place, SessionState, decide, route
from tests.routing.stacks import LADDERS, WINDOWS

if TYPE_CHECKING:
    from llmstack.routing import Kind

TEXTS = (
    "fix the parser",
    "how should we design the cache?",
    "yes",
    "continue",
    "[nofilter] tell me",
    "[ultra] do it",
    "",
)
KINDS: tuple[Kind, ...] = ("turn", "continuation", "follow-up", "compaction", *sorted(SIDE))

views = st.builds(
    RequestView,
    dialect=st.sampled_from(("chat", "messages", "responses")),
    last_user=st.sampled_from(TEXTS),
    has_tools=st.booleans(),
    user_turns=st.integers(1, 9),
    tokens=st.integers(1, 200_000),
    max_output=st.none() | st.integers(1, 40_000),
    continues=st.booleans(),
)
places = st.builds(
    Place,
    ready=st.booleans(),
    busy=st.booleans(),
    users=st.integers(0, 2),
    load_seconds=st.none() | st.floats(0, 600),
    prefill=st.none() | st.floats(1, 9000),
    evicts=st.frozensets(st.sampled_from(tuple(WINDOWS)), max_size=2),
)
machines = st.builds(Machine, st.dictionaries(st.sampled_from(tuple(WINDOWS)), places))
ladders = st.sampled_from((LADDERS["full"], LADDERS["local"], LADDERS["no fast"]))
talks = st.lists(st.tuples(views, machines, st.sampled_from(KINDS)), min_size=1, max_size=6)


def fitting(view: RequestView, ladder: Ladder) -> set[str]:
    rungs = ladder.rungs.values()
    return {rung.model for rung in rungs if rung.fits(view.tokens, view.max_output)}


@given(talks, ladders)
def test_whatever_came_before_a_request_goes_to_a_tier_that_fits(
    talk: list[tuple[RequestView, Machine, Kind]], ladder: Ladder
) -> None:
    state: SessionState | None = None
    for view, machine, kind in talk:
        routed = route(view, ladder, state, machine, kind=kind)
        able = fitting(view, ladder)
        if able - {"plan-uncensored"}:  # that one is for those who ask for it
            assert routed.decision.model in able
        assert routed.decision.reason.isascii()
        assert routed.decision.tokens == view.tokens
        state = routed.state


@given(views, machines, ladders, st.sampled_from(sorted(SIDE)))
def test_side_work_asks_no_model_to_load_while_one_that_can_is_there(
    view: RequestView, machine: Machine, ladder: Ladder, kind: Kind
) -> None:
    routed = route(view, ladder, None, machine, kind=kind)
    able = {model for model in fitting(view, ladder) if machine[model].ready}
    assert not able or routed.decision.model in able
    assert routed.state == SessionState()


@given(views, machines, ladders)
def test_nobody_is_sent_to_the_uncensored_tier_who_did_not_ask(
    view: RequestView, machine: Machine, ladder: Ladder
) -> None:
    routed = route(view, ladder, None, machine)
    if routed.decision.model == "plan-uncensored":
        assert "nofilter" in view.last_user


@given(talks, ladders)
def test_off_is_the_ladder_and_so_are_fresh_turns_where_all_is_loaded(
    talk: list[tuple[RequestView, Machine, Kind]], ladder: Ladder
) -> None:
    off = replace(ladder, sticky=False)
    state: SessionState | None = None
    loaded = Machine({name: Place(ready=True) for name in WINDOWS})
    for number, (view, machine, kind) in enumerate(talk):
        assert route(view, off, None, machine, kind=kind).decision == decide(view, ladder)
        fresh = structs.replace(view, user_turns=100 + number)
        routed = route(fresh, ladder, state, loaded)
        assert routed.decision.model == decide(fresh, ladder).model
        state = routed.state
