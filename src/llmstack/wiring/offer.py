"""The models of a stack as clients are told of them: names and windows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.config.stack import Prices
from llmstack.wiring.endpoint import Endpoint, OfferedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.stack import Stack, Tier

#: Window assumed for a tier that states none, and output room by role, in tokens.
WINDOW, OUTPUT, AGENT_OUTPUT = 8192, 8192, 32_768

# In its configuration opencode puts a variable, or a file's content, in the place of these, and a
# description may be another machine's.
_SUBSTITUTED = re.compile(r"\{(?=(?:env|file):)")


def offered_models(stack: Stack, served: Mapping[str, int]) -> tuple[OfferedModel, ...]:
    """``auto`` and every tier. ``served`` are windows of running models; they win over the file.

    ``auto`` may land on any tier with tools, so it promises what the agent tier holds.
    """
    agents = stack.with_role("agent") or stack.tiers
    window = max((_window(tier, served) for tier in agents), default=WINDOW)
    wanted = max((tier.max_output_tokens or OUTPUT for tier in agents), default=OUTPUT)
    prices = (tier.prices for tier in agents)
    dearest = max(prices, key=lambda one: one.output or 0, default=Prices())
    title = "auto: llmstack chooses the tier"
    auto = OfferedModel("auto", window, min(wanted, window // 2), title, dearest)
    return (auto, *(_model(tier, served) for tier in stack.tiers))


def endpoint(
    stack: Stack,
    base: str,
    served: Mapping[str, int],
    *,
    needs_key: bool,
    key_file: str = "",
) -> Endpoint:
    """``stack`` as the clients of the gateway at ``base`` see it."""
    fast, plan = stack.with_role("fast"), stack.with_role("plan")
    return Endpoint(
        base,
        offered_models(stack, served),
        small=fast[0].name if fast else "",
        planner=plan[0].name if plan else "",
        needs_key=needs_key,
        key_file=key_file,
    )


def _model(tier: Tier, served: Mapping[str, int]) -> OfferedModel:
    window = _window(tier, served)
    wanted = tier.max_output_tokens or (AGENT_OUTPUT if tier.role == "agent" else OUTPUT)
    title = _SUBSTITUTED.sub("(", tier.description or tier.name)
    return OfferedModel(tier.name, window, min(wanted, window // 2), title, tier.prices)


def _window(tier: Tier, served: Mapping[str, int]) -> int:
    return served.get(tier.name) or tier.ctx_size or WINDOW
