"""What a simulated day says that was lost."""

from __future__ import annotations

import pytest

from llmstack.routing.simulation import day
from llmstack.server.rehearsal import MEANINGS, Stage
from tests.routing.simulation.stages import SHIPPED, event, resident

#: Seeds that rules are developed with; the documents report others.
SEEDS = (1001, 1003)


@pytest.mark.parametrize("policy", MEANINGS)
def test_nothing_is_lost_to_swaps_with_everything_resident(policy: str) -> None:
    ground = resident()
    lost, _ = ground.play(day(1001), ground.policy(policy))
    assert lost.swaps == 0
    assert lost.swap_seconds == 0


def test_nothing_is_lost_at_all_by_one_session_on_one_resident_model() -> None:
    ground = resident()
    events = [
        event(1000 * number, after=number - 2 if number > 1 else None) for number in range(1, 9)
    ]
    lost, _ = ground.play(events, ground.policy("explicit"))
    assert lost.lost == 0


def test_with_everything_resident_sessions_get_exactly_the_ladder() -> None:
    ground = resident()
    lost, _ = ground.play(day(1002), ground.policy("sticky"))
    assert lost.as_wished == lost.fresh > 20


@pytest.mark.parametrize("declares", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_titles_and_other_side_work_swap_nothing(seed: int, declares: bool) -> None:
    lost, steps = SHIPPED.play(day(seed, declares=declares), SHIPPED.policy("sticky"))
    assert sum(step.event.kind == "title" for step in steps) > 5
    assert lost.side_swaps == 0
    bare, _ = SHIPPED.play(day(seed, declares=declares), SHIPPED.policy("ladder"))
    assert bare.side_swaps > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fifth_of_the_bare_ladders_loss_with_its_tiers(seed: int) -> None:
    """The aim, on the shipped stack, for a client that declares no mode."""
    events = day(seed, declares=False)
    bare, _ = SHIPPED.play(events, SHIPPED.policy("ladder"))
    ours, _ = SHIPPED.play(events, SHIPPED.policy("sticky"))
    assert ours.lost <= bare.lost / 5
    assert ours.as_bare >= 0.95 * ours.fresh


def _swaps_of_children(ground: Stage) -> int:
    events = [
        event(8000, mode="plan", agent="plan"),
        event(3000, "child", after=0, client=_CHILD),
        event(4000, "child", after=1, client=_CHILD, kind="continuation"),
        event(9000, after=2, mode="plan", agent="plan", kind="continuation"),
    ]
    return ground.play(events, ground.policy("sticky"))[0].subagent_swaps


def test_a_sub_agent_does_not_evict_its_parent() -> None:
    assert _swaps_of_children(SHIPPED) == 0


_CHILD = type(event().client)(b"child", b"a")
