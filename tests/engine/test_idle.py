"""A model is stopped when it has been idle for its time to live."""

from __future__ import annotations

import pytest

from llmstack.config.swap import Group
from llmstack.engine.plan import State
from tests.engine.simulation import config, model, settle, stage

pytestmark = pytest.mark.anyio


@pytest.mark.top40(37, "never while busy")
async def test_a_model_is_stopped_a_ttl_after_its_last_answer() -> None:
    async with stage(config(model("a", ttl=60))) as scene:
        first = await scene.load("a")
        await scene.clock.advance(1000)
        assert scene.engine.state("a") is State.READY
        first.release()
        await scene.clock.advance(50)
        (await scene.ask("a")).release()
        await scene.clock.advance(59)
        assert scene.engine.state("a") is State.READY
        await scene.clock.advance(1)
        assert scene.engine.state("a") is State.STOPPED
        assert scene.events[-1].what == "ttl"


async def test_a_model_whose_client_left_while_it_loaded_expires_too() -> None:
    async with stage(config(model("a", ttl=60))) as scene:
        client = scene.ask("a")
        await settle()
        client.cancel()
        await scene.ready("a")
        await scene.clock.advance(60)
        assert scene.engine.state("a") is State.STOPPED


async def test_a_model_expires_after_its_last_waiting_client_left() -> None:
    setup = config(
        model("a", ttl=60),
        model("guest"),
        groups=(Group("loose", ("guest",), exclusive=False),),
    )
    async with stage(setup) as scene:
        (await scene.load("a")).release()
        guest = await scene.load("guest")
        client = scene.ask("a")  # waits for the guest to end
        await scene.clock.advance(100)
        assert scene.engine.state("a") is State.READY
        client.cancel()
        await scene.clock.advance(1)
        assert scene.engine.state("a") is State.STOPPED
        guest.release()


async def test_each_model_has_its_own_time_to_live() -> None:
    async with stage(config(model("a", ttl=100), model("b", ttl=10), together=True)) as scene:
        for name in ("a", "b"):
            (await scene.load(name)).release()
        await scene.clock.advance(10)
        assert scene.launcher.living() == ["a"]
        await scene.clock.advance(100)
        assert scene.launcher.living() == []
