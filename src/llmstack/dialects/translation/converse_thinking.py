"""How hard to think, in the words of each family of models on Bedrock.

What is not said leaves the model's default: gpt-oss and Claude from 5 on think then, the others
do not. Sources: Bedrock user guide, "Extended thinking" and "Adaptive thinking"; Nova 2 user guide,
"Extended thinking".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Conversation, Effort
    from llmstack.dialects.translation.converse_family import Family

#: The least that Claude takes.
LEAST_BUDGET = 1024
_BUDGETS: dict[Effort, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 32768,
}
_THREE: dict[Effort, str] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


@dataclass(frozen=True, slots=True)
class Thinking:
    """``fields`` are for ``additionalModelRequestFields``.

    ``claude`` says that Claude thinks, which bars a temperature, top_k and a low top_p; ``alone``
    that nothing may be said of sampling and length at all (Nova at its highest).
    """

    fields: dict[str, Any] = field(default_factory=dict)
    claude: bool = False
    alone: bool = False


def write_thinking(
    conversation: Conversation,
    family: Family,
    *,
    max_output: int | None,
    forced: bool,
    unsigned_call: bool,
) -> Thinking:
    """What ``conversation`` asks of thinking, for ``family``.

    ``forced`` says that a tool must be called, which excludes thinking for Claude.
    ``unsigned_call`` says that the last assistant turn calls a tool without the signed thoughts
    that led to it; Claude with a budget refuses to think on from there, so it goes on without.
    """
    effort = conversation.effort or _effort_of(conversation.thinking_budget)
    if effort is None:
        return Thinking()
    if family.vendor == "openai":
        if "gpt-oss" in family.model:
            return Thinking({"reasoning_effort": _THREE[effort]})
        return Thinking({"reasoning": {"effort": effort}})
    if effort == "none":
        # Older ones do not think unasked, and Fable and Mythos refuse to be told not to.
        told = family.thinks_unasked
        return Thinking({"thinking": {"type": "disabled"}} if told else {})
    if family.vendor == "nova" and family.version >= (2, 0):
        level = _THREE[effort]
        config = {"type": "enabled", "maxReasoningEffort": level}
        return Thinking({"reasoningConfig": config}, alone=level == "high")
    if family.vendor != "claude" or forced:
        return Thinking()
    exact = conversation.thinking_budget is not None and family.budgets_thinking
    if family.adapts_thinking and not exact:
        return Thinking(_adaptive(effort, family), claude=True)
    if not family.budgets_thinking or unsigned_call:
        return Thinking()
    budget = conversation.thinking_budget or _BUDGETS[effort]
    if max_output is not None:
        # A caller's own budget may leave one token; one made here leaves a quarter for the answer.
        most = max_output - 1 if conversation.thinking_budget else max_output * 3 // 4
        budget = min(budget, most)
    if budget < LEAST_BUDGET:
        return Thinking()
    return Thinking({"thinking": {"type": "enabled", "budget_tokens": budget}}, claude=True)


def _adaptive(effort: Effort, family: Family) -> dict[str, Any]:
    thinking = {"type": "adaptive"}
    level: str = "low" if effort == "minimal" else effort
    if family.budgets_thinking:
        level = "high" if level == "xhigh" else level
    else:
        # From 4.7 on the thoughts come empty unless they are asked for.
        thinking["display"] = "summarized"
    return {"thinking": thinking, "output_config": {"effort": level}}


def _effort_of(budget: int | None) -> Effort | None:
    if budget is None:
        return None
    if budget <= 0:
        return "none"
    if budget < 4096:
        return "low"
    return "medium" if budget < 16384 else "high"
