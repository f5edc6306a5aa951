"""What holds for every request and every ladder."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from llmstack.config.stack import KNOWN_ROLES
from llmstack.dialects import RequestView
from llmstack.routing import Ladder, Rung, decide, ladder
from tests.routing.stacks import shipped, stack, tier

LADDERS = st.builds(
    lambda windows, high, more, turns: ladder(
        stack(
            *(tier(f"the-{role}", role, window) for role, window in windows.items()),
            high_fidelity_ceiling=high,
            mid_fidelity_ceiling=high + more,
            multi_turn=turns,
        )
    ),
    st.dictionaries(st.sampled_from(KNOWN_ROLES), st.integers(0, 200_000), min_size=1),
    st.integers(0, 50_000),
    st.integers(-10, 50_000),
    st.integers(0, 10),
)
TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            ["[ultra]", "ultra:", "[nofilter]", "plan", "fix the bug", "`", "```", "\n", " ", "> "]
        )
    ).map("".join),
)
VIEWS = st.builds(
    RequestView,
    dialect=st.sampled_from(["chat", "responses", "messages", "completions", "embeddings"]),
    last_user=TEXTS,
    system=TEXTS,
    has_tools=st.booleans(),
    user_turns=st.integers(0, 12),
    tokens=st.integers(0, 300_000),
    max_output=st.one_of(st.none(), st.integers(0, 100_000)),
)


def chosen(view: RequestView, of: Ladder) -> Rung:
    decision = decide(view, of)
    return next(rung for rung in of.rungs.values() if rung.model == decision.model)


def fits(rung: Rung, view: RequestView) -> bool:
    return rung.fits(view.tokens, view.max_output)


@settings(deadline=None)
@given(VIEWS, LADDERS)
def test_a_tier_of_the_ladder_is_always_chosen(view: RequestView, of: Ladder) -> None:
    decision = decide(view, of)
    assert decision.model in {rung.model for rung in of.rungs.values()}
    assert decision.tokens == view.tokens
    assert decision.reason
    assert decision.reason.isascii()
    assert decision.reason.isprintable()
    assert decision == decide(view, of)


@settings(deadline=None)
@given(VIEWS, LADDERS)
def test_what_fits_somewhere_is_sent_where_it_fits(view: RequestView, of: Ladder) -> None:
    ordinary = [rung for role, rung in of.rungs.items() if role != "uncensored"]
    if any(fits(rung, view) for rung in ordinary):
        assert fits(chosen(view, of), view)


@settings(deadline=None)
@given(VIEWS, LADDERS)
def test_what_fits_nowhere_goes_to_the_largest_window(view: RequestView, of: Ladder) -> None:
    known = replace(
        of,
        rungs={
            role: replace(of.rungs[role], window=of.rungs[role].window + 1) for role in of.rungs
        },
    )
    decision = decide(structs.replace(view, tokens=10**6), known)
    ordinary = [rung.window for role, rung in known.rungs.items() if role != "uncensored"]
    windows = {rung.model: rung.window for rung in known.rungs.values()}
    assert decision.reason == "fits nothing; largest window"
    assert windows[decision.model] >= max(ordinary, default=0)


@settings(deadline=None)
@given(VIEWS, LADDERS)
def test_the_uncensored_tier_answers_only_when_asked(view: RequestView, of: Ladder) -> None:
    plain = structs.replace(view, last_user="hello", system="")
    if len(of.rungs) > 1:
        assert chosen(plain, of) is not of.rungs.get("uncensored")


@settings(deadline=None)
@given(VIEWS, LADDERS, st.integers(1, 100_000))
def test_a_longer_prompt_gets_a_window_that_holds_it_or_the_largest(
    view: RequestView, of: Ladder, more: int
) -> None:
    before = chosen(view, of)
    longer = structs.replace(view, tokens=view.tokens + more)
    after = chosen(longer, of)
    if after.window and (not before.window or after.window < before.window):
        assert fits(after, longer)


@settings(deadline=None)
@given(VIEWS, LADDERS)
def test_tools_keep_requests_off_the_plan_track(view: RequestView, of: Ladder) -> None:
    assert "plan words" not in decide(structs.replace(view, has_tools=True), of).reason


def test_a_named_player_takes_the_role_whatever_its_own() -> None:
    """routing.players (the ROUTER_*_MODEL variables) puts a tier in another's place."""
    rungs = ladder(shipped(players=(("agent", "plan"),))).rungs
    assert rungs["agent"].model == "plan"
    assert rungs["plan"].model == "plan"
    assert rungs["fast"].model == "code-fast"
