"""What an engine tells and keeps: events, status, logs; and everything at once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.engine.events import Events, ModelChanged
from llmstack.engine.logs import HISTORY
from llmstack.engine.plan import State
from llmstack.errors import (
    StartFailed,
)
from tests.engine.simulation import FakeProcess, config, model, settle, stage

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_preload_loads_one_after_another_and_tells_what_became_of_each() -> None:
    setup = config(model("a"), model("b"), model("c"), together=True, preload=("a", "b"))
    async with stage(setup) as scene:
        work = scene.go(scene.engine.preload())
        await settle()
        assert [process.argv[0] for process in scene.launcher.processes] == ["a"]
        scene.launcher.of("a")[0].exit(1)
        await scene.ready("b")
        outcome = await work
        assert isinstance(outcome["a"], StartFailed)
        assert outcome["b"] is None
        assert scene.launcher.living() == ["b"]


async def test_the_events_of_a_swap_come_in_order_with_their_states() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        (await scene.load("a")).release()
        (await scene.load("b")).release()
        assert scene.said() == [
            ("a", "starting", "starting"),
            ("a", "ready", "ready"),
            ("a", "stopping", "evicted for b"),
            ("a", "stopped", "evicted for b"),
            ("b", "starting", "starting"),
            ("b", "ready", "ready"),
        ]


async def test_ready_is_told_before_the_eviction_of_the_same_instant() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        client = scene.ask("a")
        await settle()
        scene.ask("b")
        await settle()
        client.cancel()
        await settle()
        scene.launcher.of("a")[0].healthy = True
        await scene.clock.advance(1.5)
        assert scene.said()[1:3] == [("a", "ready", "ready"), ("a", "stopping", "evicted for b")]


async def test_a_listener_that_raises_costs_nobody_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with stage(config(model("a"))) as scene:

        def broken(_: ModelChanged) -> None:
            raise ZeroDivisionError

        scene.engine.events.subscribe(broken)
        with caplog.at_level(logging.CRITICAL, logger="llmstack.engine.events"):
            (await scene.load("a")).release()
            await scene.engine.unload("a")
        assert [what for _, _, what in scene.said()] == ["starting", "ready", "unload", "unload"]


def test_a_listener_may_end_its_subscription_while_it_is_told() -> None:
    events, heard = Events(), []

    def once(event: ModelChanged) -> None:
        heard.append(event)
        end()

    end = events.subscribe(once)
    for _ in range(2):
        events.publish(ModelChanged("a", State.READY, "ready", after=0.0))
    assert len(heard) == 1


async def test_status_tells_state_pid_and_since_when() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        with await scene.load("a"):
            process = scene.launcher.of("a")[0]
            a, b = scene.engine.status()
            assert (a.id, a.state, a.in_flight, a.pid) == ("a", State.READY, 1, process.pid)
            assert (b.id, b.state, b.in_flight, b.pid) == ("b", State.STOPPED, 0, None)
            assert 1000 < a.since <= scene.engine.now()
            assert b.since == 1000


async def test_the_guard_knows_exactly_the_living_processes() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        for name in ("a", "b", "a"):
            (await scene.load(name)).release()
            assert scene.guard.watched == {scene.launcher.of(name)[-1].pid}


async def test_output_goes_to_the_models_log_its_file_and_the_common_log(tmp_path: Path) -> None:
    async with stage(config(model("org/a:1", cmd="a", proxy="http://a")), log_dir=tmp_path) as s:
        asked = s.ask("org/a:1")
        await settle()
        s.launcher.of("a")[0].say(b"hello\n")
        s.launcher.of("a")[0].healthy = True
        await s.clock.advance(1.5)
        (await asked).release()
        assert s.engine.log("org/a:1").history() == b"hello\n"
        assert s.engine.output.history() == b"hello\n"
        assert (tmp_path / "model-org%2Fa%3A1.log").read_bytes() == b"hello\n"


async def test_an_engine_without_a_writable_log_directory_still_runs(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    async with stage(config(model("a")), log_dir=blocker / "logs") as scene:
        (await scene.load("a")).release()


async def test_a_crowd_of_impatient_clients_loses_nobody_and_leaves_nothing_behind() -> None:
    """Sixty clients of three models; every third gives up; processes crash now and then."""
    models = [model(name, ttl=5, concurrency_limit=100) for name in ("a", "b", "c")]
    async with stage(config(*models)) as scene:
        scene.launcher.healthy_at_birth = True
        served: list[str] = []

        async def client(number: int) -> None:
            name = "abc"[number * 7 % 3]
            lease = await scene.engine.lease(scene.engine.resolve(name))
            with lease:
                served.append(name)
                await scene.clock.sleep(0.3)

        clients: list[asyncio.Task[Any]] = []
        for number in range(60):
            clients.append(scene.go(client(number)))
            await scene.clock.advance(0.05)
            if number % 3 == 2:
                clients[number - number % 5].cancel()
            if number % 10 == 9:
                living = [process for process in scene.launcher.processes if process.alive]
                for process in living[:1]:
                    process.exit(1)
        for _ in range(400):
            if all(task.done() for task in clients):
                break
            await scene.clock.advance(0.5)
        outcomes = await asyncio.gather(*clients, return_exceptions=True)
        assert all(
            outcome is None or isinstance(outcome, (asyncio.CancelledError, StartFailed))
            for outcome in outcomes
        )
        assert len(served) > 30
        assert all(status.in_flight == 0 for status in scene.engine.status())
        assert scene.engine._granted == {}
        await scene.clock.advance(10)
        assert scene.launcher.living() == []


async def test_long_lives_do_not_pile_up_history() -> None:
    async with stage(config(model("a"))) as scene:
        (await scene.load("a")).release()
        process: FakeProcess = scene.launcher.of("a")[0]
        for _ in range(100):
            process.say(b"x" * 10_000)
        assert len(scene.engine.log("a").history()) == HISTORY
