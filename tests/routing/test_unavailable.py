"""Tiers whose budget is spent or whose upstream is down are stepped over, and it is said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects import RequestView
from llmstack.errors import NothingAvailable
from llmstack.routing import decide, ladder
from tests.routing.stacks import WINDOWS, shipped
from tests.routing.test_properties import VIEWS

FAST, SMART, ULTRA = "code-fast", "code-smart", "code-ultra"
PLAN, FREE = "plan", "plan-uncensored"
SPENT = "over its budget_usd_per_day"


@pytest.mark.parametrize(
    ("unavailable", "view", "model", "reason"),
    [
        (
            {ULTRA: SPENT},
            RequestView("chat", last_user="hi"),
            SMART,
            f"<= 12000 tokens, code-ultra {SPENT}",
        ),
        (
            {ULTRA: SPENT, SMART: "circuit open"},
            RequestView("chat", last_user="hi"),
            FAST,
            f"<= 12000 tokens, code-ultra {SPENT}, code-smart circuit open",
        ),
        (
            {PLAN: "no credentials"},
            RequestView("chat", last_user="design it"),
            ULTRA,
            "plan words, no tools, plan no credentials; <= 12000 tokens",
        ),
        (
            {ULTRA: SPENT},
            RequestView("chat", last_user="[ultra] hi"),
            SMART,
            f"ultra trigger, code-ultra {SPENT}",
        ),
        (
            {FREE: SPENT},
            RequestView("chat", last_user="[uncensored] hi"),
            ULTRA,
            f"uncensored trigger, plan-uncensored {SPENT}; <= 12000 tokens",
        ),
        (
            {FAST: SPENT, SMART: SPENT, ULTRA: SPENT},
            RequestView("chat", last_user="hi", tokens=100_000),
            PLAN,
            "fits nothing; largest window"
            + "".join(f", {name} {SPENT}" for name in (FAST, SMART, ULTRA)),
        ),
    ],
)
def test_a_tier_that_cannot_be_asked_is_stepped_over_and_named(
    unavailable: dict[str, str], view: RequestView, model: str, reason: str
) -> None:
    decision = decide(view, ladder(shipped(), unavailable))
    assert (decision.model, decision.reason) == (model, reason)
    tried = " ".join(decision.tried)
    assert all(f"{name} {why}" in tried for name, why in unavailable.items())


def test_when_no_tier_can_be_asked_the_error_says_why_of_each() -> None:
    every = dict.fromkeys((FAST, SMART, ULTRA, PLAN, FREE), SPENT) | {SMART: "circuit open"}
    with pytest.raises(NothingAvailable) as caught:
        decide(RequestView("chat"), ladder(shipped(), every))
    assert caught.value.status == 503
    assert all(f"{name} {why}" in caught.value.why for name, why in every.items())


def test_the_uncensored_tier_is_no_way_out_for_those_who_did_not_ask_for_it() -> None:
    others = ladder(shipped(), dict.fromkeys((FAST, SMART, ULTRA, PLAN), SPENT))
    with pytest.raises(NothingAvailable):
        decide(RequestView("chat", last_user="hi"), others)
    asked = decide(RequestView("chat", last_user="[uncensored] hi"), others)
    assert asked.model == FREE


@settings(deadline=None)
@given(VIEWS, st.dictionaries(st.sampled_from(list(WINDOWS)), st.text()))
def test_nobody_is_sent_to_a_tier_that_cannot_be_asked(
    view: RequestView, unavailable: dict[str, str]
) -> None:
    try:
        decision = decide(view, ladder(shipped(), unavailable))
    except NothingAvailable:
        assert {FAST, SMART, ULTRA, PLAN} <= unavailable.keys()
    else:
        assert decision.model not in unavailable
        assert decision.reason.isascii()
        assert decision.reason.isprintable()
