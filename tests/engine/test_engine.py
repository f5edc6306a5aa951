"""The engine in a simulated world: leases, swaps, idle time-outs, unload, closing, events."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.swap import Group
from llmstack.engine.events import Events, ModelChanged
from llmstack.engine.logs import HISTORY
from llmstack.engine.plan import State
from llmstack.errors import (
    ConcurrencyLimit,
    ModelNotFound,
    ModelUnloaded,
    ShuttingDown,
    StartFailed,
)
from tests.engine.simulation import FakeProcess, config, model, settle, stage

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


# Leases.


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


# Swaps.


async def test_a_swap_lets_the_running_answer_end_then_stops_then_starts() -> None:
    async with stage(config(model("a"), model("b"))) as scene:
        holder = await scene.load("a")
        old = scene.launcher.of("a")[0]
        old.lingers = True
        asked = scene.ask("b")
        await scene.clock.advance(60)
        assert old.signals == []
        holder.release()
        await scene.clock.advance(5)
        assert old.signals == ["TERM"]
        assert scene.launcher.of("b") == []
        old.exit(0)
        await scene.ready("b")
        (await asked).release()
        assert scene.launcher.living() == ["b"]


async def test_a_loaded_model_serves_those_it_was_loaded_for_before_it_is_evicted() -> None:
    setup = config(model("a"), model("b"), priorities={"b": 1})
    async with stage(setup) as scene:
        first = scene.ask("a")
        await settle()
        second = scene.ask("b")
        await scene.ready("a")
        (await first).release()
        await scene.ready("b")
        (await second).release()


async def test_a_crash_with_clients_waiting_starts_the_model_anew() -> None:
    setup = config(
        model("a"), model("guest"), groups=(Group("loose", ("guest",), exclusive=False),)
    )
    async with stage(setup) as scene:
        (await scene.load("a")).release()
        guest = await scene.load("guest")
        waiting = scene.ask("a")
        await settle()
        scene.launcher.of("a")[0].exit(1)
        guest.release()
        await settle()
        scene.launcher.of("guest")[0].exit(0)
        await scene.ready("a")
        (await waiting).release()
        assert len(scene.launcher.of("a")) == 2


@pytest.mark.top40(38, "a crash stops, the next request restarts")
async def test_a_crash_while_ready_is_told_and_the_next_request_restarts() -> None:
    async with stage(config(model("a"))) as scene:
        lease = await scene.load("a")
        scene.launcher.of("a")[0].exit(1)
        await settle()
        assert scene.engine.state("a") is State.STOPPED
        assert scene.engine.try_lease(lease.model) is None
        lease.release()
        again = await scene.load("a")
        again.release()
        assert [what for _, _, what in scene.said()] == [
            "starting",
            "ready",
            "crashed",
            "starting",
            "ready",
        ]


async def test_the_event_of_a_crash_says_stopped_even_if_the_model_starts_anew_at_once() -> None:
    async with stage(config(model("a"))) as scene:
        (await scene.load("a")).release()
        unload = scene.go(scene.engine.unload("a"))
        waiting = scene.ask("a")
        await unload
        await scene.ready("a")
        (await waiting).release()
        assert scene.said() == [
            ("a", "starting", "starting"),
            ("a", "ready", "ready"),
            ("a", "stopping", "unload"),
            ("a", "stopped", "unload"),
            ("a", "starting", "starting"),
            ("a", "ready", "ready"),
        ]


# Starts that fail.


async def test_a_failed_start_tells_the_last_lines_of_this_start() -> None:
    async with stage(config(model("a"))) as scene:
        first = await scene.load("a")
        scene.launcher.of("a")[0].say(b"an older story\n")
        first.release()
        await scene.engine.unload("a")

        asked = scene.ask("a")
        await settle()
        process = scene.launcher.of("a")[1]
        process.say(b"".join(b"line %d\n" % n for n in range(20)))
        process.exit(3)
        with pytest.raises(StartFailed, match=r"status 3") as failure:
            await asked
        said = str(failure.value)
        assert "line 19" in said
        assert "line 12" in said
        assert "line 11" not in said
        assert "an older story" not in said
        assert scene.events[-1].what == "failed"
        assert scene.events[-1].error is failure.value


async def test_a_start_that_said_nothing_does_not_quote_an_earlier_life() -> None:
    async with stage(config(model("a"))) as scene:
        (await scene.load("a")).release()
        scene.launcher.of("a")[0].say(b"an older story\n")
        scene.launcher.of("a")[0].exit(1)
        await settle()
        asked = scene.ask("a")
        await settle()
        scene.launcher.of("a")[1].exit(1)
        with pytest.raises(StartFailed, match="It printed nothing"):
            await asked


async def test_a_model_that_does_not_become_healthy_in_time_is_stopped() -> None:
    async with stage(config(model("a"), health_check_timeout=30)) as scene:
        asked = scene.ask("a")
        await scene.clock.advance(29)
        assert not asked.done()
        await scene.clock.advance(1.1)
        with pytest.raises(StartFailed, match="timed out after 30s"):
            await asked
        assert scene.launcher.of("a")[0].signals == ["TERM"]
        assert scene.launcher.living() == []


async def test_an_environment_entry_that_sets_nothing_is_passed_over() -> None:
    """The loader only warns about such entries; they must not cost anybody the model."""
    async with stage(config(model("a", env=("NOTHING", "=x", "A=1=2")))) as scene:
        (await scene.load("a")).release()
        environ = scene.launcher.of("a")[0].environ
        assert environ["A"] == "1=2"
        assert "" not in environ
        assert "NOTHING" not in environ


# Idle time-outs.


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


# Unload.


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


# Preload.


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


# Closing.


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


# Events, status, logs.


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
        assert (tmp_path / "model-org_a_1.log").read_bytes() == b"hello\n"


async def test_an_engine_without_a_writable_log_directory_still_runs(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    async with stage(config(model("a")), log_dir=blocker / "logs") as scene:
        (await scene.load("a")).release()


# Everything at once.


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
