"""Stopping: running answers may end, newcomers are told, nothing is left over."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from llmstack.server.ending import DRAIN
from llmstack.server.listen import listen
from llmstack.server.stack import RunningStack
from llmstack.server.swap import BACK_STOP
from tests.server.conftest import free_ports
from tests.server.house import (
    House,
    anthropic_error_of,
    error_of,
    fake,
    one_at_a_time,
    plan_for,
    release,
    running,
    side_by_side,
)
from tests.server.raw_upstream import SSE_HEAD, Peer, RawRequest
from tests.server.wire import Wire, ask, chat, eventually, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"

#: Seconds in which a stop that waits for nothing must be done; the limit for answers is 30.
SOON = 10.0


def body(model: str, **more: object) -> bytes:
    return json.dumps(chat(model, **more)).encode()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Models ``m`` and ``n``, of which one may be loaded, with their ports in ``ports``."""
    ports = free_ports(2)
    swap = one_at_a_time(*(fake(name, port) for name, port in zip("mn", ports, strict=True)))
    async with running(tmp_path, swap) as house:
        yield house


def port_of(house: House, model: str) -> int:
    return int(house.engine.config.models[model].proxy.rpartition(":")[2])


def processes(house: House) -> list[int]:
    return [row.pid for row in house.engine.status() if row.pid]


async def test_a_running_answer_ends_before_its_model_does(house: House) -> None:
    async with Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), body("m", stream=True, paced=True, tokens=3))
        got = await wire.head()
        (pid,) = processes(house)
        stopping = asyncio.ensure_future(house.stack.stop())
        for number in range(3):
            await release(port_of(house, "m"))
            assert f"tok{number}".encode() in await wire.piece(got)
            assert not stopping.done()
        await wire.finish(got)
        assert got.complete
        assert b"[DONE]" in got.body
        await within(stopping)
    assert not psutil.pid_exists(pid)


@pytest.mark.top40(40, "answers may end for 30 s")
def test_running_answers_have_thirty_seconds() -> None:
    """And the process has five more before it ends by force."""
    assert (DRAIN, BACK_STOP) == (30, 35)


async def test_who_waits_in_the_queue_is_told_at_once(house: House) -> None:
    async with Wire(house.gateway) as busy, Wire(house.gateway) as one, Wire(house.door) as other:
        await busy.request("POST", CHAT, (), body("m", paced=True, tokens=1))
        await eventually(lambda: house.in_flight("m") == 1)
        await one.request("POST", CHAT, (), body("n"))
        await other.request("POST", "/v1/messages", (), body("n"))
        await eventually(lambda: len(house.engine._scheduler._queue) == 2)
        stopping = asyncio.ensure_future(house.stack.stop())
        got = await one.answer()
        assert error_of(got)[0] == 503
        assert int(got.header("retry-after")) > 0
        told = await other.answer()
        assert anthropic_error_of(told)[0] == 503
        assert told.json()["error"]["type"] == "overloaded_error"
        await release(port_of(house, "m"))
        assert (await busy.answer()).status == 200
        await within(stopping)


async def test_newcomers_are_told_that_it_is_stopping(house: House) -> None:
    """Also those whose model is loaded and idle."""
    assert (await ask(house.gateway, "POST", CHAT, chat("m"))).status == 200
    house.engine.retire()
    for model in ("m", "n"):
        got = await ask(house.gateway, "POST", CHAT, chat(model))
        assert error_of(got)[0] == 503
        assert got.json()["error"]["code"] == "service_unavailable"


@pytest.mark.top40(40, "streams are closed")
async def test_log_streams_end(house: House) -> None:
    await ask(house.gateway, "POST", CHAT, chat("m"))
    async with Wire(house.gateway) as one, Wire(house.door) as other:
        await one.request("GET", "/logs/stream/upstream")
        await other.request("GET", "/logs/stream/m")
        heads = [await wire.head() for wire in (one, other)]
        await eventually(lambda: house.engine.output._readers and house.engine.log("m")._readers)
        begun = time.monotonic()
        stopping = asyncio.ensure_future(house.stack.stop())
        for wire, got in zip((one, other), heads, strict=True):
            assert (await wire.finish(got)).complete
        await within(stopping)
        assert time.monotonic() - begun < SOON


async def test_idle_connections_do_not_hold_it_up(house: House) -> None:
    async with Wire(house.gateway) as idle, Wire(house.gateway) as used:
        await used.request("GET", "/health")
        await used.answer()
        begun = time.monotonic()
        await within(house.stack.stop())
        assert time.monotonic() - begun < SOON
        assert await idle.ended() == await used.ended() == b""


async def test_a_websocket_is_told_that_the_service_restarts(house: House) -> None:
    async with connect(f"ws://127.0.0.1:{house.gateway}/upstream/m/", proxy=None) as client:
        await client.send("x")
        assert await within(client.recv()) == "x"
        stopping = asyncio.ensure_future(house.stack.stop())
        with pytest.raises(ConnectionClosed):
            await within(client.recv())
        assert client.close_code == 1012
        await within(stopping)


async def test_a_model_that_is_loading_is_stopped_too(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    swap = side_by_side(fake("m", port, "--slow-start", "600"))
    async with running(tmp_path, swap) as house, Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), body("m"))
        await eventually(lambda: processes(house))
        (pid,) = processes(house)
        begun = time.monotonic()
        await within(house.stack.stop())
        assert time.monotonic() - begun < SOON
        assert error_of(await wire.answer())[0] == 503
        assert not psutil.pid_exists(pid)


async def test_a_hurry_ends_running_answers(house: House) -> None:
    """The client is told, in the stream, that it is not whole."""
    async with Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), body("m", stream=True, paced=True))
        got = await wire.head()
        (pid,) = processes(house)
        hurry = asyncio.Event()
        stopping = asyncio.ensure_future(house.stack.stop(hurry))
        done, _ = await asyncio.wait({stopping}, timeout=0.5)
        assert not done
        begun = time.monotonic()
        hurry.set()
        await wire.finish(got)
        await within(stopping)
        assert time.monotonic() - begun < SOON
        assert not got.complete or b"broke off" in got.body
    assert not psutil.pid_exists(pid)


async def test_a_hurry_does_not_wait_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        for _ in range(10_000):
            await peer.chunk(b"x" * 65_536)

    async with running(tmp_path, side_by_side(), raw=["raw"]) as house:
        raw = house.raw["raw"]
        async with raw.play(answer), Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, (), body("raw", stream=True))
            await wire.head()
            await eventually(raw.peers[0].writer.transport.get_write_buffer_size)
            hurry = asyncio.Event()
            hurry.set()
            begun = time.monotonic()
            await within(house.stack.stop(hurry))
            assert time.monotonic() - begun < SOON


async def test_stopping_again_does_nothing(house: House) -> None:
    await within(house.stack.stop())
    await within(house.stack.stop())


async def test_a_stack_that_was_never_started_gives_its_ports_back(tmp_path: Path) -> None:
    gateway, engine = free_ports(2)
    plan = plan_for(tmp_path, side_by_side(fake("m", 1)))
    stack = RunningStack(plan, gateway_port=gateway, engine_port=engine)
    await stack.stop()
    listen("127.0.0.1", gateway, "a").close()
    listen("127.0.0.1", engine, "a").close()


async def test_an_ipv6_address_is_written_as_a_url_wants_it(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, side_by_side(fake("m", 1)))
    settings = replace(plan.stack.settings, router_host="::1")
    try:
        stack = RunningStack(replace(plan, stack=replace(plan.stack, settings=settings)))
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"no IPv6 here: {error}")
    await stack.stop()
    assert stack.gateway.startswith("http://[::1]:")
    assert stack.door.startswith("http://[::1]:")
