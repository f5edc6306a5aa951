"""A generated day is the same for every seed, and its requests are what a client would send."""

from __future__ import annotations

from collections import Counter

import pytest

from llmstack.routing.simulation import day

SEEDS = (1001, 1002, 1003)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_always_gives_the_same_day(seed: int) -> None:
    assert day(seed) == day(seed)


def test_other_seeds_give_other_days() -> None:
    assert len({tuple(event.tokens for event in day(seed)) for seed in SEEDS}) == len(SEEDS)


def test_an_event_waits_for_an_earlier_one() -> None:
    events = day(1001)
    first = [event for event in events if event.after is None]
    assert [event.kind for event in first] == ["turn", "title"]
    for number, event in enumerate(events):
        assert event.after is None or event.after < number
        assert event.pause >= 0


def test_the_daemons_own_rules_see_every_kind_of_request() -> None:
    """Kinds and modes are read from the bodies, not written beside them."""
    events = [event for seed in SEEDS for event in day(seed)]
    kinds = Counter(event.kind for event in events)
    assert set(kinds) == {"turn", "continuation", "follow-up", "title", "summary", "compaction"}
    for event in events:
        assert (event.agent in ("title", "summary")) == (event.kind in ("title", "summary"))
        if event.mode == "plan":
            assert event.agent in ("plan", "title")
    assert {event.mode for event in events} == {"", "plan", "build"}


def test_a_client_without_modes_declares_none_and_is_the_same_otherwise() -> None:
    silent, told = day(1001, declares=False), day(1001)
    assert {event.mode for event in silent} == {""}
    assert [event.agent for event in silent] == [event.agent for event in told]
    assert [event.output for event in silent] == [event.output for event in told]


def test_prompts_of_a_conversation_grow_and_begin_as_large_as_recorded_ones() -> None:
    seen: dict[str, int] = {}
    for event in day(1002):
        if event.client.parent is None and event.kind == "turn" and event.view.has_tools:
            assert event.tokens > seen.get(event.conversation, 7_000)
        seen[event.conversation] = event.tokens
    assert max(seen.values()) < 64_000


def test_sub_agents_have_a_session_of_their_own_that_names_its_parent() -> None:
    events = [event for seed in SEEDS for event in day(seed)]
    children = [event for event in events if event.client.is_subagent]
    sessions = {event.client.session for event in events if not event.client.is_subagent}
    assert children
    assert all(event.client.parent in sessions for event in children)
    assert all(event.client.session not in sessions for event in children)
    assert not any(event.fresh for event in children)
