"""A request that finds its model's process just dead is answered by the next one, done once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from llmstack.backends.second_chance import has_died, may_repeat
from llmstack.engine import State
from llmstack.engine.events import Events, ModelChanged
from llmstack.errors import UpstreamUnreachable
from llmstack.http1 import Pool, Unreachable
from tests.server.conftest import free_ports
from tests.server.house import fake, one_at_a_time, running
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House
    from tests.server.raw_upstream import Peer, RawRequest, RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


async def test_after_a_kill_no_request_fails(tmp_path: Path) -> None:
    """The process is dead when the requests arrive, whether the engine knows it or not."""
    (port,) = free_ports(1)
    async with running(tmp_path, one_at_a_time(fake("m", port))) as house:
        for stream in (False, True, False):
            assert (await ask(house.gateway, "POST", CHAT, chat("m"))).status == 200
            (row,) = house.engine.status()
            assert row.pid is not None
            os.kill(row.pid, signal.SIGKILL)
            _await_death(row.pid)  # without a step of the loop, in which the engine would notice
            answers = await asyncio.gather(
                *(ask(house.gateway, "POST", CHAT, chat("m", stream=stream)) for _ in range(8))
            )
            assert [answer.status for answer in answers] == [200] * 8
        await house.freed()


def _await_death(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_a_connection_that_is_refused_is_known_not_to_have_carried_anything() -> None:
    (port,) = free_ports(1)
    pool = Pool()
    with pytest.raises(Unreachable) as caught:
        await pool.request("POST", f"http://127.0.0.1:{port}", b"/", (), b"x")
    assert not caught.value.connected
    pool.close()


async def test_a_request_that_arrived_is_not_sent_again(house: House, raw: RawUpstream) -> None:
    """Even if its process says nothing: a generation may have begun."""

    async def vanish(peer: Peer, request: RawRequest) -> None:
        peer.abort()

    async with raw.play(vanish):
        answer = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert answer.status == 502
    assert len(raw.requests) == 1


async def test_what_a_kept_connection_may_have_carried_counts_as_sent() -> None:
    """Its process may have been stopped on purpose, and would be started again for it."""
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        with suppress(EOFError):
            while await reader.readuntil(b"\r\n\r\n"):
                asked += 1
                if asked == 2:
                    server.close()
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pool = Pool()
    response = await pool.request("POST", base, b"/")
    assert await response.read() == b""
    response.close()
    with pytest.raises(Unreachable) as caught:
        await pool.request("POST", base, b"/")
    assert caught.value.connected
    assert asked == 2
    pool.close()


@pytest.mark.parametrize(
    ("cause", "repeated"),
    [
        (Unreachable("refused", connected=False), True),
        (Unreachable("reset"), False),
        (None, False),
    ],
)
def test_only_what_never_left_is_repeated(cause: Unreachable | None, *, repeated: bool) -> None:
    error = UpstreamUnreachable("gone")
    error.__cause__ = cause
    assert may_repeat(error) is repeated


class _Engine:
    def __init__(self, state: State) -> None:
        self.events = Events()
        self._state = state

    def state(self, model: str) -> State:
        return self._state


@pytest.mark.parametrize("state", [State.STOPPED, State.STOPPING, State.STARTING])
async def test_a_model_that_is_not_ready_has_died(state: State) -> None:
    assert await has_died(_Engine(state), "m", patience=0.0)  # type: ignore[arg-type]


async def test_the_engine_is_given_time_to_notice() -> None:
    engine = _Engine(State.READY)
    waiting = asyncio.ensure_future(has_died(engine, "m", patience=30.0))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    engine.events.publish(ModelChanged("other", State.STOPPED, "crashed", 1.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    engine.events.publish(ModelChanged("m", State.STOPPED, "crashed", 1.0))
    assert await waiting
    assert not engine.events._listeners


async def test_a_process_that_lives_on_is_not_asked_again() -> None:
    engine = _Engine(State.READY)
    assert not await has_died(engine, "m", patience=0.01)  # type: ignore[arg-type]
    assert not engine.events._listeners
