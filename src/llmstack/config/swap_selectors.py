"""The ``selectors`` and ``profiles`` sections of a llama-swap configuration."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from llmstack.config.macros import has_macro
from llmstack.config.names import Local, Unknown
from llmstack.config.problems import nearest
from llmstack.config.swap import Profile, Selector
from llmstack.config.swap_models import read_mapping
from llmstack.config.swap_tables import STRATEGIES
from llmstack.config.swap_together import unite

if TYPE_CHECKING:
    from collections.abc import Collection

    from llmstack.config.names import Names
    from llmstack.config.swap_fields import Section
    from llmstack.config.swap_parts import Strategy
    from llmstack.config.swap_routing import RoutingPlan


def read_selectors(
    sections: dict[str, Section], names: Names, reserved: Collection[str], routing: RoutingPlan
) -> dict[str, Selector]:
    """The selectors in file order. ``reserved`` are the canonical names of peer models."""
    selectors = {}
    for selector_id, section in sections.items():
        _check_name(section, selector_id, names, reserved)
        strategy = _strategy(section)
        settings = section.section("settings")
        spillover = settings.integer("spillover")
        if spillover < 1:
            message = f"{settings.label('spillover')} must be >= 1"
            settings.report.error(settings.at("spillover"), message, "Write 1 or more.")
        elif "spillover" in settings and strategy != "spillover":
            message = f"{settings.label('spillover')} has no effect with strategy {strategy}"
            settings.report.warning(settings.at("spillover"), message, "Remove it.")
        targets = section.texts("targets")
        _check_targets(section, targets, strategy, names, frozenset(sections))
        if strategy == "spillover":
            _check_spillover(section, targets, names, routing)
        selectors[selector_id] = Selector(
            id=selector_id,
            strategy=strategy,
            targets=targets,
            spillover=spillover,
            name=section.text("name"),
            description=section.text("description"),
            unlisted=section.boolean("unlisted"),
            metadata=read_mapping(section, "metadata"),
        )
    return selectors


def _check_name(
    section: Section, selector_id: str, names: Names, reserved: Collection[str]
) -> None:
    local = names.local.get(selector_id)
    message = f"selectors.{selector_id}: name conflicts with "
    if not selector_id.strip():
        message = "selectors: selector names cannot be empty"
    elif local is not None:
        message += f'model {"ID" if local.id == selector_id else "alias"} "{selector_id}"'
    elif selector_id in reserved:
        message += f'peer model "{selector_id}"'
    else:
        return
    section.report.error(section.path, message, "Choose another name.")


def _strategy(section: Section) -> Strategy:
    strategy = section.text("strategy")
    valid = ", ".join(STRATEGIES)
    if not strategy:
        message = f"{section.label('strategy')} is required"
        section.report.error(section.path, message, f"Write one of: {valid}.")
    elif strategy not in STRATEGIES and not has_macro(strategy):
        message = f'{section.label("strategy")}: unknown strategy "{strategy}" (valid: {valid})'
        section.report.error(section.at("strategy"), message, nearest(strategy, STRATEGIES))
    return cast("Strategy", strategy)


def _check_targets(
    section: Section,
    targets: tuple[str, ...],
    strategy: str,
    names: Names,
    selectors: Collection[str],
) -> None:
    report = section.report
    if not targets and isinstance(section["targets"], list | None):
        message = f"{section.label('targets')} must contain at least one entry"
        report.error(section.path, message, "List the models to choose from.")
    for index, target in enumerate(targets):
        path = (*section.at("targets"), index)
        found = names.model(target)
        if has_macro(target):
            continue
        if target in selectors:
            message = f'{section.label("targets")}: target "{target}" is a selector'
            report.error(path, message, "Selectors do not chain: write its models.")
        elif isinstance(found, Unknown):
            message = f'{section.label("targets")} references unknown model "{target}"'
            report.error(path, message, remedy(found, names))
        elif strategy == "warm" and not isinstance(found, Local):
            message = f'{section.label("targets")}: warm target "{target}" is not a local model'
            report.error(path, message, "Remove it, or use pin or spillover.")


def _check_spillover(
    section: Section, targets: tuple[str, ...], names: Names, routing: RoutingPlan
) -> None:
    """Targets are different models, and the local ones may all be loaded together."""
    first: dict[str, str] = {}
    local: dict[str, None] = {}
    for index, target in enumerate(targets):
        found = names.model(target)
        if isinstance(found, Unknown):
            continue
        if isinstance(found, Local):
            local[found.id] = None
        other = first.setdefault(found.canonical, target)
        if index != targets.index(other):
            message = f'{section.label("targets")}: "{other}" and "{target}" are the same model'
            path = (*section.at("targets"), index)
            section.report.error(path, message, "Remove one of them.")
    if len(local) < 2 or routing.memory is not None:
        return
    if routing.matrix is not None:
        fits, fix = unite(local, routing.matrix), "Write a set of the matrix with all of them."
    else:
        fits = any(not group.swap and {*local} <= {*group.members} for group in routing.groups)
        fix = "Put them into one group with swap: false."
    if not fits:
        listed = ", ".join(local)
        message = f"{section.label('targets')}: {listed} may not be loaded together"
        section.report.error(section.at("targets"), message, fix)


def read_profiles(
    sections: dict[str, Section], names: Names, reserved: Collection[str]
) -> dict[str, Profile]:
    """The profiles in file order."""
    profiles = {}
    for name, section in sections.items():
        if not name.strip():
            message = "profiles: profile names cannot be empty"
            section.report.error(section.path, message, "Give it a name.")
        pins = section.entries("pins", "text map")
        if not pins.names():
            message = f"profiles.{name}.pins must contain at least one entry"
            section.report.error(section.path, message, "Write 'requested name: served name'.")
        profiles[name] = Profile(
            name=name,
            pins=MappingProxyType(
                {pin: _pin(pins, pin, name, names, reserved) for pin in pins.names()}
            ),
            description=section.text("description"),
        )
    return profiles


def _pin(
    pins: Section, pin: str, profile: str, names: Names, reserved: Collection[str]
) -> str | None:
    report = pins.report
    label = f"profiles.{profile}.pins"
    target = pins.text(pin)
    if not pin.strip():
        report.error(pins.at(pin), f"{label}: pin names cannot be empty", "Name a model.")
    elif pin in reserved:
        message = f'{label}: pin "{pin}" conflicts with peer model "{pin}"'
        report.error(pins.at(pin), message, "Pin the bare name instead.")
    if not target or has_macro(target):
        return target or None
    if target not in names.selectors and isinstance(found := names.model(target), Unknown):
        message = f'{label}.{pin} references unknown model "{target}"'
        report.error(pins.at(pin), message, remedy(found, names))
    return target


def remedy(unknown: Unknown, names: Names) -> str:
    """What to write instead of a name that means nothing."""
    if unknown.candidates:
        return f"Several peers offer it: write {' or '.join(unknown.candidates)}."
    return nearest(unknown.name, names.known()) or "Write the id of a model."
