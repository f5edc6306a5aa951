"""Real processes: groups, signals, output, identity, and the engine on top of them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from llmstack.config.swap import SwapConfig, SwapModel
from llmstack.engine import Engine, Identity, State
from llmstack.engine import process as process_module
from llmstack.engine.process import LocalProcess, group_members, launch
from llmstack.errors import StartFailed
from tests.engine.fake_model_server import command
from tests.engine.simulation import PATIENCE, alive, free_port, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

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
    # What a loop opens once and keeps, it opens now: uvloop does for processes and connections.
    await (await launch(["true"], PATH, Output())).wait()
    with suppress(OSError):
        await asyncio.open_connection("127.0.0.1", free_port())
    await asyncio.sleep(0.01)
    before = descriptors()
    yield
    left = [child for child in psutil.Process().children() if alive(child.pid)]
    for child in left:
        child.kill()
    assert left == []
    await until(lambda: descriptors() <= before, "giving back all descriptors")


def descriptors() -> int:
    return psutil.Process().num_fds()


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
    for turns in range(4):
        launching = asyncio.ensure_future(shell("exec sleep 600", output))
        for _ in range(turns):
            await asyncio.sleep(0)
        launching.cancel()
        (process,) = await asyncio.gather(launching, return_exceptions=True)
        if isinstance(process, LocalProcess):  # it was faster
            process.kill()
            await process.wait()
    await until(lambda: not psutil.Process().children(), "the end of all children")


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


# The engine with real model servers.


def one_model(*flags: str, port: int | None = None, **settings: object) -> SwapConfig:
    port = port or free_port()
    model = SwapModel(
        id="a",
        **{  # type: ignore[arg-type]
            "cmd": command(*flags, port=port),
            "proxy": f"http://127.0.0.1:{port}",
            **settings,
        },
    )
    return SwapConfig(source="t", models={"a": model})


async def test_a_server_is_loaded_used_and_stopped(tmp_path: Path) -> None:
    async with Engine(one_model("--print", "hello"), log_dir=tmp_path) as engine:
        with await engine.lease(engine.resolve("a")):
            (status,) = engine.status()
            assert status.pid
            assert alive(status.pid)
        await engine.unload()
        assert not alive(status.pid)
        assert engine.log("a").history().startswith(b"hello\n")
    assert (tmp_path / "model-a.log").read_bytes().startswith(b"hello\n")


async def test_a_server_that_ignores_the_signal_is_killed_with_its_child() -> None:
    setup = one_model("--ignore-sigterm", "--fork-child", unload_timeout=0)
    async with Engine(setup) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        pid = engine.status()[0].pid
        child = int(engine.log("a").last_lines(3)[0].split()[1])
        assert pid
        assert alive(child)
        await engine.unload()
        assert not alive(pid)
        assert not alive(child)


async def test_a_server_that_crashes_at_the_start_is_quoted() -> None:
    setup = one_model("--print", "out of memory", "--crash-on-start", "3")
    async with Engine(setup) as engine:
        with pytest.raises(StartFailed, match=r"status 3[^$]*out of memory"):
            await engine.lease(engine.resolve("a"))


async def test_a_server_that_crashes_after_it_was_ready_is_restarted_by_the_next_request() -> None:
    async with Engine(one_model("--crash-after-ready")) as engine:
        for _ in range(2):
            (await engine.lease(engine.resolve("a"))).release()
            await until(lambda: engine.state("a") is State.STOPPED)


async def test_a_server_whose_health_hangs_is_given_up() -> None:
    setup = one_model("--hang-health")
    setup = SwapConfig(source="t", models=setup.models, health_check_timeout=1)
    async with Engine(setup) as engine:
        with pytest.raises(StartFailed, match="timed out after 1s"):
            await engine.lease(engine.resolve("a"))


async def test_a_stale_server_on_the_port_is_said_to_be_there() -> None:
    with socket.socket() as stale:
        stale.bind(("127.0.0.1", 0))
        stale.listen()
        port = stale.getsockname()[1]
        async with Engine(one_model(port=port)) as engine:
            with pytest.raises(StartFailed, match=f"already listens on http://127.0.0.1:{port}"):
                await engine.lease(engine.resolve("a"))


async def test_a_cmd_stop_of_ones_own_stops_a_real_server() -> None:
    setup = one_model("--ignore-sigterm", cmd_stop="sh -c 'kill -9 ${PID}; echo stopped by hand'")
    async with Engine(setup) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        await engine.unload()
        assert b"stopped by hand" in engine.log("a").history()
