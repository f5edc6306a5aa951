"""Which tiers may be loaded together, as the ``matrix`` of a llama-swap file.

The rules: all fast tiers stay beside every other tier; a plan and a plan-uncensored tier may be
loaded together; otherwise one large tier at a time. Two tiers of one role are alternatives. Hosted
tiers take no memory here and are not in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from llmstack.config.stack import Channel, Stack, Tier

#: Size in GB that an unknown model counts as when something must be evicted.
UNKNOWN_SIZE = 5.0

_LETTERS = {"fast": "f", "agent": "c", "plan": "p", "plan-uncensored": "u", "ultra": "x"}
_ORDER = ("agent", "plan", "plan-uncensored", "ultra")
_CHATS = ("plan", "plan-uncensored")


def build_matrix(stack: Stack, channel: Channel) -> dict[str, Any] | None:
    """The ``matrix`` mapping, or None where no two tiers may be loaded together."""
    stack = replace(stack, tiers=stack.local)
    letters = _variables(stack.tiers)
    sets = _sets(stack, {tier.name: letter for letter, tier in letters.items()})
    if not any("&" in expression for expression in sets.values()):
        return None
    return {
        "vars": {letter: tier.name for letter, tier in letters.items()},
        "evict_costs": {letter: evict_cost(tier, channel) for letter, tier in letters.items()},
        "sets": sets,
    }


def evict_cost(tier: Tier, channel: Channel) -> int:
    """How dear it is to unload what ``channel`` serves for the tier, from 1 to 30."""
    size = tier.effective(channel).size_gb or UNKNOWN_SIZE
    return max(1, min(30, round(size / 1.5)))


def _variables(tiers: Iterable[Tier]) -> dict[str, Tier]:
    """A short name for every tier: one letter for the first of a known role, then numbered."""
    tiers = tuple(tiers)
    # A variable hides a model of the same name, so none of those is taken.
    taken = {name for tier in tiers for name in (tier.name, *tier.aliases)}
    letters: dict[str, Tier] = {}
    for tier in tiers:
        letter = _free(_LETTERS.get(tier.role, "m"), taken)
        taken.add(letter)
        letters[letter] = tier
    return letters


def _sets(stack: Stack, letter_of: dict[str, str]) -> dict[str, str]:
    """The set expressions by name; every tier stands in at least one."""

    def letters(tiers: Iterable[Tier]) -> list[str]:
        return [letter_of[tier.name] for tier in tiers]

    fast = letters(stack.with_role("fast"))
    suffix = "_with_fast" if fast else ""
    sets: dict[str, str] = {}
    for label, members in _kinds(stack.tiers):
        name = _free(label.replace("-", "_") + suffix, sets, "_")
        sets[name] = " & ".join([*fast, _any_of(letters(members))])
    chats = [letters(stack.with_role(role)) for role in _CHATS]
    if all(chats):
        name = _free("all_chats" + suffix, sets, "_")
        sets[name] = " & ".join([*fast, *map(_any_of, chats)])
    if not sets and fast:
        sets["fast"] = " & ".join(fast)
    return sets


def _kinds(tiers: Iterable[Tier]) -> list[tuple[str, list[Tier]]]:
    """Tiers other than fast ones, by role; a tier without a role stands for itself."""
    kinds: dict[tuple[str, str], list[Tier]] = {("role", role): [] for role in _ORDER}
    for tier in tiers:
        if tier.role != "fast":
            kind = ("role", tier.role) if tier.role else ("name", tier.name)
            kinds.setdefault(kind, []).append(tier)
    return [(label, members) for (_, label), members in kinds.items() if members]


def _any_of(letters: list[str]) -> str:
    return letters[0] if len(letters) == 1 else f"({' | '.join(letters)})"


def _free(stem: str, taken: Container[str], separator: str = "") -> str:
    """``stem``, or ``stem`` with the lowest number from 2 on that nobody has."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}{separator}{number}"
    return name
