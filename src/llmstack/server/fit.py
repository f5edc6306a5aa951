"""Whether a stack fits into a machine's memory, from the best numbers that can be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.hub.catalogue import catalogue, find_model
from llmstack.hub.gguf import Gguf, read_gguf
from llmstack.hub.hub_file import HubFile
from llmstack.residency.footprint import Share, estimate
from llmstack.residency.prompt_cache import notes
from llmstack.residency.proposals import proposals
from llmstack.residency.room import Load, share_of, total_of
from llmstack.residency.tier_sizing import resident_sets, tier_sizing

if TYPE_CHECKING:
    from llmstack.config.stack import Channel, Stack, Tier, Weights
    from llmstack.hub.catalogue import CatalogueModel
    from llmstack.residency.room import LoadSource, Room, Total

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class StackFit:
    """The arithmetic of a stack: each tier, each set that is loaded together, what to change.

    ``notes`` tell of what no estimate counts.
    """

    room: Room
    loads: tuple[Load, ...]
    totals: tuple[Total, ...]
    changes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every set fits, as far as sizes are known."""
        return all(total.fits for total in self.totals)


@dataclass(frozen=True, slots=True)
class Found:
    """Headers of all parts of a model, where they are from, and what stood in the way of better."""

    parts: tuple[Gguf, ...]
    source: LoadSource
    why: str = ""


class Headers:
    """Finds the headers of models: the file here, then the hub, then the catalogue.

    ``here`` False looks at nothing but the catalogue, ``offline`` keeps off the network. What was
    found is remembered.
    """

    def __init__(self, *, here: bool = True, offline: bool = False) -> None:
        self._here = here
        self._offline = offline
        self._found: dict[Weights, Found] = {}

    def find(self, weights: Weights) -> Found:
        """The headers of ``weights``; none with the reason if nobody has them."""
        if weights not in self._found:
            self._found[weights] = self._look(weights)
        return self._found[weights]

    def file(self, path: str) -> tuple[Gguf, ...]:
        """The headers of a local file. Raises GgufError."""
        first = Path(path).expanduser()
        parts = HubFile("", first.name).parts()
        return tuple(read_gguf(first.with_name(part.name)) for part in parts)

    def _look(self, weights: Weights) -> Found:
        try:
            if weights.path:
                return Found(self.file(weights.path), "file")
        except LlmstackError as error:
            return Found((), "unknown", error.what)
        file = HubFile(weights.hf_repo or "", weights.hf_file or "")
        why = ""
        if self._here:
            try:
                if found := self._cached_or_remote(file):
                    return found
            except (LlmstackError, OSError) as error:
                why = str(error).splitlines()[0]
        model = find_model(file)
        size = int((weights.size_gb or 0) * _GIB)
        if model and (model.size or size):
            source: LoadSource = "catalogue" if model.size else "catalogue, size_gb"
            return Found((model.header(size),), source, why)
        return Found((), "size_gb" if size else "unknown", why or "its file is not here")

    def _cached_or_remote(self, file: HubFile) -> Found | None:
        from llmstack.hub.remote_file import cached_path
        from llmstack.hub.remote_gguf import read_remote_gguf

        cached = [cached_path(part) for part in file.parts()]
        if all(cached):
            return Found(tuple(read_gguf(path) for path in cached if path), "file")
        if self._offline:
            return None
        return Found(tuple(read_remote_gguf(part) for part in file.parts()), "hub")


def fit_stack(stack: Stack, channel: Channel, room: Room, headers: Headers) -> StackFit:
    """Work out what ``stack`` takes on ``channel``, and what to change where it does not fit.

    Hosted tiers take nothing and are not in it.
    """

    def size(tier: Tier, model: CatalogueModel | None = None) -> Load:
        return _load(stack, tier, channel, room, headers, model)

    loads = {tier.name: size(tier) for tier in stack.local}
    totals = tuple(
        total_of([loads[name] for name in names], room) for names in resident_sets(stack, channel)
    )
    changes = [
        change for total in totals for change in proposals(total, stack.local, size, catalogue())
    ]
    growth = notes(totals, {tier.name: tier for tier in stack.local})
    return StackFit(room, tuple(loads.values()), totals, tuple(dict.fromkeys(changes)), growth)


def _load(
    stack: Stack,
    tier: Tier,
    channel: Channel,
    room: Room,
    headers: Headers,
    model: CatalogueModel | None,
) -> Load:
    weights = tier.effective(channel)
    found = Found((model.header(),), "catalogue") if model else headers.find(weights)
    if not found.parts:
        share = Share(gpu=int((weights.size_gb or 0) * _GIB)) if weights.size_gb else None
        return Load(tier.name, share, None, "size_gb" if share else "unknown", found.why)
    try:
        sizing = tier_sizing(stack, tier, channel, "model")
        files = {name: headers.file(name) for name in sizing.files() if name != "model"}
        parts = estimate(sizing, {"model": found.parts, **files}, room.pool)
    except LlmstackError as error:
        return Load(tier.name, None, None, "unknown", error.what)
    return Load(tier.name, share_of(parts), parts, found.source, found.why)
