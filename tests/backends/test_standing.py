"""What tiers say of an upstream, and learn of each other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from llmstack.errors import BackendFailed
from tests.backends.open_house import Clock, ask, backend, open_house
from tests.backends.upstream_server import Fault, serving
from tests.http1.raw_server import until

pytestmark = pytest.mark.anyio


async def test_while_a_probe_is_out_the_upstream_is_still_down() -> None:
    """Or routing would send everybody else there to be refused."""
    clock = Clock()
    async with serving() as server, open_house(clock) as house:
        server.next(*[Fault(500)] * 5, Fault(silent=True))
        tier = backend(house, server.url)
        for _ in range(5):
            with pytest.raises(BackendFailed):
                await tier.open(ask())
        clock.now += 20
        assert tier.health().usable
        probe = asyncio.ensure_future(tier.open(ask()))
        await until(lambda: len(server.requests) == 6)
        assert tier.health().state == "down"
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert tier.health().usable
        (await tier.open(ask())).close()
        assert tier.health().state == "ok"


async def test_what_tiers_of_one_upstream_learn_of_each_other_is_told_as_their_own() -> None:
    async with serving() as server, open_house() as house:
        server.next(*[Fault(500)] * 5)
        tier, other = backend(house, server.url), backend(house, server.url)
        other.upstream = replace(other.upstream, name="writer")
        for _ in range(5):
            with pytest.raises(BackendFailed):
                await tier.open(ask())
        assert tier.health().why.startswith("coder answered 500")
        assert other.health().why.startswith("writer answered 500")
