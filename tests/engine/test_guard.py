"""No model process outlives the engine, however the engine ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from llmstack.engine import Identity, guard_process
from llmstack.engine import guard as guard_module
from llmstack.engine.guard import ProcessGuard
from tests.engine.fake_model_server import command
from tests.engine.simulation import alive, free_port, until, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no guard yet"),
]


class Sleepers:
    """Real processes in groups of their own."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, script: str = "exec sleep 600") -> Identity:
        child = subprocess.Popen(
            ["sh", "-c", f"echo; {script}"], start_new_session=True, stdout=subprocess.PIPE
        )
        self._children.append(child)
        assert child.stdout
        child.stdout.readline()  # it runs, and its traps are to come at once
        identity = Identity.of(child.pid)
        assert identity
        return identity

    def end_one(self) -> None:
        self._children[-1].kill()
        self._children[-1].wait()

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()
            assert child.stdout
            child.stdout.close()


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    some = Sleepers()
    yield some
    some.end()


@pytest.fixture
async def guard() -> AsyncIterator[ProcessGuard]:
    one = ProcessGuard()
    yield one
    one.close()


async def test_what_is_watched_when_the_guard_closes_is_ended(
    guard: ProcessGuard, sleepers: Sleepers
) -> None:
    watched, forgotten = sleepers.start(), sleepers.start()
    guard.watch(watched.pid)
    guard.watch(forgotten.pid)
    guard.forget(forgotten.pid)
    guard.close()
    assert not watched.alive()
    assert forgotten.alive()


async def test_a_guard_that_was_killed_is_replaced_and_told_everything_again(
    guard: ProcessGuard, sleepers: Sleepers
) -> None:
    first, second, third = sleepers.start(), sleepers.start(), sleepers.start()
    guard.watch(first.pid)
    guard.watch(second.pid)
    killed = guard._child
    assert killed
    killed.kill()
    killed.wait()
    guard.forget(second.pid)  # nobody listens; that must not matter
    guard.watch(third.pid)
    assert guard._child is not killed
    guard.close()
    assert not first.alive()
    assert second.alive()
    assert not third.alive()


async def test_a_guard_that_dies_is_replaced_at_once(
    guard: ProcessGuard, sleepers: Sleepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "SOUND", 0.0)
    one = sleepers.start()
    guard.watch(one.pid)
    killed = guard._child
    assert killed
    killed.kill()
    await until(lambda: guard._child is not killed, "the new guard")
    guard.close()
    assert not one.alive()


async def test_a_guard_that_dies_as_soon_as_it_lives_is_not_replaced_over_and_over(
    guard: ProcessGuard, sleepers: Sleepers
) -> None:
    one, two = sleepers.start(), sleepers.start()
    guard.watch(one.pid)
    first = guard._child
    assert first
    first.kill()
    await until(lambda: guard._sign is None, "the news of the death")
    assert guard._child is first
    guard.watch(two.pid)
    assert guard._child is not first
    guard.close()
    assert not one.alive()
    assert not two.alive()


def test_a_guard_that_never_watched_starts_no_process_and_may_be_closed() -> None:
    guard = ProcessGuard()
    guard.forget(1)
    guard.close()
    assert guard._child is None


async def test_a_process_that_is_gone_already_is_not_watched(
    guard: ProcessGuard, sleepers: Sleepers
) -> None:
    one = sleepers.start()
    sleepers.end_one()
    guard.watch(one.pid)
    assert guard._watched == {}


async def test_closing_twice_and_using_a_closed_guard_raise_nothing(
    guard: ProcessGuard, sleepers: Sleepers
) -> None:
    one = sleepers.start()
    guard.watch(one.pid)
    guard.forget(one.pid)
    guard.close()
    guard.close()
    guard.forget(one.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_signals_for_the_engine_do_not_end_its_guard(
    guard: ProcessGuard, sleepers: Sleepers
) -> None:
    one = sleepers.start()
    guard.watch(one.pid)
    assert guard._child
    pid = guard._child.pid
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # nohup has one ignored already

    def deaf() -> bool:
        with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
            fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        ignored = int(fields["SigIgn"], 16)
        return all(ignored >> (number - 1) & 1 for number in numbers)

    wait_until(deaf)
    for number in numbers:
        os.kill(pid, number)
    guard.close()
    assert guard._child.returncode == 0
    assert not one.alive()


# The guard's own logic.


def test_the_guard_remembers_what_was_added_and_not_taken_back() -> None:
    lines = ["+ 10 1.5\n", "+ 11 2.5\n", "- 10\n", "- 99\n", "\n", "+ 12 3.25\n"]
    assert guard_process.watched(lines) == [Identity(11, 2.5), Identity(12, 3.25)]


def test_a_later_process_with_the_same_pid_is_left_alone(sleepers: Sleepers) -> None:
    one = sleepers.start()
    guard_process.end([Identity(one.pid, one.started - 5), Identity(one.pid, one.started + 5)])
    assert one.alive()


def test_the_guard_ends_descendants_whose_leader_has_gone(sleepers: Sleepers) -> None:
    leader = sleepers.start("sleep 600 & exec sleep 600")
    os.kill(leader.pid, signal.SIGKILL)
    guard_process.end([leader])
    assert guard_process.members(leader) == []


def test_the_guard_kills_what_ignores_the_polite_signal(
    sleepers: Sleepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_process, "GRACE", 0.1)
    stubborn = sleepers.start("trap '' TERM; echo; exec sleep 600")
    sleepers._children[-1].stdout.readline()  # type: ignore[union-attr]
    guard_process.end([stubborn])
    sleepers._children[-1].wait()
    assert sleepers._children[-1].returncode == -signal.SIGKILL


# The whole promise.

ENGINE = """
import asyncio, json, os
from llmstack.config.swap import Group, SwapConfig, SwapModel
from llmstack.engine import Engine

async def main():
    commands = json.loads(os.environ["COMMANDS"])
    models = {
        name: SwapModel(id=name, cmd=command, proxy=f"http://127.0.0.1:{port}")
        for name, (port, command) in commands.items()
    }
    groups = (Group("all", tuple(models), swap=False),)
    engine = Engine(SwapConfig(source="t", models=models, groups=groups))
    leases = [await engine.lease(model) for model in models.values()]
    pids = [status.pid for status in engine.status()]
    pids += [int(engine.log(name).last_lines(9)[0].split()[1]) for name in models]
    print(json.dumps(pids), flush=True)
    await asyncio.Event().wait()
"""

RUN = {"asyncio": "asyncio.run(main())", "uvloop": "import uvloop; uvloop.run(main())"}


@pytest.mark.top40(32, "no orphan after a crash")
@pytest.mark.parametrize("loop", RUN)
def test_kill_9_of_the_engine_leaves_no_model_process(loop: str) -> None:
    """Two models, started one after the other, each with a child of its own."""
    ports = {"a": free_port(), "b": free_port()}
    commands = {name: (port, command("--fork-child", port=port)) for name, port in ports.items()}
    engine = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENGINE) + RUN[loop]],
        env={**os.environ, "COMMANDS": json.dumps(commands)},
        stdout=subprocess.PIPE,
    )
    with engine:
        assert engine.stdout
        pids = json.loads(engine.stdout.readline())
        assert len(pids) == 4
        assert all(alive(pid) for pid in pids)
        engine.kill()
    wait_until(lambda: not any(alive(pid) for pid in pids), "the end of all model processes")
