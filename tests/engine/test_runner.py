"""One life of one process, from the launch to the exit, in the simulated world."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.engine.health import intervals
from llmstack.engine.logs import Log
from llmstack.engine.runner import FAILED_START_GRACE, STOP_COMMAND_MORE, Runner, environment
from llmstack.errors import RequestError, StartFailed
from tests.engine.simulation import (
    FakeGuard,
    FakeLauncher,
    FakeProbe,
    FakeProcess,
    SimulatedClock,
    model,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

pytestmark = pytest.mark.anyio


class Life:
    """A runner of model ``a`` and what it reported."""

    def __init__(
        self, vacated: Callable[[], Coroutine[Any, Any, Any]] | None = None, **settings: Any
    ) -> None:
        self.clock = SimulatedClock()
        self.launcher = FakeLauncher()
        self.probe = FakeProbe(self.launcher)
        self.guard = FakeGuard()
        self.log = Log()
        self.reports: list[str | RequestError] = []
        self.runner = Runner(
            model("a", **settings),
            self.log,
            clock=self.clock,
            launcher=self.launcher,
            probe=self.probe,
            guard=self.guard,
            environ={"HOME": "/home/x"},
            start_limit=30,
            on_ready=lambda: self.reports.append("ready"),
            on_exit=lambda error: self.reports.append(error or "exit"),
            vacated=vacated,
        )
        self.task = asyncio.ensure_future(self.runner.run())

    @property
    def process(self) -> FakeProcess:
        return self.launcher.of("a")[0]

    async def ready(self) -> None:
        await settle()
        self.process.healthy = True
        await self.clock.advance(1.5)
        assert self.reports == ["ready"]

    async def failure(self) -> StartFailed:
        await self.task
        assert isinstance(self.reports[-1], StartFailed)
        assert self.guard.watched == set()
        return self.reports[-1]

    async def end(self) -> None:
        await self.task
        assert self.reports[-1] == "exit"
        assert self.reports.count("exit") == 1
        assert self.guard.watched == set()
        assert self.clock.asleep == 0


async def test_ready_when_the_health_endpoint_says_so_and_gone_when_asked() -> None:
    life = Life(check_endpoint="/v1/ok")
    await life.clock.advance(5)
    assert life.reports == []
    assert life.guard.watched == {life.process.pid}
    await life.ready()
    assert set(life.probe.asked) == {"http://a:9/v1/ok"}
    life.runner.stop()
    await life.end()
    assert life.process.signals == ["TERM"]


@pytest.mark.top40(33, "none")
async def test_a_model_without_a_health_check_is_ready_at_once() -> None:
    life = Life(check_endpoint="none")
    await settle()
    assert life.reports == ["ready"]
    assert life.probe.asked == []
    life.runner.stop()
    await life.end()


async def test_a_stop_before_the_launch_launches_nothing() -> None:
    life = Life()
    life.runner.stop()
    await life.end()
    assert life.launcher.processes == []
    assert life.reports == ["exit"]


async def test_a_stop_during_the_start_ends_it_without_an_error() -> None:
    life = Life()
    await life.clock.advance(3)
    life.runner.stop()
    life.runner.stop()
    await life.end()
    assert life.reports == ["exit"]


async def test_a_process_that_becomes_healthy_while_it_is_being_stopped_is_not_ready() -> None:
    life = Life(unload_timeout=10)
    await settle()
    life.process.stubborn = True
    life.runner.stop()
    life.process.healthy = True
    await life.clock.advance(5)
    assert life.reports == []
    await life.clock.advance(5)
    await life.end()


@pytest.mark.top40(32, "SIGKILL to the group after the limit")
async def test_a_process_that_ignores_the_signal_is_killed_after_its_unload_timeout() -> None:
    life = Life(unload_timeout=7)
    await life.ready()
    life.process.stubborn = True
    life.runner.stop()
    await life.clock.advance(6.9)
    assert life.process.signals == ["TERM"]
    await life.clock.advance(0.1)
    await life.end()
    assert life.process.signals == ["TERM", "KILL"]


async def test_an_exit_while_ready_is_reported_without_an_error_and_logged() -> None:
    life = Life()
    await life.ready()
    life.process.exit(9)
    await life.end()
    assert life.process.signals == []
    assert b"exited with status 9" in life.log.history()


@pytest.mark.top40(33, "early exit seen at once")
async def test_an_exit_during_the_start_is_noticed_at_once() -> None:
    life = Life()
    await settle()
    life.process.exit(-11)
    assert "exited prematurely (signal 11)" in (await life.failure()).what


async def test_a_start_that_takes_too_long_fails_after_the_limit() -> None:
    life = Life()
    await life.clock.advance(29.9)
    assert life.reports == []
    await life.clock.advance(0.1)
    assert "timed out after 30s" in (await life.failure()).what


async def test_a_health_endpoint_that_hangs_does_not_stretch_the_limit() -> None:
    life = Life()
    life.probe.hangs.add("a")
    await life.clock.advance(30)
    assert "timed out after 30s" in (await life.failure()).what


async def test_a_failed_start_that_ignores_the_signal_is_killed() -> None:
    life = Life(unload_timeout=100)
    await settle()
    life.process.stubborn = True
    await life.clock.advance(30 + FAILED_START_GRACE)
    await life.failure()
    assert life.process.signals == ["TERM", "KILL"]


async def test_a_hanging_health_endpoint_does_not_hide_the_exit_of_the_process() -> None:
    life = Life()
    life.probe.hangs.add("a")
    await life.clock.advance(3)
    life.process.exit(2)
    assert "status 2" in (await life.failure()).what


async def test_a_stale_server_on_the_port_is_said_to_be_there() -> None:
    life = Life()
    life.probe.foreign.add("a")
    failure = await life.failure()
    assert "something else already listens on http://a:9" in failure.what
    assert failure.fix
    assert life.launcher.processes == []


async def test_a_server_that_the_command_does_not_start_may_listen_already() -> None:
    life = Life(cmd="a watch-container --name x19")
    life.probe.foreign.add("a")
    await life.ready()
    life.runner.stop()
    await life.end()


@pytest.mark.parametrize("cmd", ["", "a 'open", "# only a comment"])
async def test_a_command_that_cannot_be_split_is_a_failed_start(cmd: str) -> None:
    assert "unable to get sanitized command" in (await Life(cmd=cmd).failure()).what


async def test_a_program_that_cannot_be_started_is_named() -> None:
    life = Life()
    life.launcher.refuse["a"] = FileNotFoundError(2, "No such file or directory")
    assert "failed to start command 'a --port 9'" in (await life.failure()).what


@pytest.mark.parametrize(
    "break_it",
    [
        lambda life: life.launcher.refuse.update(a=ValueError("embedded null byte")),
        lambda life: setattr(life.guard, "watch", None),
        lambda life: setattr(life.probe, "ready", None),
        lambda life: setattr(life.probe, "taken", None),
    ],
)
async def test_whatever_goes_wrong_the_owner_hears_of_the_end_when_nothing_runs_any_more(
    break_it: Callable[[Life], None],
) -> None:
    life = Life()
    break_it(life)
    await life.task
    assert isinstance(life.reports[-1], StartFailed)
    assert life.launcher.living() == []


async def test_cancelling_kills_the_process() -> None:
    life = Life()
    await life.ready()
    life.task.cancel()
    await asyncio.gather(life.task, return_exceptions=True)
    assert life.process.signals == ["KILL"]
    assert life.reports == ["ready", "exit"]


# cmdStop.


@pytest.mark.top40(32, "cmdStop with ${PID}")
async def test_cmd_stop_replaces_the_signal_and_knows_the_pid() -> None:
    life = Life(cmd_stop="stopper --pid ${PID}", env=("MODE=kind",))
    life.launcher.on_start = lambda p: p.argv[0] == "stopper" and p.exit(0)
    await life.ready()
    life.process.lingers = True
    life.runner.stop()
    await settle()
    (stopper,) = life.launcher.of("stopper")
    assert stopper.argv == ("stopper", "--pid", str(life.process.pid))
    assert stopper.environ["MODE"] == "kind"
    assert life.process.signals == []
    life.process.exit(0)
    await life.end()


async def test_a_cmd_stop_that_does_not_help_is_followed_by_a_kill() -> None:
    life = Life(cmd_stop="stopper", unload_timeout=10)
    life.launcher.on_start = lambda p: p.argv[0] == "stopper" and p.exit(4)
    await life.ready()
    life.runner.stop()
    await life.clock.advance(9.9)
    assert life.process.signals == []
    await life.clock.advance(0.1)
    await life.end()
    assert life.process.signals == ["KILL"]
    assert b"cmdStop of a ended with 4" in life.log.history()


@pytest.mark.parametrize("cmd_stop", ["stopper 'open", "stopper"])
async def test_a_cmd_stop_that_cannot_run_is_replaced_by_the_signal(cmd_stop: str) -> None:
    life = Life(cmd_stop=cmd_stop)
    life.launcher.refuse["stopper"] = FileNotFoundError(2, "No such file")
    await life.ready()
    life.runner.stop()
    await life.end()
    assert life.process.signals == ["TERM"]


async def test_the_end_waits_for_a_cmd_stop_that_still_cleans_up() -> None:
    """``docker stop`` and then ``docker rm``: the next start must not get in its way."""
    life = Life(cmd_stop="stopper", unload_timeout=10)
    await life.ready()
    life.runner.stop()
    await settle()
    life.process.exit(0)
    await life.clock.advance(3)
    assert not life.task.done()
    life.launcher.of("stopper")[0].exit(0)
    await life.end()


async def test_a_cmd_stop_that_never_ends_is_killed_soon_after_the_unload_timeout() -> None:
    life = Life(cmd_stop="stopper", unload_timeout=10)
    await life.ready()
    life.runner.stop()
    await settle()
    life.process.exit(0)
    await life.clock.advance(10)
    assert not life.task.done()
    await life.clock.advance(STOP_COMMAND_MORE)
    await life.end()
    assert life.launcher.of("stopper")[0].signals == ["KILL"]
    assert b"did not end and was killed" in life.log.history()


async def test_without_time_for_a_polite_end_nothing_is_waited_for() -> None:
    life = Life(cmd_stop="stopper", unload_timeout=1000)
    await life.ready()
    life.process.stubborn = True
    life.runner.stop()
    await settle()
    life.runner.rush()
    await life.end()
    assert life.process.signals == ["KILL"]
    assert life.launcher.of("stopper")[0].signals == ["KILL"]


async def test_a_start_waits_until_its_address_is_free_of_one_that_leaves() -> None:
    free = asyncio.Event()
    life = Life(vacated=free.wait)
    await settle()
    assert life.launcher.processes == []
    free.set()
    await life.ready()
    life.runner.stop()
    await life.end()


async def test_a_stop_ends_the_wait_for_the_address() -> None:
    life = Life(vacated=lambda: asyncio.Event().wait())
    await settle()
    life.runner.stop()
    await life.end()
    assert life.launcher.processes == []


# Environment and intervals.


async def test_the_models_environment_is_laid_over_the_inherited_one() -> None:
    life = Life(env=("HOME=/tmp", "CUDA=0,1", "EMPTY="))
    await life.ready()
    assert life.process.environ == {"HOME": "/tmp", "CUDA": "0,1", "EMPTY": ""}
    life.runner.stop()
    await life.end()


def test_the_inherited_environment_is_ours_plus_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTACK_TEST", "1")
    monkeypatch.setenv("PYTHONSTARTUP", "x.py")
    inherited = environment({"EXTRA": "2"})
    assert inherited["LLMSTACK_TEST"] == "1"
    assert inherited["EXTRA"] == "2"
    assert "PYTHONSTARTUP" not in inherited


@pytest.mark.top40(33, "probed at least every second")
def test_a_load_of_up_to_a_minute_is_noticed_within_100_ms_and_a_longer_one_within_a_second() -> (
    None
):
    passed, pauses = 0.0, []
    for pause in intervals():
        pauses.append(pause)
        assert pause < 0.1 or passed >= 60
        passed += pause
        if passed > 120:
            break
    assert pauses[0] == 0.02
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1.0
