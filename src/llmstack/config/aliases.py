"""Which other names each tier answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.fields import NAME
from llmstack.config.numbers import shown
from llmstack.config.roles import DEFAULT_ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.config.fields import Fields

#: The model name that asks for automatic routing; no tier may take it.
AUTO = "auto"


def assign_aliases(
    tiers: Iterable[tuple[Fields, str]], names: Mapping[str, int | None]
) -> dict[str, tuple[str, ...]]:
    """The aliases of each tier by its name.

    ``tiers`` are the sections with their roles in file order, ``names`` all section names with
    their lines. What is written in ``aliases`` comes first and must be free; a role's own
    aliases go to the first tier of that role, as far as nobody else has them.
    """
    tiers = tuple(tiers)
    owners: dict[str, Fields] = {}
    written = {
        fields.own.name: _written(fields, names, owners)
        for fields, _ in tiers
        if fields.entry("aliases") is not None
    }
    assigned: dict[str, tuple[str, ...]] = {}
    served: set[str] = set()
    for fields, role in tiers:
        name = fields.own.name
        if name in written:
            assigned[name] = written[name]
            continue
        assigned[name] = ()
        if role not in served:
            served.add(role)
            assigned[name] = tuple(
                alias
                for alias in DEFAULT_ALIASES.get(role, ())
                if alias not in names and alias not in owners
            )
    return assigned


def _written(
    fields: Fields, names: Mapping[str, int | None], owners: dict[str, Fields]
) -> tuple[str, ...]:
    aliases = []
    for alias in dict.fromkeys(" ".join(fields.words("aliases")).split()):
        if NAME.fullmatch(alias) is None:
            fields.error(
                "aliases", f"{shown(alias)} is not a name", "Use letters, digits, dot, _ and -."
            )
        elif alias == AUTO:
            fields.error("aliases", "auto asks for automatic routing", "Choose another name.")
        elif alias == fields.own.name:
            fields.warning("aliases", f"{alias} is the tier's own name", "Remove it.")
        elif alias in names:
            fields.error(
                "aliases",
                f"{alias} is the name of the section on line {names[alias]}",
                "Choose another name.",
            )
        elif (other := owners.get(alias)) is not None:
            fields.error("aliases", _clash(fields, other, alias), "Keep it at one of them.")
        else:
            owners[alias] = fields
            aliases.append(alias)
    return tuple(aliases)


def _clash(fields: Fields, other: Fields, alias: str) -> str:
    if fields.entry("aliases") == other.entry("aliases"):
        return f"both [{other.own.name}] and [{fields.own.name}] would be called {alias}"
    return f"{alias} is already an alias of [{other.own.name}] on line {other.line('aliases')}"
