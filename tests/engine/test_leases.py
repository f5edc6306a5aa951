"""Leases of the engine in a simulated world: who gets one, and who leaves before."""

from __future__ import annotations

import asyncio
import gc

import pytest

from llmstack.engine.plan import State
from llmstack.errors import (
    ConcurrencyLimit,
    ModelNotFound,
)
from tests.engine.simulation import config, model, settle, stage

pytestmark = pytest.mark.anyio


async def test_a_lease_loads_the_model_and_says_how_long_that_took() -> None:
    async with stage(config(model("a"))) as scene:
        asked = scene.ask("a")
        await scene.clock.advance(7)
        assert not asked.done()
        await scene.ready("a")
        lease = await asked
        assert 7 <= lease.waited <= 8.5
        assert lease.base_url == "http://a:9"
        lease.release()


async def test_try_lease_gives_a_ready_model_at_once_and_never_loads_one() -> None:
    async with stage(config(model("a"))) as scene:
        wanted = scene.engine.resolve("a")
        assert scene.engine.try_lease(wanted) is None
        await settle()
        assert scene.launcher.processes == []
        with await scene.load("a"):
            pass
        lease = scene.engine.try_lease(wanted)
        assert lease is not None
        assert scene.engine.status()[0].in_flight == 1
        lease.release()
        assert scene.engine.status()[0].in_flight == 0


async def test_try_lease_holds_to_the_limit() -> None:
    async with stage(config(model("a", concurrency_limit=1))) as scene:
        with await scene.load("a"):
            assert scene.engine.try_lease(scene.engine.resolve("a")) is None
            with pytest.raises(ConcurrencyLimit):
                await scene.ask("a")


async def test_releasing_a_lease_twice_gives_back_one_place() -> None:
    async with stage(config(model("a"))) as scene:
        first, second = await scene.load("a"), await scene.ask("a")
        first.release()
        first.release()
        assert scene.engine.status()[0].in_flight == 1
        second.release()


async def test_an_alias_and_an_id_mean_the_same_model_and_other_names_none() -> None:
    async with stage(config(model("a", aliases=("gpt",)), model("gpt-2"))) as scene:
        assert scene.engine.resolve("gpt").id == "a"
        assert scene.engine.resolve("a").id == "a"
        with pytest.raises(ModelNotFound):
            scene.engine.resolve("gpt-3")


@pytest.mark.top40(35, "one load for all")
async def test_many_clients_share_one_load() -> None:
    async with stage(config(model("a"))) as scene:
        clients = [scene.ask("a") for _ in range(10)]
        await scene.ready("a")
        leases = await asyncio.gather(*clients)
        assert len(scene.launcher.of("a")) == 1
        assert scene.engine.status()[0].in_flight == 10
        for lease in leases:
            lease.release()


async def test_a_client_that_leaves_the_queue_starts_no_load() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        holder = await scene.load("a")
        client = scene.ask("b")
        await settle()
        client.cancel()
        await settle()
        holder.release()
        await scene.clock.advance(5)
        assert scene.launcher.of("b") == []
        assert scene.engine.state("a") is State.READY


async def test_a_client_that_leaves_while_it_loads_lets_the_load_go_on() -> None:
    async with stage(config(model("a"))) as scene:
        client = scene.ask("a")
        await settle()
        client.cancel()
        await scene.ready("a")
        lease = scene.engine.try_lease(scene.engine.resolve("a"))
        assert lease is not None
        lease.release()


async def test_a_client_that_leaves_in_the_instant_of_its_grant_gives_the_model_back() -> None:
    async with stage(config(model("a", ttl=10))) as scene:
        client = scene.ask("a")
        await settle()
        scene.engine.events.subscribe(lambda event: client.cancel() if event.what == "ready" else 0)
        await scene.ready("a")
        assert client.cancelled()
        assert scene.engine.status()[0].in_flight == 0
        await scene.clock.advance(10)  # its time to live runs, too
        assert scene.engine.state("a") is State.STOPPED


async def test_a_client_that_leaves_in_the_instant_of_its_rejection_leaves_no_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def left() -> bool:
        async with stage(config(model("a"))) as scene:
            client = scene.ask("a")
            await settle()
            scene.engine.events.subscribe(lambda _: client.cancel())
            await scene.engine.unload("a")
            return client.cancelled()

    assert await left()
    gc.collect()  # a future whose exception nobody saw complains when it is collected
    await settle()
    assert caplog.records == []
