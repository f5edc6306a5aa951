"""Unloading by hand, while a model is idle, busy, starting or waited for."""

from __future__ import annotations

import asyncio

import pytest

from llmstack.engine.plan import State
from llmstack.errors import (
    ModelUnloaded,
)
from tests.engine.simulation import config, model, settle, stage

pytestmark = pytest.mark.anyio


async def test_unload_returns_when_the_process_is_gone() -> None:
    async with stage(config(model("a"))) as scene:
        (await scene.load("a")).release()
        process = scene.launcher.of("a")[0]
        process.lingers = True
        unload = scene.go(scene.engine.unload("a"))
        await scene.clock.advance(5)
        assert not unload.done()
        process.exit(0)
        await unload
        assert scene.engine.state("a") is State.STOPPED


async def test_unload_waits_for_running_answers() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        unload = scene.go(scene.engine.unload())
        await scene.clock.advance(60)
        assert not unload.done()
        assert scene.launcher.of("a")[0].signals == []
        lease.release()
        await unload


async def test_forced_unload_does_not_wait_for_running_answers() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        await scene.engine.unload("a", force=True)
        assert scene.launcher.living() == []
        lease.release()


async def test_unload_while_starting_tells_those_who_wait() -> None:
    async with stage(config(model("a"))) as scene:
        asked = scene.ask("a")
        await settle()
        await scene.engine.unload("a")
        with pytest.raises(ModelUnloaded):
            await asked
        assert scene.launcher.living() == []


async def test_unload_in_the_instant_of_the_request_starts_no_process() -> None:
    async with stage(config(model("a"))) as scene:
        asked = scene.ask("a")
        await asyncio.sleep(0)  # the request has been made, the runner has not run yet
        await scene.engine.unload("a")
        with pytest.raises(ModelUnloaded):
            await asked
        assert scene.launcher.processes == []


async def test_a_request_after_an_unload_while_starting_gets_a_start_of_its_own() -> None:
    async with stage(config(model("a"))) as scene:
        early = scene.ask("a")
        await settle()
        scene.launcher.of("a")[0].lingers = True
        unload = scene.go(scene.engine.unload("a"))
        await settle()
        late = scene.ask("a")
        await settle()
        scene.launcher.of("a")[0].exit(1)
        await unload
        await scene.ready("a")
        (await late).release()
        with pytest.raises(ModelUnloaded):
            await early


async def test_unload_of_a_newcomer_returns_though_its_victim_still_stops() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        (await scene.load("a")).release()
        victim = scene.launcher.of("a")[0]
        victim.lingers = True
        asked = scene.ask("b")
        await settle()
        await scene.engine.unload("b")
        with pytest.raises(ModelUnloaded):
            await asked
        victim.exit(0)
        await scene.clock.advance(5)
        assert scene.launcher.of("b") == []


async def test_an_unload_that_is_cancelled_still_unloads() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        unload = scene.go(scene.engine.unload("a"))
        await settle()
        unload.cancel()
        await settle()
        lease.release()
        await settle()
        assert scene.engine.state("a") is State.STOPPED
