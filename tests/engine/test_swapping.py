"""Who runs when, with real processes. ``lifecycle.md`` says which test covers what."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap import Group
from llmstack.engine import Engine, State
from llmstack.errors import ConcurrencyLimit, ModelUnloaded, QueueTimeout, ShuttingDown, StartFailed
from tests.engine.servers import nothing_left, server, setup
from tests.engine.simulation import alive, free_port, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llmstack.engine import Lease

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX"),
]


@pytest.fixture(autouse=True)
async def no_leaks() -> AsyncIterator[None]:
    """Every test gives back the descriptors and the children that it took."""
    async with nothing_left():
        yield


def ask(engine: Engine, model: str) -> asyncio.Future[Lease]:
    return asyncio.ensure_future(engine.lease(engine.resolve(model)))


def pid_of(engine: Engine, model: str) -> int | None:
    (status,) = [row for row in engine.status() if row.id == model]
    return status.pid


async def test_a_swap_waits_for_the_running_answer_and_for_the_whole_end_of_its_victim() -> None:
    """Both have one port: the newcomer could not start while anything of the victim is left."""
    port = free_port()
    models = server("a", "--ignore-sigterm", port=port, unload_timeout=1), server("b", port=port)
    async with Engine(setup(*models)) as engine:
        answer = await ask(engine, "a")
        victim = pid_of(engine, "a")
        assert victim
        waiter = ask(engine, "b")
        await asyncio.sleep(0.2)
        assert engine.state("a") is State.READY
        assert pid_of(engine, "b") is None
        answer.release()
        (await waiter).release()
        assert not alive(victim)


async def test_a_swap_gives_its_victim_the_victims_own_unload_timeout() -> None:
    """llama-swap gives it ``healthCheckTimeout``, two minutes."""
    models = server("a", "--ignore-sigterm", unload_timeout=0), server("b")
    async with Engine(setup(*models, health_check_timeout=1000)) as engine:
        (await ask(engine, "a")).release()
        (await ask(engine, "b")).release()


async def test_many_requests_share_one_load() -> None:
    async with Engine(setup(server("a", "--slow-start", "0.2", concurrency_limit=50))) as engine:
        leases = await asyncio.gather(*(ask(engine, "a") for _ in range(50)))
        assert engine.log("a").history().count(b"listening") == 1
        for lease in leases:
            lease.release()


async def test_models_that_may_run_together_load_in_parallel(tmp_path: Path) -> None:
    wait = "--ready-file", str(tmp_path / "go")
    async with Engine(setup(server("a", *wait), server("b", *wait), together=True)) as engine:
        both = [ask(engine, "a"), ask(engine, "b")]
        await until(lambda: all(b"listening" in engine.log(m).history() for m in "ab"))
        (tmp_path / "go").touch()
        for lease in await asyncio.gather(*both):
            lease.release()


async def test_the_queue_goes_by_priority_then_by_arrival() -> None:
    models = [server(name) for name in "abcd"]
    async with Engine(setup(*models, priorities={"d": 5})) as engine:
        served: list[str] = []

        async def client(name: str) -> None:
            with await engine.lease(engine.resolve(name)):
                served.append(name)

        answer = await ask(engine, "a")
        waiting = [asyncio.ensure_future(client(name)) for name in "bcd"]
        await until(lambda: sum(row.queue for row in engine.status()) == 3)
        answer.release()
        await asyncio.gather(*waiting)
        assert served == ["d", "b", "c"]


async def test_a_ready_model_that_nobody_threatens_serves_past_the_queue() -> None:
    fixed = Group("fixed", ("n",), persistent=True, exclusive=False)
    models = server("a"), server("b"), server("n")
    async with Engine(setup(*models, groups=(fixed,))) as engine:
        (await ask(engine, "n")).release()
        answer = await ask(engine, "a")
        waiter = ask(engine, "b")
        await until(lambda: engine.status()[1].queue == 1)
        (await ask(engine, "n")).release()
        (await ask(engine, "a")).release()
        answer.release()
        (await waiter).release()


async def test_the_limit_counts_who_waits_and_says_its_number() -> None:
    models = server("a"), server("b", concurrency_limit=2)
    async with Engine(setup(*models)) as engine:
        answer = await ask(engine, "a")
        waiting = [ask(engine, "b") for _ in range(2)]
        await until(lambda: engine.status()[1].queue == 2)
        with pytest.raises(ConcurrencyLimit) as error:
            await ask(engine, "b")
        assert "admits 2 requests" in error.value.why
        answer.release()
        for lease in await asyncio.gather(*waiting):
            lease.release()


async def test_who_may_not_wait_any_longer_is_turned_away() -> None:
    async with Engine(setup(server("a"), server("b"), queue_timeout=1)) as engine:
        with await ask(engine, "a"), pytest.raises(QueueTimeout):
            await ask(engine, "b")


async def test_a_client_that_leaves_the_queue_starts_nothing_and_one_that_waits_for_a_load_lets_it(
    tmp_path: Path,
) -> None:
    models = server("a", "--ready-file", str(tmp_path / "go")), server("b")
    async with Engine(setup(*models)) as engine:
        loading = ask(engine, "a")
        await until(lambda: pid_of(engine, "a"))
        queued = ask(engine, "b")
        await until(lambda: engine.status()[1].queue == 1)
        queued.cancel()
        loading.cancel()
        await asyncio.gather(queued, loading, return_exceptions=True)
        (tmp_path / "go").touch()
        await until(lambda: engine.state("a") is State.READY)
        assert pid_of(engine, "b") is None
        assert [row.queue for row in engine.status()] == [0, 0]


async def test_victims_are_stopped_even_if_the_newcomer_then_fails() -> None:
    async with Engine(setup(server("a"), server("b", "--crash-on-start", "1"))) as engine:
        (await ask(engine, "a")).release()
        with pytest.raises(StartFailed):
            await ask(engine, "b")
        assert engine.state("a") is State.STOPPED
        (await ask(engine, "a")).release()


async def test_an_unload_that_takes_its_time_delays_no_other_model() -> None:
    """llama-swap's event loop stands still until the stop is complete."""
    slow = server("a", "--ignore-sigterm", unload_timeout=2)
    async with Engine(setup(slow, server("b"), together=True)) as engine:
        (await ask(engine, "a")).release()
        unloading = asyncio.ensure_future(engine.unload("a"))
        await until(lambda: engine.state("a") is State.STOPPING)
        (await ask(engine, "b")).release()
        assert not unloading.done()
        await unloading


async def test_an_unload_lets_answers_end_unless_forced_and_tells_those_who_wait() -> None:
    async with Engine(setup(server("a"), server("b"))) as engine:
        answer = await ask(engine, "a")
        waiter = ask(engine, "b")
        await until(lambda: engine.status()[1].queue == 1)
        await engine.unload("b")
        with pytest.raises(ModelUnloaded):
            await waiter
        unloading = asyncio.ensure_future(engine.unload("a"))
        await asyncio.sleep(0.2)
        assert engine.state("a") is State.READY
        await engine.unload("a", force=True)
        await unloading
        assert engine.state("a") is State.STOPPED
        answer.release()


async def test_preload_goes_one_by_one_by_the_rules_of_swapping() -> None:
    models = server("a"), server("b", "--crash-on-start", "1"), server("c")
    async with Engine(setup(*models, preload=("a", "b", "c"))) as engine:
        outcome = await engine.preload()
        assert {name for name, error in outcome.items() if error} == {"b"}
        assert [str(row.state) for row in engine.status()] == ["stopped", "stopped", "ready"]


async def test_a_reload_replaces_a_changed_process_when_its_answer_has_ended() -> None:
    old = server("a")
    async with Engine(setup(old, server("b"), together=True)) as engine:
        answer, other = await ask(engine, "a"), await ask(engine, "b")
        first, kept = pid_of(engine, "a"), pid_of(engine, "b")
        new = server("a", env=("X=1",), cmd=old.cmd, proxy=old.proxy)
        models = new, engine.resolve("b")
        reload = asyncio.ensure_future(engine.reconfigure(setup(*models, together=True)))
        newcomer = ask(engine, "a")
        await asyncio.sleep(0.2)
        assert pid_of(engine, "a") == first
        answer.release()
        (await newcomer).release()
        assert pid_of(engine, "a") != first
        assert pid_of(engine, "b") == kept
        other.release()
        await reload


async def test_a_shutdown_turns_waiters_away_lets_answers_end_and_leaves_nothing() -> None:
    async with Engine(setup(server("a"), server("b"))) as engine:
        answer = await ask(engine, "a")
        pid = pid_of(engine, "a")
        assert pid
        waiter = ask(engine, "b")
        await until(lambda: engine.status()[1].queue == 1)
        closing = asyncio.ensure_future(engine.close())
        with pytest.raises(ShuttingDown):
            await waiter
        assert alive(pid)
        answer.release()
        await closing
        assert not alive(pid)
