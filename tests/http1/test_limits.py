"""Limits of a request: each part ends in its time, and nothing is asked twice because of one."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from llmstack.http1 import Limits, Unreachable
from llmstack.http1.limits import probe
from llmstack.http1.response import TooLate
from tests.http1.raw_server import always, ask, serving, sized, until

if TYPE_CHECKING:
    from llmstack.http1 import Pool, Response
    from tests.http1.raw_server import Peer

pytestmark = pytest.mark.anyio


async def get(pool: Pool, base: str, limits: Limits) -> Response:
    response = await pool.request("GET", base, b"/", limits=limits)
    while not response.exhausted:
        await response.read()
    response.close()
    return response


@pytest.mark.parametrize("base", ["http", "https"])
async def test_a_connection_is_made_in_its_time_or_not(pool: Pool, full: str, base: str) -> None:
    limits = Limits(connect=0.02, handshake=0.03)
    with pytest.raises(Unreachable, match=r"no connection within 0\.0[25] s"):
        await get(pool, full.replace("http", base, 1), limits)
    assert not pool._all


async def test_a_handshake_has_a_time_of_its_own(pool: Pool) -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with serving(silent) as server:
        with pytest.raises(Unreachable, match=r".+"):
            await get(pool, server.base.replace("http:", "https:"), Limits(handshake=0.05))
        await until(lambda: server.peers[0].ended)


async def test_a_head_that_does_not_come_ends_the_request_and_is_not_asked_for_again(
    pool: Pool,
) -> None:
    """Also on a kept connection, where a server that closes would be asked once more."""
    asked = 0

    async def play(peer: Peer) -> None:
        nonlocal asked
        while await peer.receive():
            asked += 1
            if asked > 1:
                await peer.gone()
                return
            await peer.send(sized(b"x"))

    async with serving(play) as server:
        await get(pool, server.base, Limits(head=5))
        with pytest.raises(TooLate, match=r"no answer began within 0\.05 s"):
            await get(pool, server.base, Limits(head=0.05))
        await until(lambda: server.peers[0].ended)
        assert (asked, len(server.peers)) == (2, 1)
    assert not pool._all


async def test_a_long_upload_has_its_time(pool: Pool) -> None:
    """The head's limit begins when the request has been sent."""
    body = b"x" * (16 << 20)
    reading = asyncio.Event()

    async def play(peer: Peer) -> None:
        await reading.wait()
        await peer.receive()
        await peer.send(sized(b"done"))

    async with serving(play) as server:
        limits = Limits(head=0.2)
        asking = asyncio.ensure_future(pool.request("POST", server.base, b"/", (), body, limits))
        done, _ = await asyncio.wait({asking}, timeout=0.7)
        assert not done
        reading.set()
        response = await asking
        assert await response.read() == b"done"
        response.close()


async def test_a_connection_is_not_used_again_after_its_idle_limit(pool: Pool) -> None:
    async with serving(always(sized(b"x"))) as server:
        for idle, connections in ((None, 1), (2.5, 1), (1.5, 2)):
            for kept in pool._kept.values():
                for connection in kept:
                    connection.idle_since -= 2
            await get(pool, server.base, Limits(idle=idle))
            assert len(server.peers) == connections
        assert (await ask(pool, server.base)).status == 200


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPINTVL"), reason="the system has no such option")
def test_a_silent_connection_is_probed() -> None:
    with socket.socket() as connection:
        probe(connection, 0.2)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 1
        probe(connection, 30)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 30
