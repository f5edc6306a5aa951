"""The end of an engine: waiters turned away, answers ended, processes stopped."""

from __future__ import annotations

import asyncio

import pytest

from llmstack.engine.plan import State
from llmstack.errors import (
    ShuttingDown,
)
from tests.engine.simulation import config, model, settle, stage

pytestmark = pytest.mark.anyio


async def test_close_turns_away_drains_and_then_stops() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        lease = await scene.load("a")
        waiting = scene.ask("b")
        await settle()
        closing = scene.go(scene.engine.close(drain=30))
        await scene.clock.advance(10)
        with pytest.raises(ShuttingDown):
            await waiting
        with pytest.raises(ShuttingDown):
            await scene.ask("a")
        assert scene.engine.try_lease(lease.model) is None
        assert scene.launcher.of("a")[0].signals == []
        assert not closing.done()
        lease.release()
        await scene.clock.advance(0.2)
        await closing
        assert scene.launcher.living() == []
        assert [what for _, _, what in scene.said()][-2:] == ["shutdown", "shutdown"]


async def test_close_ends_answers_that_outlast_the_drain_time() -> None:
    async with stage(config(model("a", ttl=10))) as scene:
        lease = await scene.load("a")
        closing = scene.go(scene.engine.close(drain=5))
        await scene.clock.advance(4.8)
        assert scene.launcher.living() == ["a"]
        await scene.clock.advance(0.5)
        await closing
        assert scene.launcher.living() == []
        lease.release()  # too late, and harmless
        await settle()
        assert scene.clock.asleep == 0, "an alarm for an engine that is closed"


async def test_close_gives_no_process_longer_than_the_grace_that_is_left() -> None:
    async with stage(config(model("a", unload_timeout=1000))) as scene:
        (await scene.load("a")).release()
        process = scene.launcher.of("a")[0]
        process.stubborn = True
        closing = scene.go(scene.engine.close(drain=0, grace=5))
        await scene.clock.advance(4.9)
        assert process.signals == ["TERM"]
        assert not closing.done()
        await scene.clock.advance(0.1)
        assert process.signals == ["TERM", "KILL"]
        await closing


async def test_close_during_a_start_stops_it() -> None:
    async with stage(config(model("a"))) as scene:
        asked = scene.ask("a")
        await settle()
        await scene.engine.close()
        with pytest.raises(ShuttingDown):
            await asked
        assert scene.launcher.living() == []


async def test_close_during_a_swap_starts_nobody() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        (await scene.load("a")).release()
        scene.launcher.of("a")[0].lingers = True
        asked = scene.ask("b")
        await settle()
        closing = scene.go(scene.engine.close())
        await settle()
        assert not closing.done()
        scene.launcher.of("a")[0].exit(0)
        await closing
        with pytest.raises(ShuttingDown):
            await asked
        assert scene.launcher.of("b") == []


async def test_closing_twice_is_allowed() -> None:
    async with stage(config(model("a"))) as scene:
        (await scene.load("a")).release()
        await asyncio.gather(scene.engine.close(), scene.engine.close())
        await scene.engine.close()


async def test_the_context_manager_closes() -> None:
    async with stage(config(model("a"))) as scene:
        async with scene.engine as engine:
            (await scene.load("a")).release()
        assert engine.state("a") is State.STOPPED
