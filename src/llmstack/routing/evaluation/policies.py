"""Ways to route: a turn in, the role that answers out; None when the way has no opinion.

The baselines are what people do without a router, or with a simple one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from llmstack.config.stack import Routing
from llmstack.dialects import read
from llmstack.routing.decide import decide
from llmstack.routing.evaluation.request import request
from llmstack.routing.evaluation.turn import KINDS, Kind, Turn
from llmstack.routing.ladder import Ladder, Role, Rung
from llmstack.routing.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Policy = Callable[[Turn], Role | None]

#: The kind of tier that a role is: the best agent is an agent.
KIND_OF: Final[Mapping[Role, Kind]] = {
    "fast": "fast",
    "agent": "agent",
    "ultra": "agent",
    "plan": "plan",
    "uncensored": "plan",
}

# What comes to mind first, in English: on purpose not the words that the router looks for.
_PLAN_LIST: Final = re.compile(
    r"\b(plan|design|architecture|strategy|compare|should (?:i|we)|pros and cons|trade-?offs?|"
    r"how would|options|approach|roadmap|decide)\b",
    re.IGNORECASE,
)
_AGENT_LIST: Final = re.compile(
    r"\b(fix|add|write|implement|create|refactor|rename|remove|test|run|build|change|update|"
    r"make|debug|error|exception|traceback)\b",
    re.IGNORECASE,
)


def by_ladder(ladder: Ladder) -> Policy:
    """The bare rules, on the request that the turn's client would send."""
    roles = {rung.model: role for role, rung in ladder.rungs.items()}

    def policy(turn: Turn) -> Role:
        sent = request(turn)
        return roles[decide(read(sent.path, sent.body), ladder).model]

    return policy


def every_role() -> Ladder:
    """A ladder with all roles, of windows so large that size decides nothing."""
    roles: tuple[Role, ...] = ("fast", "agent", "ultra", "plan", "uncensored")
    return Ladder({role: Rung(role) for role in roles}, words(Routing()))


def always_agent(_turn: Turn) -> Role:
    """One good model for everything."""
    return "agent"


def keyword_list(turn: Turn) -> Role:
    """The first list with a word in the newest message, planning first; else fast."""
    if _PLAN_LIST.search(turn.text):
        return "plan"
    return "agent" if _AGENT_LIST.search(turn.text) else "fast"


def client_declared(turn: Turn) -> Role | None:
    """The mode that the client declares; no opinion without one."""
    if turn.mode in {"plan", "architect"}:
        return "plan"
    if turn.mode == "ask":
        return "fast"
    return "agent" if turn.mode else None


def majority(turns: Iterable[Turn]) -> Policy:
    """Always what is right most often in ``turns``."""
    counts = Counter(turn.right[0] for turn in turns)
    commonest = max(KINDS, key=lambda kind: counts[kind])
    return lambda _turn: commonest


def baselines(known: Iterable[Turn]) -> dict[str, Policy]:
    """The baselines by name; ``known`` are the turns that a baseline may learn from."""
    return {
        "always agent": always_agent,
        "majority": majority(known),
        "keyword list": keyword_list,
        "client declared": client_declared,
    }
