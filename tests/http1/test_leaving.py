"""Leaving early: cancelled requests and a closed client end their connections, and leak nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import llmstack.http1.pool as pool_module
from llmstack.http1 import Broken, Pool, Unreachable
from tests.http1.raw_server import (
    CHUNKED,
    PATIENCE,
    Peer,
    always,
    ask,
    chunk,
    serving,
    sized,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


def sockets() -> int:
    """Open TCP sockets of this process."""
    return len(psutil.Process().net_connections("tcp"))


@pytest.fixture(autouse=True)
async def nothing_leaks(anyio_backend: object) -> AsyncIterator[None]:
    """As many sockets after a test as before, and no unclosed transport found by the gc."""
    gc.collect()
    before = sockets()
    yield
    await until(lambda: sockets() <= before)
    gc.collect()


async def silent(peer: Peer) -> None:
    """Never says anything."""
    await peer.gone()


async def cancelled(task: asyncio.Future[Any]) -> None:
    """Cancel a task and see that it ends so."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_refused_connections_are_unreachable(pool: Pool) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # but does not listen
        base = f"http://127.0.0.1:{bound.getsockname()[1]}"
        for _ in range(3):
            with pytest.raises(Unreachable, match=r".+"):
                await ask(pool, base)
    assert not pool._all


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "host.invalid"])
async def test_names_that_are_none_are_unreachable(pool: Pool, host: str) -> None:
    with pytest.raises(Unreachable, match=r".+"):
        await ask(pool, f"http://{host}:1")


async def test_connecting_is_bounded(
    pool: Pool, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "CONNECT", 0.05)
    with pytest.raises(Unreachable, match=r"0\.05 s"):
        await ask(pool, full)
    assert not pool._all


async def test_a_handshake_that_does_not_come_is_bounded(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "CONNECT", 0.05)
    async with serving(silent) as server:
        with pytest.raises(Unreachable, match=r"0\.05 s"):
            await ask(pool, server.base.replace("http:", "https:"))
        await until(lambda: server.peers[0].ended)


async def test_waiting_for_the_answer_is_not_bounded(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "CONNECT", 0.02)

    async def play(peer: Peer) -> None:
        await peer.receive()
        await asyncio.sleep(0.05)
        await peer.send(sized(b"late"))

    async with serving(play) as server:
        assert (await ask(pool, server.base)).body == b"late"


async def test_cancelled_while_connecting(pool: Pool, full: str) -> None:
    task = asyncio.ensure_future(ask(pool, full))
    await asyncio.sleep(0.01)
    await cancelled(task)
    assert not pool._all


async def test_cancelled_in_a_handshake(pool: Pool) -> None:
    async with serving(silent) as server:
        task = asyncio.ensure_future(ask(pool, server.base.replace("http:", "https:")))
        await until(lambda: server.peers)
        await cancelled(task)
        await until(lambda: server.peers[0].ended)
    assert not pool._all


@pytest.mark.parametrize("steps", range(12))
async def test_cancelled_at_any_moment(pool: Pool, steps: int) -> None:
    """After every number of turns of the loop, on a new and on a kept connection."""
    async with serving(always(sized(b"x"))) as server:
        for _ in range(2):
            task = asyncio.ensure_future(ask(pool, server.base))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await until(lambda: len(pool._all) == sum(map(len, pool._kept.values())))
            assert (await ask(pool, server.base)).body == b"x"
        open_peers = [peer for peer in server.peers if not peer.ended]
        await until(lambda: sum(not peer.ended for peer in server.peers) <= 1)
        assert len(pool._all) <= len(open_peers)


@pytest.mark.parametrize("before", [0, 1])
async def test_cancelled_while_waiting_for_the_head(pool: Pool, before: int) -> None:
    """On a new connection and on a kept one. The server sees the end at once."""

    async def play(peer: Peer) -> None:
        for _ in range(before):
            await peer.receive()
            await peer.send(sized(b"x"))
        await peer.receive()
        asked.set()
        await peer.gone()

    asked = asyncio.Event()
    async with serving(play) as server:
        for _ in range(before):
            await ask(pool, server.base)
        task = asyncio.ensure_future(ask(pool, server.base))
        await asked.wait()
        await cancelled(task)
        await until(lambda: server.peers[0].ended)
        assert len(server.peers) == 1  # no second try


async def test_cancelled_while_sending_a_large_body(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readexactly(100_000)
        asked.set()
        await left.wait()
        await peer.gone()

    asked, left = asyncio.Event(), asyncio.Event()
    async with serving(play) as server:
        task = asyncio.ensure_future(ask(pool, server.base, "POST", bytes(10_000_000)))
        await asked.wait()
        await cancelled(task)
        await until(lambda: not pool._all)
        left.set()
        await until(lambda: server.peers[0].ended)


async def test_cancelled_while_reading(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(CHUNKED + chunk(b"first"))
        await peer.gone()

    async def reader() -> None:
        response = await pool.request("GET", server.base, b"/")
        try:
            while await response.read():
                started.set()
        finally:
            response.close()

    started = asyncio.Event()
    async with serving(play) as server:
        task = asyncio.ensure_future(reader())
        await started.wait()
        await cancelled(task)
        await until(lambda: server.peers[0].ended and not pool._all)


async def test_a_cancelled_read_loses_nothing(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(CHUNKED)
        await waited.wait()
        await peer.send(chunk(b"all of it") + chunk(b""))
        await peer.gone()

    waited = asyncio.Event()
    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await response.read()
        waited.set()
        assert await response.read() == b"all of it"
        assert await response.read() == b""
        response.close()
        assert len(pool._all) == 1


async def test_cancelled_when_the_head_has_just_come(pool: Pool) -> None:
    """Its arrival and the cancellation meet in one turn of the loop."""

    async def play(peer: Peer) -> None:
        await peer.receive()
        await prepared.wait()
        await peer.send(CHUNKED)
        await peer.gone()

    prepared = asyncio.Event()
    async with serving(play) as server:
        task = asyncio.ensure_future(ask(pool, server.base))
        await until(lambda: server.requests)
        (connection,) = pool._all
        complete = connection.on_headers_complete

        def and_cancel() -> None:
            complete()
            task.cancel()

        connection._parser = type(connection._parser)(_Instead(connection, and_cancel))
        prepared.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: server.peers[0].ended and not pool._all)


class _Instead:
    def __init__(self, connection: object, complete: object) -> None:
        self.on_headers_complete = complete
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


async def test_closing_ends_what_is_under_way(pool: Pool) -> None:
    """One waits for a head, one reads, one sits idle; nobody tries again."""

    async def play(peer: Peer) -> None:
        async for request in peer.incoming():
            match request.line.split()[1]:
                case b"/idle":
                    await peer.send(sized(b"x"))
                case b"/read":
                    await peer.send(CHUNKED + chunk(b"first"))

    async with serving(play) as server:
        idle = [await pool.request("GET", server.base, b"/idle") for _ in range(3)]
        for response in idle:
            await response.read()
            response.close()
        waiting = asyncio.ensure_future(ask(pool, server.base, target=b"/wait"))
        reading = await pool.request("GET", server.base, b"/read")
        assert await reading.read() == b"first"
        await until(lambda: len(server.requests) == 5)
        pool.close()
        with pytest.raises(Unreachable):
            await waiting
        with pytest.raises(Broken):
            await reading.read()
        reading.close()
        await until(lambda: not pool._all and all(peer.ended for peer in server.peers))
        assert len(server.peers) == 3
        with pytest.raises(Unreachable, match="closed"):
            await ask(pool, server.base)
        assert len(server.peers) == 3


async def test_closing_while_connecting_makes_no_connection(pool: Pool) -> None:
    async with serving(always(sized(b"x"))) as server:
        task = asyncio.ensure_future(ask(pool, server.base))
        await asyncio.sleep(0)
        pool.close()
        with pytest.raises(Unreachable):
            await task
        assert not pool._all
        assert not server.requests


async def test_an_answer_finished_after_closing_is_not_kept(pool: Pool) -> None:
    async with serving(always(sized(b"x"))) as server:
        response = await pool.request("GET", server.base, b"/")
        pool.close()
        async with asyncio.timeout(PATIENCE):
            assert await response.read() == b"x"
        response.close()
        assert not any(pool._kept.values())
