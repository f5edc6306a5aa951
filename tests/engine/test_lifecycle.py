"""The life of a model as real processes live it. ``lifecycle.md`` says which test covers what."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from llmstack.engine import Engine, State
from llmstack.errors import StartFailed
from llmstack.http1 import Pool
from tests.engine.servers import nothing_left, server, setup
from tests.engine.simulation import PATIENCE, alive, free_port, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from llmstack.engine import ModelChanged

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX"),
]


@pytest.fixture(autouse=True)
async def no_leaks() -> AsyncIterator[None]:
    """Every test gives back the descriptors and the children that it took."""
    async with nothing_left():
        yield


def states(engine: Engine) -> list[tuple[str, str]]:
    """Every change from now on, as (state, why)."""
    seen: list[tuple[str, str]] = []

    def note(event: ModelChanged) -> None:
        seen.append((str(event.state), event.what))

    engine.events.subscribe(note)
    return seen


def pid_of(engine: Engine, model: str = "a") -> int:
    (status,) = [row for row in engine.status() if row.id == model]
    assert status.pid
    return status.pid


async def control(engine: Engine, wish: dict[str, int], model: str = "a") -> None:
    """Tell the fake server something."""
    pool = Pool()
    try:
        base = engine.resolve(model).proxy
        answer = await pool.request("POST", base, b"/control", body=json.dumps(wish).encode())
        while await answer.read():
            pass
        answer.close()
    finally:
        pool.close()


# States.


async def test_a_model_goes_from_stopped_over_starting_and_ready_to_stopped_again() -> None:
    async with Engine(setup(server("a"))) as engine:
        seen = states(engine)
        assert engine.state("a") is State.STOPPED
        (await engine.lease(engine.resolve("a"))).release()
        await engine.unload()
        assert [state for state, _ in seen] == ["starting", "ready", "stopping", "stopped"]


async def test_a_failed_start_may_be_tried_again_at_once() -> None:
    async with Engine(setup(server("a", "--crash-on-start", "3"))) as engine:
        for _ in range(3):
            with pytest.raises(StartFailed, match="status 3"):
                await engine.lease(engine.resolve("a"))
            assert engine.state("a") is State.STOPPED


# Start.


async def test_a_server_is_loaded_used_and_stopped(tmp_path: Path) -> None:
    async with Engine(setup(server("a", "--print", "hello")), log_dir=tmp_path) as engine:
        with await engine.lease(engine.resolve("a")):
            pid = pid_of(engine)
            assert alive(pid)
            assert os.getpgid(pid) == pid
        await engine.unload()
        assert not alive(pid)
        assert engine.log("a").history().startswith(b"hello\n")
    assert (tmp_path / "model-a.log").read_bytes().startswith(b"hello\n")


async def test_without_a_health_check_a_process_is_ready_at_once() -> None:
    model = server("a", cmd="sleep 600", check_endpoint="none")
    async with Engine(setup(model)) as engine:
        with await engine.lease(engine.resolve("a")) as lease:
            assert lease.waited < PATIENCE


async def test_a_server_that_answers_503_is_not_ready_until_it_answers_200(tmp_path: Path) -> None:
    async with Engine(setup(server("a", "--ready-file", str(tmp_path / "go")))) as engine:
        asked = asyncio.ensure_future(engine.lease(engine.resolve("a")))
        await until(lambda: b"listening" in engine.log("a").history())
        await asyncio.sleep(0.2)  # several probes
        assert engine.state("a") is State.STARTING
        (tmp_path / "go").touch()
        (await asked).release()


async def test_a_server_that_crashes_at_the_start_is_quoted() -> None:
    model = server("a", "--print", "out of memory", "--crash-on-start", "3")
    async with Engine(setup(model)) as engine:
        with pytest.raises(StartFailed, match=r"status 3[^$]*out of memory"):
            await engine.lease(engine.resolve("a"))


async def test_a_server_whose_health_hangs_is_given_up_and_stopped() -> None:
    async with Engine(setup(server("a", "--hang-health"), health_check_timeout=1)) as engine:
        asked = asyncio.ensure_future(engine.lease(engine.resolve("a")))
        await until(lambda: engine.status()[0].pid)
        pid = pid_of(engine)
        with pytest.raises(StartFailed, match="timed out after 1s"):
            await asked
        assert not alive(pid)


@pytest.fixture
def foreigner() -> Iterator[int]:
    """The port of a program that is not ours and says 200 to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        yield other.server_address[1]
        other.shutdown()
        thread.join()


async def test_a_foreign_server_on_the_port_does_not_pass_for_the_model(foreigner: int) -> None:
    async with Engine(setup(server("a", port=foreigner))) as engine:
        with pytest.raises(StartFailed, match=f"already listens on http://127.0.0.1:{foreigner}"):
            await engine.lease(engine.resolve("a"))


async def test_health_is_not_asked_again_once_a_model_is_ready() -> None:
    async with Engine(setup(server("a"))) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        pid = pid_of(engine)
        await control(engine, {"health": 503})
        await asyncio.sleep(0.3)
        (await engine.lease(engine.resolve("a"))).release()
        assert pid_of(engine) == pid


async def test_a_server_that_crashes_after_it_was_ready_is_restarted_by_the_next_request() -> None:
    async with Engine(setup(server("a", "--crash-after-ready"))) as engine:
        for _ in range(2):
            (await engine.lease(engine.resolve("a"))).release()
            await until(lambda: engine.state("a") is State.STOPPED)


async def test_a_server_that_is_killed_is_restarted_by_the_next_request_only() -> None:
    async with Engine(setup(server("a"))) as engine:
        seen = states(engine)
        with await engine.lease(engine.resolve("a")):
            first = pid_of(engine)
            os.kill(first, signal.SIGKILL)
            await until(lambda: engine.state("a") is State.STOPPED)
            assert seen[-1] == ("stopped", "crashed")
        assert engine.status()[0].in_flight == 0
        with await engine.lease(engine.resolve("a")):
            assert pid_of(engine) != first


async def test_a_server_that_prints_without_end_and_line_break_harms_nobody() -> None:
    noisy = server("a", cmd="sh -c 'while :; do printf aaaaaaaaaaaaaaaa; done'")
    noisy = server("a", cmd=noisy.cmd, check_endpoint="none")
    async with Engine(setup(noisy, server("b"), together=True)) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        (await engine.lease(engine.resolve("b"))).release()
        await until(lambda: len(engine.log("a").history()) == 100 * 1024)


# Stop.


async def test_a_server_that_ignores_the_signal_is_killed_with_its_child() -> None:
    model = server("a", "--ignore-sigterm", "--fork-child", unload_timeout=0)
    async with Engine(setup(model)) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        pid = pid_of(engine)
        child = int(engine.log("a").last_lines(3)[0].split()[1])
        assert alive(child)
        await engine.unload()
        assert not alive(pid)
        assert not alive(child)


async def test_a_cmd_stop_of_ones_own_stops_a_real_server() -> None:
    stop = "sh -c 'kill -9 ${PID}; echo stopped by hand'"
    async with Engine(setup(server("a", "--ignore-sigterm", cmd_stop=stop))) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        await engine.unload()
        assert b"stopped by hand" in engine.log("a").history()


async def test_a_cmd_stop_that_fails_is_logged_and_the_server_is_killed_in_time() -> None:
    model = server("a", cmd_stop="sh -c 'echo cannot; exit 4'", unload_timeout=0)
    async with Engine(setup(model)) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        pid = pid_of(engine)
        await engine.unload()
        assert not alive(pid)
        await until(lambda: b"cmdStop of a" in engine.log("a").history())


async def test_a_stop_while_starting_ends_the_start() -> None:
    async with Engine(setup(server("a", "--slow-start", "600"))) as engine:
        loading = asyncio.ensure_future(engine.load("a"))
        await until(lambda: engine.status()[0].pid)
        pid = pid_of(engine)
        await engine.unload("a")
        with pytest.raises(Exception, match="unloaded"):
            await loading
        assert not alive(pid)


async def test_a_request_while_its_model_stops_gets_a_new_process() -> None:
    async with Engine(setup(server("a", "--ignore-sigterm", unload_timeout=1))) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        first = pid_of(engine)
        unloading = asyncio.ensure_future(engine.unload("a"))
        await until(lambda: engine.state("a") is State.STOPPING)
        with await engine.lease(engine.resolve("a")):
            assert not alive(first)
            assert pid_of(engine) != first
        await unloading


async def test_a_script_that_waits_for_its_server_is_stopped_with_it() -> None:
    port = free_port()
    wrapper = f"sh -c '{server('x', port=port).cmd} & echo $!; wait'"
    async with Engine(setup(server("a", cmd=wrapper, port=port))) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        inner = int(engine.log("a").last_lines(9)[0])
        await engine.unload()
        assert not alive(inner)


# Time to live.


async def test_a_model_is_unloaded_a_ttl_after_the_end_of_its_last_answer() -> None:
    async with Engine(setup(server("a", ttl=1))) as engine:
        seen = states(engine)
        with await engine.lease(engine.resolve("a")):
            await asyncio.sleep(1.3)
            assert engine.state("a") is State.READY
        ended = time.monotonic()
        await until(lambda: engine.state("a") is State.STOPPED)
        assert time.monotonic() - ended >= 1.0
        assert seen[-2:] == [("stopping", "ttl"), ("stopped", "ttl")]


async def test_requests_that_come_as_the_ttl_ends_are_all_served() -> None:
    """llama-swap could deadlock here, or answer 502 (its issue 946)."""
    async with Engine(setup(server("a", ttl=1))) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        for late in (0.995, 1.003):
            await asyncio.sleep(late)
            async with asyncio.timeout(PATIENCE):
                with await engine.lease(engine.resolve("a")) as lease:
                    _, writer = await asyncio.open_connection(*address(lease.base_url))
                    writer.close()


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


async def test_a_port_can_be_bound_again_as_soon_as_its_model_has_stopped() -> None:
    port = free_port()
    async with Engine(setup(server("a", port=port))) as engine:
        (await engine.lease(engine.resolve("a"))).release()
        await engine.unload()
        with socket.socket() as mine:
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            mine.bind(("127.0.0.1", port))
