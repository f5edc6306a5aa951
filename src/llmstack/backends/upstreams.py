"""Everything that others host for one stack: its hosted tiers, its sources, and what they offer."""

from __future__ import annotations

import asyncio
import random
import time
from importlib import import_module
from typing import TYPE_CHECKING

from llmstack.backends.discovery import Discovery
from llmstack.backends.protocol import Health, House, Upstream
from llmstack.config.hosted import BACKENDS, Hosted
from llmstack.errors import ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.backends.protocol import Backend, Offered
    from llmstack.config.stack import Channel, Stack, Tier
    from llmstack.http1 import Pool

#: The source that a found Ollama is.
OLLAMA = "ollama"


class Upstreams:
    """The backends of one stack, each made when it is first needed. For one event loop.

    ``aliases`` are the other names of each hosted tier. ``version`` changes when the names do.
    """

    def __init__(
        self,
        stack: Stack,
        pool: Pool,
        environ: Mapping[str, str],
        *,
        channel: Channel = "current",
        ours: frozenset[int] = frozenset(),
    ) -> None:
        """``ours`` are ports of our own, where no Ollama can be."""
        self._house = House(pool, environ, time.monotonic, asyncio.sleep, random.random, ours)
        self._made: dict[str, Backend] = {}
        self._upstreams: dict[str, Upstream] = {}
        self.tiers: Mapping[str, Tier] = {tier.name: tier for tier in stack.tiers}
        for tier in stack.tiers:
            if hosted := tier.elsewhere(channel):
                self._upstreams[tier.name] = Upstream(tier.name, hosted, tier.sampler)
        self.aliases = {name: self.tiers[name].aliases for name in self._upstreams}
        sources = [Upstream(source.name, source.hosted) for source in stack.sources]
        if stack.settings.ollama != "off" and OLLAMA not in self._upstreams:
            where = Hosted("ollama", base_url=stack.settings.ollama)
            sources.append(Upstream(OLLAMA, where))
        self._sources = frozenset(source.name for source in sources)
        self._upstreams |= {source.name: source for source in sources}
        self.discovery = Discovery(
            {name: self.backend(name) for name in sorted(self._sources)}, self._house.now
        )

    @property
    def version(self) -> int:
        """Changes when other models are found."""
        return self.discovery.version

    def found(self) -> Mapping[str, tuple[Offered, ...]]:
        """What each source is known to have; looking keeps it up to date, and waits for nothing."""
        return self.discovery.known()

    def found_names(self) -> dict[str, tuple[str, ...]]:
        """The same, names only."""
        return {
            source: tuple(one.name for one in offers) for source, offers in self.found().items()
        }

    def source(self, name: str) -> Hosted | None:
        """Where the models ``name/MODEL`` are, None when that is no source."""
        return self._upstreams[name].hosted if name in self._sources else None

    async def look_for(self, name: str) -> bool:
        """Ask the source that ``name`` (``SOURCE/MODEL``) would be of, unless it was lately.

        Whether it has a model of that name.
        """
        source, _, model = name.partition("/")
        if source not in self._sources:
            return False
        return any(offer.name == model for offer in await self.discovery.look(source))

    def hosted(self, name: str) -> Hosted | None:
        """Where the tier or source ``name`` is, None for what runs here."""
        upstream = self._upstreams.get(name)
        return upstream.hosted if upstream else None

    def backend(self, name: str) -> Backend:
        """The backend of a hosted tier or of a source.

        Raises:
            ModelNotFound: there is none of that name.
        """
        made = self._made.get(name)
        if made is None:
            upstream = self._upstreams.get(name)
            if upstream is None:
                raise ModelNotFound(f"nothing hosted is called {name}")
            made = self._made[name] = _make(upstream, self._house)
        return made

    def health(self) -> dict[str, Health]:
        """How each hosted tier is."""
        return {name: self.backend(name).health() for name in self.aliases}

    async def close(self) -> None:
        """Stop looking and end every connection."""
        await self.discovery.close()
        for backend in self._made.values():
            await backend.close()


def _make(upstream: Upstream, house: House) -> Backend:
    module, _, name = BACKENDS[upstream.hosted.backend].factory.partition(":")
    made: Backend = getattr(import_module(module), name)(upstream, house)
    return made
