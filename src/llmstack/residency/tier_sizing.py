"""What the tiers of a stack will take, and which of them are loaded together. Pure."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from llmstack.config.matrix import build_matrix
from llmstack.config.server_flags import common_flags, tier_flags
from llmstack.residency import expression as syntax
from llmstack.residency.sizing import read_sizing

if TYPE_CHECKING:
    from llmstack.config.stack import Channel, Stack, Tier
    from llmstack.residency.expression import Expression
    from llmstack.residency.sizing import Sizing

#: Flags that say where the model is, and one whose value is a macro.
_PLACES = {"-m", "-hf", "-hff", "--port"}


def tier_sizing(stack: Stack, tier: Tier, channel: Channel, model: str) -> Sizing:
    """The sizing of ``tier``'s server, its model under the name ``model``.

    Raises LlmstackError if an option in ``extra_args`` is malformed.
    """
    argv = ["llama-server", "-m", model]
    for flag in (*common_flags(stack.settings, tier.server), *tier_flags(tier, channel)):
        if flag[0] not in _PLACES:
            argv += flag
    sizing = read_sizing(argv, dict(tier.server.env))
    assert sizing is not None, "the program and the model are named above"
    return sizing


def resident_sets(stack: Stack, channel: Channel) -> tuple[tuple[str, ...], ...]:
    """Names of the tiers that may be loaded at once; sets within larger ones are left out."""
    order = {tier.name: number for number, tier in enumerate(stack.local)}
    found = {frozenset({name}) for name in order}
    if matrix := build_matrix(stack, channel):
        for text in matrix["sets"].values():
            for names in _expanded(syntax.parse(text)):
                found.add(frozenset(matrix["vars"][name] for name in names))
    largest = [names for names in found if not any(names < other for other in found)]
    rows = [tuple(sorted(names, key=order.__getitem__)) for names in largest]
    return tuple(sorted(rows, key=lambda row: [order[name] for name in row]))


def _expanded(expression: Expression) -> list[tuple[str, ...]]:
    match expression:
        case syntax.Name(name):
            return [(name,)]
        case syntax.Either(parts):
            return [names for part in parts for names in _expanded(part)]
        case syntax.Together(parts):
            combinations = product(*map(_expanded, parts))
            return [tuple(name for names in one for name in names) for one in combinations]
    return []
