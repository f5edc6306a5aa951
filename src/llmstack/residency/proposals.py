"""What would have to change so that tiers fit together. Pure; every proposal was worked out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.residency.memory import shown
from llmstack.residency.room import total_of
from llmstack.residency.selection import LADDER, STEP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from llmstack.config.stack import Tier
    from llmstack.hub.catalogue import CatalogueModel
    from llmstack.residency.room import Load, Total

    class Sizer(Protocol):
        """Works out what a tier takes, with another model's file if one is given."""

        def __call__(self, tier: Tier, model: CatalogueModel | None = None) -> Load:
            """The load."""


#: Types of the cache that take less than the one before, and what each is to be told with.
_SMALLER = (("q8_0", ""), ("q4_0", " (answers may become worse)"))


def proposals(
    total: Total, tiers: Iterable[Tier], size: Sizer, models: Iterable[CatalogueModel]
) -> tuple[str, ...]:
    """Changes that each make ``total`` fit, the gentlest first; the last resort if none does."""
    if total.fits:
        return ()
    chosen = {tier.name: tier for tier in tiers}
    case = _Case(total, [chosen[name] for name in total.tiers], size, tuple(models))
    found = [*case.contexts(), *case.caches(), *case.quantisations(), *case.experts()]
    found = found or list(case.layers())
    return tuple(found or [*case.all_contexts(), *case.apart()] or case.give_up())


class _Case:
    """One set of tiers that is too large."""

    def __init__(
        self, total: Total, tiers: list[Tier], size: Sizer, models: tuple[CatalogueModel, ...]
    ) -> None:
        self._total = total
        self._tiers = tiers
        self._size = size
        self._models = models

    def contexts(self) -> Iterator[str]:
        """A smaller window of one tier."""
        for tier, load in self._pairs():
            for context in self._smaller(load):
                if self._fits(tier, ctx_size=context):
                    yield f"[{tier.name}] ctx_size = {context}"
                    break

    def caches(self) -> Iterator[str]:
        """Keys and values of one tier in fewer bits."""
        for tier, _ in self._pairs():
            for kind, note in _SMALLER:
                server = replace(tier.server, cache_type_k=kind, cache_type_v=kind)
                if server != tier.server and self._fits(tier, server=server):
                    keys = f"cache_type_k = {kind} and cache_type_v = {kind}"
                    yield f"[{tier.name}] {keys}{note}"
                    break

    def quantisations(self) -> Iterator[str]:
        """The same model in a smaller file."""
        for tier, _ in self._pairs():
            here = next((one for one in self._models if _is(one, tier)), None)
            if here is None:
                continue
            others = (one for one in self._models if one.name == here.name and one.size)
            for model in sorted(others, key=lambda one: -one.size):
                if model.size < (here.size or 0) and self._with(tier, self._size(tier, model)).fits:
                    yield f"[{tier.name}] hf_file = {model.file.name} ({shown(model.size)})"
                    break

    def experts(self) -> Iterator[str]:
        """Experts of a mixture beside the GPU."""
        room = self._total.room
        if room.pool != "gpu" or room.host is None:
            return
        for tier, load in self._pairs():
            if load.parts is None or "--n-cpu-moe" in tier.server.extra_args:
                continue
            for count in range(STEP, 128, STEP):
                words = (*tier.server.extra_args, "--n-cpu-moe", str(count))
                if self._fits(tier, server=replace(tier.server, extra_args=words)):
                    yield f"[{tier.name}] extra_args = {' '.join(words)}"
                    break

    def layers(self) -> Iterator[str]:
        """Some layers of one tier beside the GPU."""
        room = self._total.room
        if room.pool != "gpu" or room.host is None:
            return
        for tier, _ in self._pairs():
            for count in range(min(tier.server.n_gpu_layers, 128) - STEP, 0, -STEP):
                if self._fits(tier, server=replace(tier.server, n_gpu_layers=count)):
                    yield f"[{tier.name}] n_gpu_layers = {count} (slower)"
                    break

    def all_contexts(self) -> Iterator[str]:
        """Smaller windows of all tiers at once."""
        for context in reversed(LADDER):
            smaller = [
                (tier, self._size(replace(tier, ctx_size=context)))
                if load.parts and load.parts.cells > context
                else (tier, load)
                for tier, load in zip(self._tiers, self._total.loads, strict=True)
            ]
            if total_of([load for _, load in smaller], self._total.room).fits:
                names = ", ".join(f"[{tier.name}]" for tier in self._tiers)
                yield f"{names} ctx_size = {context} at most, all of them"
                return

    def apart(self) -> Iterator[str]:
        """A fast tier that is no longer loaded beside the others."""
        for tier in self._tiers:
            rest = [load for load in self._total.loads if load.tier != tier.name]
            if tier.role == "fast" and rest and total_of(rest, self._total.room).fits:
                yield f"[{tier.name}] another role than fast: then it is not loaded beside the rest"

    def give_up(self) -> list[str]:
        """What is left to say."""
        names = " and ".join(self._total.tiers)
        how = "llmstack init --profile auto --force chooses some (the old file is models.ini.bak)"
        return [f"smaller models for {names}: {how}"]

    def _pairs(self) -> list[tuple[Tier, Load]]:
        """Tiers with their loads, the one with the largest cache first."""
        pairs = list(zip(self._tiers, self._total.loads, strict=True))
        pool = self._total.room.pool
        return sorted(
            pairs, key=lambda pair: -(pair[1].parts.cache.of(pool) if pair[1].parts else 0)
        )

    def _smaller(self, load: Load) -> Iterator[int]:
        cells = load.parts.cells if load.parts else 0
        return (context for context in reversed(LADDER) if context < cells)

    def _fits(self, tier: Tier, **change: object) -> bool:
        changed: Tier = replace(tier, **change)  # type: ignore[arg-type]  # fields of a tier
        return self._with(tier, self._size(changed)).fits

    def _with(self, tier: Tier, load: Load) -> Total:
        loads = [load if one.tier == tier.name else one for one in self._total.loads]
        return total_of(loads, self._total.room)


def _is(model: CatalogueModel, tier: Tier) -> bool:
    return (model.file.repo, model.file.name) == (tier.weights.hf_repo, tier.weights.hf_file)
