"""Stacks to route in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmstack.config.stack import Routing, Settings, Stack, Tier, Weights
from llmstack.routing import Ladder, ladder

WINDOWS = {
    "code-fast": 131_072,
    "code-smart": 64_000,
    "code-ultra": 24_000,
    "plan": 65_536,
    "plan-uncensored": 131_072,
}
ROLES = {
    "code-fast": "fast",
    "code-smart": "agent",
    "code-ultra": "ultra",
    "plan": "plan",
    "plan-uncensored": "plan-uncensored",
}


def tier(name: str, role: str = "", window: int = 0) -> Tier:
    return Tier(name, role, Weights(), ctx_size=window)


def stack(*tiers: Tier, **routing: Any) -> Stack:
    return Stack("models.ini", Settings(), tiers, Routing(**routing))


def shipped(*without: str, windows: dict[str, int] | None = None, **routing: Any) -> Stack:
    """The five traditional tiers, without some, with other windows or routing numbers."""
    sizes = {**WINDOWS, **(windows or {})}
    names = [name for name in ROLES if name not in without]
    return stack(*(tier(name, ROLES[name], sizes[name]) for name in names), **routing)


#: Ladders that the tables name.
LADDERS: dict[str, Ladder] = {
    "full": ladder(shipped()),
    "local": ladder(shipped("code-ultra")),
    "no plan": ladder(shipped("plan")),
    "no uncensored": ladder(shipped("plan-uncensored")),
    "no agent": ladder(shipped("code-smart", "code-ultra")),
    "no fast": ladder(shipped("code-fast")),
    "only fast": ladder(shipped("code-smart", "code-ultra", "plan", "plan-uncensored")),
    "only plan": ladder(shipped("code-smart", "code-ultra", "code-fast", "plan-uncensored")),
    "only uncensored": ladder(shipped("code-smart", "code-ultra", "code-fast", "plan")),
    "small plan": ladder(shipped(windows={"plan": 4_000})),
    "small uncensored": ladder(shipped(windows={"plan-uncensored": 4_000})),
    "tiny ultra": ladder(shipped(windows={"code-ultra": 8_000})),
    "big ultra": ladder(shipped(windows={"code-ultra": 200_000})),
    "unknown windows": ladder(shipped(windows=dict.fromkeys(WINDOWS, 0))),
    "all small": ladder(
        shipped(windows={name: 2_000 + index for index, name in enumerate(WINDOWS)})
    ),
    "agent busy": ladder(shipped(), unavailable={"code-smart": "is busy"}),
    "renamed": ladder(stack(*(replace(item, name=f"my-{item.name}") for item in shipped().tiers))),
    "low ceilings": ladder(
        shipped(high_fidelity_ceiling=100, mid_fidelity_ceiling=200, multi_turn=2)
    ),
    "own words": ladder(
        shipped(
            plan_signal_words=("ponder", "war room", "设计", "обдумай"),
            agent_signal_words=("hack",),
            ultra_triggers=("[max]", "deep:", "best"),
            uncensored_triggers=("raw",),
        )
    ),
}
