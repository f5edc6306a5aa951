"""The ladder is made from roles, not from names."""

from __future__ import annotations

import pytest

from llmstack.config.stack import Routing, Stack
from llmstack.routing import Rung, ladder
from tests.routing.stacks import shipped, stack, tier


def names(of: Stack, *unavailable: str) -> dict[str, str]:
    rungs = ladder(of, dict.fromkeys(unavailable, "is busy")).rungs
    return {role: rung.model for role, rung in rungs.items()}


def test_every_role_finds_its_tier() -> None:
    assert names(shipped()) == {
        "fast": "code-fast",
        "agent": "code-smart",
        "ultra": "code-ultra",
        "plan": "plan",
        "uncensored": "plan-uncensored",
    }


def test_a_renamed_tier_keeps_its_role() -> None:
    assert names(stack(tier("qwen", "agent"))) == {"agent": "qwen"}


def test_the_traditional_name_serves_when_no_tier_has_the_role() -> None:
    assert names(stack(tier("code-smart", "build"), tier("code-fast"))) == {
        "fast": "code-fast",
        "agent": "code-smart",
    }


def test_a_role_beats_the_traditional_name() -> None:
    assert names(stack(tier("code-smart", "build"), tier("qwen", "agent"))) == {"agent": "qwen"}


def test_a_traditional_name_with_another_known_role_does_not_serve_twice() -> None:
    assert names(stack(tier("plan", "plan-uncensored"))) == {"uncensored": "plan"}


def test_the_first_available_of_several_tiers_with_a_role_plays_it() -> None:
    two = stack(tier("a", "agent"), tier("b", "agent"))
    assert names(two) == {"agent": "a"}
    assert names(two, "a") == {"agent": "b"}
    assert names(two, "a", "b") == {}


def test_a_role_is_played_by_others_while_its_named_player_cannot_be_asked() -> None:
    named = stack(tier("a", "agent"), tier("b", "agent"), tier("x"), players=(("agent", "x"),))
    assert names(named) == {"agent": "x"}
    assert names(named, "x") == {"agent": "a"}
    assert names(named, "x", "a") == {"agent": "b"}


def test_the_ladder_says_who_was_missed_and_why_in_plain_ascii() -> None:
    made = ladder(
        stack(tier("a", "agent"), tier("b\u00e9", "agent"), tier("c", "agent"), tier("f", "fast")),
        {"a": "circuit open", "b\u00e9": "no\ncredentials", "other": "gone"},
    )
    assert dict(made.missed) == {"agent": ("a circuit open", "b? no?credentials")}
    assert made.rungs["agent"].model == "c"
    assert not ladder(shipped()).missed


def test_tiers_with_other_roles_are_never_chosen() -> None:
    assert names(stack(tier("embedder", "embedding"), tier("deploy", "publish"))) == {}


def test_windows_and_numbers_come_from_the_stack() -> None:
    made = ladder(
        stack(
            tier("a", "agent", 64_000),
            tier("f", "fast", -5),
            high_fidelity_ceiling=1,
            mid_fidelity_ceiling=2,
            multi_turn=3,
        )
    )
    assert made.rungs["agent"] == Rung("a", 64_000)
    assert made.rungs["fast"] == Rung("f", 0)
    assert (made.high, made.mid, made.multi_turn) == (1, 2, 3)


def test_word_lists_are_compiled_once() -> None:
    assert ladder(shipped()).words is ladder(shipped("plan")).words
    assert Routing() == Routing()


@pytest.mark.parametrize(
    ("window", "tokens", "max_output", "fits"),
    [
        (0, 10**9, 10**9, True),
        (8000, 6976, None, True),
        (8000, 6977, None, False),
        (8000, 6000, 2000, True),
        (8000, 6001, 2000, False),
        (8000, 6000, 9000, True),
        (8000, 6001, 9000, False),
        (8000, 8000, 0, True),
        (2000, 1500, None, True),
        (2000, 1501, None, False),
    ],
)
def test_a_prompt_fits_with_room_for_the_answer(
    window: int, tokens: int, max_output: int | None, fits: bool
) -> None:
    assert Rung("x", window).fits(tokens, max_output) is fits
