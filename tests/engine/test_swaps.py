"""Swaps, crashes and starts that fail, as the engine carries them out in a simulated world."""

from __future__ import annotations

import pytest

from llmstack.config.swap import Group
from llmstack.engine.plan import State
from llmstack.errors import (
    StartFailed,
)
from tests.engine.simulation import config, model, settle, stage

pytestmark = pytest.mark.anyio


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
