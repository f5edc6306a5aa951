"""Everything that others host: hosted tiers, sources and peers, and what they offer."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from llmstack.backends.discovery import Discovery
from llmstack.backends.peer import peer_of
from llmstack.backends.protocol import Health, House, Upstream
from llmstack.config.hosted import BACKENDS, Hosted
from llmstack.errors import ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.backends.protocol import Backend, Offered
    from llmstack.config.stack import Channel, Stack, Tier
    from llmstack.config.swap import Peer
    from llmstack.http1 import Pool

#: The source that a found Ollama is.
OLLAMA = "ollama"


class Upstreams:
    """The backends of hosted ``tiers``, of ``sources`` and of a configuration's ``peers``.

    Each is made when it is first needed. For one event loop. ``aliases`` are the other names of
    each hosted tier, ``ollama`` the stack's setting, for its tiers that name no address.
    ``version`` changes when the names do.
    """

    def __init__(
        self,
        house: House,
        *,
        tiers: Iterable[Tier] = (),
        channel: Channel = "current",
        sources: Iterable[Upstream] = (),
        peers: Iterable[Peer] = (),
        ollama: str = "",
    ) -> None:
        self._house = house
        self._made: dict[str, Backend] = {}
        self._upstreams: dict[str, Upstream] = {}
        self.tiers: Mapping[str, Tier] = {tier.name: tier for tier in tiers}
        names = ((name, tier) for tier in self.tiers for name in self.tiers[tier].aliases)
        self._called = {**dict(names), **{tier: tier for tier in self.tiers}}
        for tier in self.tiers.values():
            if hosted := tier.elsewhere(channel):
                if hosted.backend == OLLAMA and not hosted.base_url and ollama != "off":
                    hosted = replace(hosted, base_url=ollama)
                self._upstreams[tier.name] = Upstream(tier.name, hosted, tier.sampler)
        self.aliases = {name: self.tiers[name].aliases for name in self._upstreams}
        self._sources = {source.name: source for source in sources}
        self._upstreams |= self._sources
        self._peers = {peer.id: peer for peer in peers}
        asked = [*self._sources, *(name for name, peer in self._peers.items() if peer.discover)]
        self.discovery = Discovery({name: self.backend(name) for name in asked}, house.now)

    @property
    def version(self) -> int:
        """Changes when other models are found."""
        return self.discovery.version

    def found(self, *, own: bool = False) -> Mapping[str, tuple[Offered, ...]]:
        """What each source is known to have; looking keeps it up to date, and waits for nothing.

        With ``own`` without peers, who are not even asked: they might ask us, and so for ever.
        """
        if not own:
            return self.discovery.known()
        ours = [name for name in self._sources if self.kind(name) != "peer"]
        known = self.discovery.known(ours)
        return {name: known[name] for name in ours}

    def found_names(self) -> dict[str, tuple[str, ...]]:
        """The names that are known; nobody is asked, for this is part of every request."""
        known = self.discovery.known(())
        return {source: tuple(one.name for one in offers) for source, offers in known.items()}

    def tier_called(self, name: str) -> str:
        """The tier, hosted or not, that answers to ``name``; empty for none."""
        return self._called.get(name, "")

    def context_of(self, name: str) -> int:
        """The window of a found model, ``SOURCE/MODEL``, in tokens; 0 where nobody tells."""
        source, _, model = name.partition("/")
        offers = self.discovery.known(of=()).get(source, ()) if model else ()  # asks nobody
        return next((offer.context for offer in offers if offer.name == model), 0)

    def source(self, name: str) -> Hosted | None:
        """Where the models ``name/MODEL`` are, None when that is no source."""
        source = self._sources.get(name)
        return source.hosted if source else None

    def kind(self, name: str) -> str:
        """The kind of a backend's name: a key of ``BACKENDS``."""
        hosted = self.hosted(name)
        return hosted.backend if hosted else "peer"

    async def look_for(self, name: str) -> bool:
        """Ask the source that ``name`` (``SOURCE/MODEL``) would be of, unless it was lately.

        Whether it has a model of that name.
        """
        source, _, model = name.partition("/")
        return any(offer.name == model for offer in await self.discovery.look(source))

    def silence(self, name: str) -> str:
        """Why nobody can say whether there is a model ``name`` (``SOURCE/MODEL``), or nothing."""
        source = name.partition("/")[0]
        problem = self.discovery.problem(source)
        return f"{source} does not say what it has: {problem}" if problem else ""

    def hosted(self, name: str) -> Hosted | None:
        """Where the tier or source ``name`` is, None for what runs here."""
        upstream = self._upstreams.get(name)
        return upstream.hosted if upstream else None

    def backend(self, name: str) -> Backend:
        """The backend of a hosted tier, of a source or of a peer.

        Raises:
            ModelNotFound: there is none of that name.
        """
        made = self._made.get(name)
        if made is None:
            upstream, peer = self._upstreams.get(name), self._peers.get(name)
            if upstream:
                made = _make(upstream, self._house)
            elif peer:
                made = peer_of(peer, self._house)
            else:
                raise ModelNotFound(f"nothing hosted is called {name}")
            self._made[name] = made
        return made

    def health(self) -> dict[str, Health]:
        """How each hosted tier is."""
        return {name: self.backend(name).health() for name in self.aliases}

    async def close(self) -> None:
        """Stop looking and end every connection."""
        await self.discovery.close()
        for backend in self._made.values():
            await backend.close()


def new_house(pool: Pool, environ: Mapping[str, str], ours: frozenset[int] = frozenset()) -> House:
    """What backends of this process share; ``ours`` are ports of our own."""
    return House(pool, environ, time.monotonic, asyncio.sleep, random.random, ours)


def sources_of(stack: Stack) -> list[Upstream]:
    """The sources of ``stack``: its own, and an Ollama that may run here."""
    sources = [Upstream(source.name, source.hosted) for source in stack.sources]
    taken = {source.name for source in stack.sources} | {tier.name for tier in stack.tiers}
    if stack.settings.ollama != "off" and OLLAMA not in taken:
        sources.append(Upstream(OLLAMA, Hosted("ollama", base_url=stack.settings.ollama)))
    return sources


def _make(upstream: Upstream, house: House) -> Backend:
    module, _, name = BACKENDS[upstream.hosted.backend].factory.partition(":")
    made: Backend = getattr(import_module(module), name)(upstream, house)
    return made
