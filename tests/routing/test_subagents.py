"""A sub-agent is a part of its parent's turn: the two do not push each other out."""

from __future__ import annotations

from llmstack.dialects import RequestView
from llmstack.routing import Machine, Place, SessionState, route
from tests.routing.stacks import LADDERS

LADDER = LADDERS["local"]
VIEW = RequestView("chat", "auto", last_user="look around", has_tools=True, tokens=3000)
PLANNING = SessionState(home="code-smart", at="plan")


def machine(*, cheap: bool = True, plan: bool = True, agent: bool = False) -> Machine:
    seconds = 1.0 if cheap else 100.0
    return Machine(
        {
            "plan": Place(ready=plan, load_seconds=seconds),
            "code-smart": Place(
                ready=agent, load_seconds=seconds, evicts=frozenset({"plan"} if plan else ())
            ),
        }
    )


def test_it_stays_with_its_parent_even_where_a_switch_is_cheap() -> None:
    routed = route(VIEW, LADDER, None, machine(), parent=PLANNING)
    assert routed.decision.model == "plan"
    assert routed.decision.reason.startswith("a sub-agent stays on plan like its parent; ")
    assert routed.decision.role == "plan"


def test_it_gets_the_ladders_choice_where_that_is_loaded_as_well() -> None:
    routed = route(VIEW, LADDER, None, machine(agent=True), parent=PLANNING)
    assert routed.decision.model == "code-smart"


def test_it_is_no_reason_to_load_its_parents_model_again() -> None:
    routed = route(VIEW, LADDER, None, machine(plan=False, agent=True), parent=PLANNING)
    assert routed.decision.model == "code-smart"


def test_what_it_asks_for_is_still_done() -> None:
    asks = RequestView("chat", "auto", last_user="look", has_tools=True, tokens=3000)
    routed = route(asks, LADDER, None, machine(agent=True), mode="plan", parent=SessionState())
    assert routed.decision.model == "plan"


def test_a_prompt_that_does_not_fit_the_parents_model_goes_where_it_fits() -> None:
    long = RequestView("chat", "auto", has_tools=True, tokens=100_000)
    routed = route(long, LADDER, None, machine(), parent=PLANNING)
    assert routed.decision.model != "plan"


def test_a_session_without_a_parent_pays_the_price_as_before() -> None:
    routed = route(VIEW, LADDER, SessionState(home="plan"), machine())
    assert routed.decision.model == "code-smart"
