"""Which tiers answer in the place of one that cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.config.numbers import shown
from llmstack.config.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.config.fields import Fields
    from llmstack.config.stack import Tier


def resolve_fallbacks(
    tiers: Iterable[tuple[Fields, Tier]], others: frozenset[str]
) -> tuple[Tier, ...]:
    """The tiers with the names of those that stand in for them; aliases become names.

    ``others`` are sections that are no tiers. Problems are recorded in the fields. Two tiers may
    name each other: only the list of the tier that was asked counts.
    """
    tiers = tuple(tiers)
    owners = {name: tier.name for _, tier in tiers for name in (tier.name, *tier.aliases)}
    resolved = {tier.name: _resolved(fields, tier, owners, others) for fields, tier in tiers}
    return tuple(replace(tier, fallback=resolved[tier.name]) for _, tier in tiers)


def _resolved(
    fields: Fields, tier: Tier, owners: Mapping[str, str], others: frozenset[str]
) -> tuple[str, ...]:
    names: dict[str, None] = {}
    own = "fallback" in fields.own.entries
    for word in dict.fromkeys(" ".join(fields.words("fallback")).split()):
        if (name := owners.get(word)) is None:
            if word in others:
                fields.warning("fallback", f"[{word}] is no tier, and is passed over", "Remove it.")
            else:
                fix = (
                    nearest(word, owners)
                    or f"The tiers are {', '.join(dict.fromkeys(owners.values()))}."
                )
                fields.error("fallback", f"no tier is called {shown(word)}", fix)
        elif name != tier.name:
            names[name] = None
        elif own:  # what [DEFAULT] says for all holds for the others
            fields.error("fallback", f"{word} is the tier itself", "Name another tier.")
    return tuple(names)
