"""What a reload touches and what it leaves alone."""

from __future__ import annotations

import asyncio

import pytest

from llmstack.config.swap import Group, Matrix, MatrixSet
from llmstack.engine.plan import State
from llmstack.errors import ConcurrencyLimit, ConfigError, ModelNotFound
from tests.engine.simulation import config, model, settle, stage

pytestmark = pytest.mark.anyio


async def test_an_unchanged_model_keeps_its_process_its_queue_and_its_leases() -> None:
    async with stage(config(model("a", ttl=5), model("b"))) as scene:
        lease = await scene.load("a")
        waiter = scene.ask("b")
        await settle()
        new = config(model("a", ttl=60, aliases=("gpt",), concurrency_limit=3), model("b"))
        await scene.engine.reconfigure(new)
        assert len(scene.launcher.processes) == 1
        assert scene.engine.status()[0].in_flight == 1
        assert scene.engine.resolve("gpt").concurrency_limit == 3
        lease.release()
        await scene.ready("b")
        (await waiter).release()


async def test_a_new_model_at_the_address_of_one_that_leaves_starts_when_that_has_gone() -> None:
    """A model that was renamed, say, whose port is written out."""
    loose = (Group("loose", ("b",), exclusive=False),)
    async with stage(config(model("a"))) as scene:
        answer = await scene.load("a")
        renamed = config(model("b", proxy="http://a:9"), groups=loose)
        reload = scene.go(scene.engine.reconfigure(renamed))
        await settle()
        newcomer = scene.ask("b")
        await settle()
        assert scene.engine.state("b") is State.STARTING
        assert scene.launcher.living() == ["a"]
        answer.release()
        await settle()
        assert scene.launcher.living() == ["b"]
        await reload
        scene.launcher.of("a")[0].healthy = True  # the simulated probe goes by the address
        await scene.clock.advance(1)
        (await newcomer).release()


async def test_a_model_that_goes_while_memory_is_measured_is_not_told() -> None:
    """The rows of GET /api/models used to name a model that the configuration had no more."""
    async with stage(config(model("a"), model("b"))) as scene:
        asked = asyncio.ensure_future(scene.engine.measured_status())
        await asyncio.sleep(0)
        await scene.engine.reconfigure(config(model("a")))
        assert [row.id for row in await asked] == ["a"]


async def test_the_log_of_a_removed_model_is_not_found() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        await scene.engine.reconfigure(config(model("b")))
        with pytest.raises(ModelNotFound):
            scene.engine.log("a")


async def test_a_new_time_to_live_holds_for_the_process_that_runs() -> None:
    async with stage(config(model("a", ttl=5))) as scene:
        lease = await scene.load("a")
        await scene.engine.reconfigure(config(model("a", ttl=60)))
        lease.release()
        await scene.clock.advance(59)
        assert scene.engine.state("a") is State.READY
        await scene.clock.advance(1)
        assert scene.engine.state("a") is State.STOPPED


async def test_a_changed_model_finishes_its_answers_and_newcomers_get_the_new_process() -> None:
    async with stage(config(model("a"))) as scene:
        old = await scene.load("a")
        new = config(model("a", cmd="a --port 9 --new", proxy="http://a:10"))
        reload = scene.go(scene.engine.reconfigure(new))
        await settle()
        assert scene.engine.state("a") is State.READY
        assert scene.engine.try_lease(scene.engine.resolve("a")) is None
        newcomer = scene.ask("a")
        await settle()
        assert not reload.done()
        old.release()
        await scene.ready("a")
        await reload
        lease = await newcomer
        assert scene.launcher.of("a")[-1].argv[-1] == "--new"
        assert lease.base_url == "http://a:10"
        assert ("a", "stopping", "reload") in scene.said()
        lease.release()


async def test_who_waits_for_a_start_that_changed_waits_for_the_new_one() -> None:
    async with stage(config(model("a"))) as scene:
        waiter = scene.ask("a")
        await settle()
        await scene.engine.reconfigure(config(model("a", cmd="a --new")))
        await scene.ready("a")
        (await waiter).release()
        assert [process.argv[-1] for process in scene.launcher.of("a")] == ["9", "--new"]


async def test_a_change_that_is_taken_back_keeps_the_process() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        changing = scene.go(scene.engine.reconfigure(config(model("a", cmd="a --new"))))
        await settle()
        await scene.engine.reconfigure(config(model("a")))
        await settle()
        lease.release()
        await settle()
        assert scene.engine.state("a") is State.READY
        assert len(scene.launcher.processes) == 1
        changing.cancel()


async def test_a_removed_model_turns_waiters_away_and_stops_when_idle() -> None:
    async with stage(config(model("a"), model("b"), together=True)) as scene:
        lease = await scene.load("a")
        waiter = scene.ask("b")
        await settle()
        stale = scene.engine.resolve("a")
        reload = scene.go(scene.engine.reconfigure(config(model("c"))))
        with pytest.raises(ModelNotFound):
            await waiter
        with pytest.raises(ModelNotFound):
            scene.engine.resolve("a")
        with pytest.raises(ModelNotFound):
            await scene.engine.lease(stale)
        assert scene.engine.try_lease(stale) is None
        assert "a" in scene.launcher.living()
        lease.release()
        await asyncio.wait_for(reload, 5)
        assert scene.launcher.living() == []
        assert [row.id for row in scene.engine.status()] == ["c"]


async def test_a_removed_model_that_comes_back_while_it_answers_keeps_its_process() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        gone = scene.go(scene.engine.reconfigure(config(model("b"))))
        await settle()
        await scene.engine.reconfigure(config(model("a"), model("b")))
        assert scene.engine.try_lease(scene.engine.resolve("a")) is not None
        assert len(scene.launcher.processes) == 1
        lease.release()
        gone.cancel()


async def test_a_lease_of_a_removed_life_does_not_count_for_the_next_one() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        scene.launcher.of("a")[-1].exit(1)
        await settle()
        await scene.engine.reconfigure(config(model("b")))
        await scene.engine.reconfigure(config(model("a")))
        other = await scene.load("a")
        lease.release()
        assert scene.engine.status()[0].in_flight == 1
        other.release()


async def test_new_rules_apply_at_once() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        lease = await scene.load("a")
        waiter = scene.ask("b")
        await settle()
        await scene.engine.reconfigure(config(model("a"), model("b"), together=True))
        await scene.ready("b")
        (await waiter).release()
        assert scene.engine.state("a") is State.READY
        lease.release()


async def test_preloads_run_after_the_old_ones_have_gone_and_evict_nobody() -> None:
    pair = (Group("pair", ("p", "q"), swap=False, exclusive=False),)
    old = config(model("a"), model("b"), model("p"), groups=pair)
    async with stage(old) as scene:
        busy = await scene.load("a")
        (await scene.load("p")).release()
        new = config(model("b"), model("q"), model("c"), groups=pair, preload=("b", "q", "c"))
        reload = scene.go(scene.engine.reconfigure(new))
        await settle()
        assert scene.launcher.of("b") == []
        assert not scene.launcher.of("p")[0].alive
        busy.release()
        await scene.ready("b")
        await scene.ready("q")
        await reload
        assert scene.launcher.of("c") == []  # it would have evicted b


async def test_rules_that_contradict_themselves_change_nothing() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        wrong = Matrix(vars={}, evict_costs={}, sets=(MatrixSet("s", "a & nobody"),))
        with pytest.raises(ConfigError):
            await scene.engine.reconfigure(config(model("b"), matrix=wrong))
        assert scene.engine.resolve("a").id == "a"
        assert scene.engine.state("a") is State.READY
        lease.release()


async def test_a_lease_that_outlives_a_removed_model_counts_when_the_model_is_back() -> None:
    async with stage(config(model("a", concurrency_limit=1))) as scene:
        lease = await scene.load("a")
        scene.launcher.of("a")[-1].exit(1)
        await settle()
        await scene.engine.reconfigure(config(model("b")))
        await scene.engine.reconfigure(config(model("a", concurrency_limit=1)))
        with pytest.raises(ConcurrencyLimit):
            await scene.ask("a")
        lease.release()
        (await scene.load("a")).release()


async def test_a_process_that_is_kept_runs_on_and_the_next_one_is_as_configured() -> None:
    """What is set at run time must not stop a process before its user says so."""
    new = config(model("a", cmd="a --new"), model("b", cmd="b --new"), together=True)
    async with stage(config(model("a"), model("b"), together=True)) as scene:
        (await scene.load("a")).release()
        (await scene.load("b")).release()
        await scene.engine.reconfigure(new, keep={"a"})
        assert scene.launcher.living() == ["a"]
        runs = scene.engine.runs("a")
        assert runs is not None
        assert "--new" not in runs.cmd
        assert scene.engine.runs("b") is None
        lease = scene.engine.try_lease(scene.engine.resolve("a"))
        assert lease is not None, "it serves as before"
        lease.release()
        await scene.engine.unload("a")
        (await scene.load("a")).release()
        assert scene.launcher.of("a")[-1].argv[-1] == "--new"


async def test_keeping_does_not_spare_a_process_that_has_to_go() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        going = scene.go(scene.engine.reconfigure(config(model("a", cmd="a --new"))))
        await settle()
        newer = config(model("a", cmd="a --new --newer"))
        scene.go(scene.engine.reconfigure(newer, keep={"a"}))
        await settle()
        lease.release()
        await settle()
        assert scene.engine.state("a") is State.STOPPED
        await going
