"""A reader that is slower than the server makes the server wait; memory stays bounded."""

from __future__ import annotations

import asyncio
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

import pytest

from llmstack.http1.response import HIGH
from tests.http1.raw_server import (
    CHUNKED,
    OK,
    PATIENCE,
    Peer,
    ask,
    chunk,
    serving,
    sized,
    until,
    whole,
)
from tests.http1.wire import answered, wired

if TYPE_CHECKING:
    from llmstack.http1 import Pool

pytestmark = pytest.mark.anyio

TOTAL = 64 * 1024 * 1024
PIECE = bytes(range(256)) * 256


async def settled(count: list[int]) -> int:
    """What a counter shows once it no longer rises."""
    before, calm = -1, 0
    async with asyncio.timeout(10):
        while calm < 10:
            await asyncio.sleep(0.005)
            calm = calm + 1 if count[0] == before else 0
            before = count[0]
    return before


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_server_waits_for_a_reader_that_does_not_read(pool: Pool, framing: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        length = OK + b"Content-Length: %d\r\n\r\n" % TOTAL
        await peer.send({"length": length, "chunked": CHUNKED, "close": OK + b"\r\n"}[framing])
        while sent[0] < TOTAL:
            await peer.send(chunk(PIECE) if framing == "chunked" else PIECE)
            sent[0] += len(PIECE)
        if framing == "chunked":
            await peer.send(chunk(b""))
        if framing != "close":
            await peer.gone()

    sent = [0]
    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        stuck = await settled(sent)
        assert stuck < TOTAL // 2
        assert response._size < 3 * HIGH
        size = 0
        async with asyncio.timeout(PATIENCE):
            while sent[0] == stuck:  # the system's buffers have to drain first
                piece = await response.read()
                assert 0 < len(piece) < 3 * HIGH
                size += len(piece)
        rest = await whole(response)
        assert size + len(rest) == TOTAL
        assert rest.endswith(PIECE)
        assert sent[0] == TOTAL
        response.close()
        await until(lambda: len(pool._all) == (framing != "close"))


async def test_memory_stays_flat_however_long_the_answer(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(CHUNKED)
        piece = chunk(PIECE)
        for _ in range(TOTAL // len(PIECE)):
            await peer.send(piece)
        await peer.send(chunk(b""))
        await peer.gone()

    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        tracemalloc.start()
        try:
            size = 0
            while piece := await response.read():
                size += len(piece)
                if size % 7 == 0:
                    await asyncio.sleep(0)
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()
        assert size == TOTAL
        response.close()


async def test_reading_pauses_and_resumes_at_the_bound() -> None:
    connection, wire = wired()
    response = await answered(connection, OK + b"Content-Length: %d\r\n\r\n" % (3 * HIGH))
    connection.data_received(bytes(HIGH))
    assert wire.reads()
    connection.data_received(b"x")
    assert not wire.reads()
    assert len(await response.read()) == HIGH + 1
    assert wire.reads()
    connection.data_received(bytes(2 * HIGH - 1))
    assert not wire.reads()
    assert len(await response.read()) == 2 * HIGH - 1
    assert wire.reads()
    assert response.exhausted
    assert connection.reusable


async def test_a_paused_connection_reads_again_for_its_next_answer(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        async for _ in peer.incoming():
            await peer.send(sized(bytes(4 * HIGH)))

    async with serving(play) as server:
        for _ in range(5):
            response = await pool.request("GET", server.base, b"/")
            await until(partial(getattr, response, "_paused"))
            assert len(await whole(response)) == 4 * HIGH
            response.close()
        assert len((await ask(pool, server.base)).body) == 4 * HIGH
        assert len(server.peers) == 1


async def test_what_is_held_can_be_read_after_the_connection_is_gone(pool: Pool) -> None:
    """Also when it ends while reading is paused: resuming then must not fail."""

    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(OK + b"\r\n")
        await peer.send(bytes(4 * HIGH))

    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        await until(lambda: response._paused)
        await until(lambda: server.peers[0].ended)
        assert len(await whole(response)) == 4 * HIGH
        response.close()


async def test_a_paused_answer_can_be_closed(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(CHUNKED)
        while True:
            await peer.send(chunk(PIECE))

    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        await until(lambda: response._paused)
        response.close()
        await until(lambda: server.peers[0].ended and not pool._all)
        assert await response.read()  # what had come; resuming a dead connection is harmless
