"""Many requests at once, over one pool."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.http1.raw_server import CHUNKED, Peer, ask, chunk, serving, sized

if TYPE_CHECKING:
    from llmstack.http1 import Pool

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("limit", [200])
async def test_two_hundred_requests_at_once(pool: Pool, limit: int) -> None:
    """Every answer goes to the request that it belongs to, round after round."""
    gate = asyncio.Barrier(limit)

    async def play(peer: Peer) -> None:
        async for request in peer.incoming():
            if request.body.startswith(b"0 "):
                await gate.wait()
            pieces = [request.body, b" ", bytes(reversed(request.body))]
            answer = sized(b"".join(pieces))
            if peer.number % 2:
                answer = CHUNKED + b"".join(map(chunk, pieces)) + chunk(b"")
            await peer.send(answer)
            if peer.number % 7 == 0 and not request.body.startswith(b"0 "):
                return  # in spite of the promise

    async def client(number: int) -> None:
        for turn in range(10):
            body = b"%d %d" % (turn, number)
            answer = await ask(pool, server.base, "POST", body)
            assert answer.body == body + b" " + bytes(reversed(body))

    async with serving(play) as server:
        await asyncio.gather(*(client(number) for number in range(limit)))
        assert len(pool._all) <= limit
