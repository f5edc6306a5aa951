"""Real processes: groups, signals, output, identity."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from llmstack.engine import Identity
from llmstack.engine import process as process_module
from llmstack.engine.process import LocalProcess, group_members, launch
from tests.engine.servers import nothing_left
from tests.engine.simulation import PATIENCE, alive, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX"),
]

PATH = {"PATH": os.environ["PATH"]}


class Output(list[bytes]):
    """What a process printed; call it to add."""

    def __call__(self, data: bytes) -> None:
        self.append(data)

    def text(self) -> str:
        return b"".join(self).decode()

    async def pids(self, count: int = 1) -> list[int]:
        """The first ``count`` lines, once they are there, as process ids."""
        await until(lambda: self.text().count("\n") >= count, "the output of pids")
        return [int(line) for line in self.text().splitlines()[:count]]


@pytest.fixture
def output() -> Output:
    return Output()


@pytest.fixture(autouse=True)
async def no_leaks() -> AsyncIterator[None]:
    """Every test gives back the descriptors and the children that it took."""
    async with nothing_left():
        yield


async def shell(script: str, output: Callable[[bytes], None]) -> LocalProcess:
    return await launch(["sh", "-c", script], PATH, output)


# One process.


async def test_wait_gives_the_exit_status(output: Output) -> None:
    assert await (await shell("exit 7", output)).wait() == 7


async def test_wait_gives_the_signal_as_a_negative_number(output: Output) -> None:
    assert await (await shell("kill -9 $$", output)).wait() == -9


async def test_all_output_has_arrived_when_wait_returns(output: Output) -> None:
    process = await shell("seq 1 30000; echo end >&2", output)
    assert await process.wait() == 0
    assert output.text() == "".join(f"{n}\n" for n in range(1, 30001)) + "end\n"


async def test_a_process_has_no_input_and_exactly_the_given_environment(output: Output) -> None:
    process = await launch(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            "import os; print(input, os.environ['A'], len(os.environ))",
        ],
        {"A": "x y", "LC_ALL": "C"},
        output,
    )
    await process.wait()
    assert output.text().split("> ")[-1].startswith("x y 2")
    process = await shell("read line || echo none", output)
    await process.wait()
    assert output.text().endswith("none\n")


async def test_a_program_that_does_not_exist_is_an_oserror(output: Output) -> None:
    with pytest.raises(FileNotFoundError):
        await launch(["/no/such/program"], PATH, output)


async def test_a_launch_that_is_cancelled_leaves_no_process(output: Output) -> None:
    others = set(psutil.Process().children())
    for turns in range(4):
        launching = asyncio.ensure_future(shell("exec sleep 600", output))
        for _ in range(turns):
            await asyncio.sleep(0)
        launching.cancel()
        (process,) = await asyncio.gather(launching, return_exceptions=True)
        if isinstance(process, LocalProcess):  # it was faster
            process.kill()
            await process.wait()
    await until(lambda: set(psutil.Process().children()) <= others, "the end of all children")


async def test_signals_to_a_process_that_is_gone_do_nothing(output: Output) -> None:
    process = await shell("exit 0", output)
    await process.wait()
    process.terminate()
    process.kill()


# Groups.


@pytest.mark.top40(32, "a process group of its own")
async def test_a_process_leads_a_group_of_its_own(output: Output) -> None:
    process = await shell("sleep 600 & echo $!; wait", output)
    (grandchild,) = await output.pids()
    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
    assert os.getpgid(grandchild) == process.pid
    process.kill()
    await process.wait()


@pytest.mark.top40(32, "SIGTERM to the group")
async def test_a_signal_reaches_grandchildren(output: Output) -> None:
    process = await shell("sleep 600 & echo $!; wait", output)
    (grandchild,) = await output.pids()
    process.terminate()
    assert await process.wait() == -15
    assert not alive(grandchild)


@pytest.mark.top40(32, "SIGKILL to the group after the limit")
async def test_kill_ends_a_whole_group_that_ignores_the_polite_signal(output: Output) -> None:
    process = await shell("trap '' TERM; sleep 600 & echo $!; wait", output)
    (grandchild,) = await output.pids()
    process.terminate()
    assert alive(grandchild)
    process.kill()
    assert await process.wait() == -9
    assert not alive(grandchild)


async def test_what_a_wrapper_leaves_behind_is_ended(output: Output) -> None:
    process = await shell("sleep 600 & echo $!; exit 3", output)
    assert await process.wait() == 3
    (left,) = await output.pids()
    assert not alive(left)


async def test_what_a_wrapper_leaves_behind_is_ended_though_it_was_too_quick_to_be_identified(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop may have reaped the wrapper before we could ask when it started."""
    with monkeypatch.context() as patch:
        patch.setattr(Identity, "of", lambda pid: None)
        process = await shell("sleep 600 & echo $!; exit 3", output)
    assert await process.wait() == 3
    (left,) = await output.pids()
    assert not alive(left)


async def test_what_a_wrapper_leaves_behind_is_ended_though_nobody_can_look_at_first(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking takes a descriptor, and there may be none."""
    process = await shell("sleep 600 & echo $!; read x; exit 3", output)
    (left,) = await output.pids()
    look, looks = psutil.pids, iter(range(3))

    def pids() -> list[int]:
        if next(looks, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return look()

    monkeypatch.setattr(psutil, "pids", pids)
    assert await process.wait() == 3
    assert not alive(left)


async def test_what_a_wrapper_leaves_behind_may_end_politely(output: Output) -> None:
    child = "trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.02; done"
    process = await shell(f'sh -c "{child}" & read x; exec sleep 600', output)
    await until(lambda: "up" in output.text())
    process.terminate()
    await process.wait()
    assert output.text().endswith("bye\n")


async def test_what_a_wrapper_leaves_behind_is_killed_if_it_ignores_the_signal(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "LEFTOVER_GRACE", 0.1)
    process = await shell("trap '' TERM; sleep 600 & echo $!; exit 0", output)
    await process.wait()
    (left,) = await output.pids()
    assert not alive(left)


@pytest.mark.skipif(sys.platform != "linux", reason="setsid is a Linux command")
async def test_a_daemon_that_keeps_the_output_open_does_not_delay_the_end(output: Output) -> None:
    process = await shell("setsid sh -c 'echo $$; exec sleep 600' & sleep 0.3; exit 0", output)
    try:
        await asyncio.wait_for(process.wait(), PATIENCE)
    finally:
        (daemon,) = await output.pids()
        os.kill(daemon, signal.SIGKILL)
        await until(lambda: not alive(daemon))


async def test_group_members_are_those_of_this_very_group(output: Output) -> None:
    process = await shell("sleep 600 & echo $!; wait", output)
    (grandchild,) = await output.pids()
    started = process.identity.started
    assert sorted(group_members(process.pid, since=started)) == sorted([process.pid, grandchild])
    assert group_members(process.pid, since=started + 10) == []
    assert group_members(process.pid, since=started - 10) == [], "a later group with the same id"
    process.kill()
    await process.wait()
    assert group_members(process.pid, since=started) == []
