"""What a requested model name stands for: profiles first, then selectors, then models and peers.

Local ids win over aliases, both over hosted tiers, and these over bare names of peer models; a bare
name that several peers offer stands for none of them. What was found and not declared has no bare
name, so that it cannot take one. Pins and selectors do not chain. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.config.swap import SwapConfig, SwapModel
    from llmstack.config.swap_parts import ApiKey, Peer, Profile, Selector


@dataclass(frozen=True, slots=True)
class Local:
    """A model that runs here. ``name`` is what led to it: its id or an alias."""

    id: str
    name: str

    @property
    def canonical(self) -> str:
        """The one name among all names of the target."""
        return self.id


@dataclass(frozen=True, slots=True)
class Remote:
    """``model`` of a peer, or of another source of models.

    ``name`` is what led to it: ``PEER/MODEL`` or the bare name.
    """

    peer: str
    model: str
    name: str

    @property
    def canonical(self) -> str:
        """The one name among all names of the target."""
        return f"{self.peer}/{self.model}"


@dataclass(frozen=True, slots=True)
class HostedModel:
    """A tier that others host. ``name`` is what led to it: its id or an alias."""

    id: str
    name: str

    @property
    def canonical(self) -> str:
        """The one name among all names of the target."""
        return self.id


Choice = Local | Remote | HostedModel


@dataclass(frozen=True, slots=True)
class Selected:
    """A selector, whose strategy has to choose one of ``targets``."""

    selector: Selector
    targets: tuple[Choice, ...]

    @property
    def canonical(self) -> str:
        """The one name among all names of the target."""
        return self.selector.id


@dataclass(frozen=True, slots=True)
class Disabled:
    """A name that the active profile has switched off."""

    name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name for nothing. ``candidates`` are the canonical names of peers that offer it."""

    name: str
    candidates: tuple[str, ...] = ()


Target = Choice | Selected | Disabled | Unknown


@dataclass(frozen=True, slots=True)
class Names:
    """All names of a configuration. Build it with ``names_of``; every look-up is constant time."""

    local: Mapping[str, Local]
    canonical: Mapping[str, Remote]
    bare: Mapping[str, tuple[Remote, ...]]
    selectors: Mapping[str, Selected] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    hosted: Mapping[str, HostedModel] = field(default_factory=dict)

    def resolve(
        self, requested: str, active_profile: str | None = None, *, selectors: bool = True
    ) -> Target:
        """What serves ``requested`` while ``active_profile`` is on.

        Without ``selectors`` they are unknown names, as on ``/upstream``. Raises KeyError if the
        profile does not exist.
        """
        name = requested
        if active_profile:
            pin = self.profiles[active_profile].pins.get(requested, requested)
            if pin is None:
                return Disabled(requested)
            name = pin
        if selectors and (selected := self.selectors.get(name)) is not None:
            return selected
        return self.model(name)

    def model(self, name: str) -> Choice | Unknown:
        """The model called ``name``, without profiles and selectors."""
        found = self.local.get(name) or self.hosted.get(name) or self.canonical.get(name)
        if found is not None:
            return found
        offers = self.bare.get(name, ())
        if len(offers) == 1:
            return offers[0]
        return Unknown(name, tuple(sorted(offer.canonical for offer in offers)))

    def known(self) -> tuple[str, ...]:
        """Every name that resolves without a profile, selectors first."""
        unique = [name for name, offers in self.bare.items() if len(offers) == 1]
        named = [*self.selectors, *self.local, *self.hosted, *self.canonical, *unique]
        return tuple(dict.fromkeys(named))


def allows(key: ApiKey, target: Target) -> bool:
    """Whether ``key`` may use ``target``; a selector's targets come with the selector.

    For what the selector then chose, do not ask again.
    """
    if key.models is None:
        return True
    return not isinstance(target, Disabled | Unknown) and target.canonical in key.models


def model_names(models: Mapping[str, SwapModel], peers: Iterable[Peer]) -> Names:
    """The names of models alone. Of two peers with one canonical name the first has it."""
    local = {alias: Local(model.id, alias) for model in models.values() for alias in model.aliases}
    local |= {model: Local(model, model) for model in models}
    canonical: dict[str, Remote] = {}
    bare: dict[str, tuple[Remote, ...]] = {}
    for peer in peers:
        for model in dict.fromkeys(peer.models):
            full = f"{peer.id}/{model}"
            canonical.setdefault(full, Remote(peer.id, model, full))
            bare[model] = (*bare.get(model, ()), Remote(peer.id, model, model))
    return Names(local, canonical, bare)


def with_selectors(
    names: Names, selectors: Mapping[str, Selector], profiles: Mapping[str, Profile]
) -> Names:
    """``names`` and those of selectors and profiles; targets that mean nothing are left out."""
    selected = {}
    for name, selector in selectors.items():
        found = [names.model(target) for target in selector.targets]
        targets = tuple(target for target in found if not isinstance(target, Unknown))
        selected[name] = Selected(selector, targets)
    return Names(names.local, names.canonical, names.bare, selected, dict(profiles))


def with_hosted(
    names: Names, tiers: Mapping[str, Iterable[str]], found: Mapping[str, Iterable[str]]
) -> Names:
    """``names`` and those of hosted ``tiers`` (id: aliases) and of ``found`` models (by source)."""
    hosted = {alias: HostedModel(tier, alias) for tier, also in tiers.items() for alias in also}
    hosted |= {tier: HostedModel(tier, tier) for tier in tiers}
    canonical = dict(names.canonical)
    for source, models in found.items():
        for model in models:
            full = f"{source}/{model}"
            canonical.setdefault(full, Remote(source, model, full))
    return replace(names, canonical=canonical, hosted=hosted)


def names_of(config: SwapConfig) -> Names:
    """The names of a whole configuration."""
    names = model_names(config.models, config.peers.values())
    return with_selectors(names, config.selectors, config.profiles)
