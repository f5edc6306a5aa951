"""Kept connections: which are used again, how long, how many, and what happens to dead ones."""

from __future__ import annotations

import asyncio

import pytest

import llmstack.http1.pool as pool_module
from llmstack.http1 import Broken, Pool, Unreachable
from llmstack.http1.connection import Connection
from tests.http1.raw_server import (
    CHUNKED,
    OK,
    PATIENCE,
    Peer,
    always,
    ask,
    chunk,
    once,
    serving,
    sized,
    until,
    whole,
)
from tests.http1.wire import answered, wired

pytestmark = pytest.mark.anyio

EVENTS = CHUNKED + chunk(b"data: 1\n\n") + chunk(b"data: [DONE]\n\n") + chunk(b"")


def kept(pool: Pool) -> list[Connection]:
    """The connections that wait for a request."""
    return [connection for each in pool._kept.values() for connection in each]


async def test_a_connection_serves_many_requests(pool: Pool) -> None:
    answers = (
        sized(b"one"),
        EVENTS,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        sized(b"x" * 300_000),
        b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b""),
    )
    async with serving(always(*answers)) as server:
        got = [len((await ask(pool, server.base, "POST", b"q")).body) for _ in range(300)]
        assert got == [3, 23, 0, 300_000, 0] * 60
        assert len(server.peers) == 1
        assert len(pool._all) == len(kept(pool)) == 1


@pytest.mark.parametrize("how", ["close", "shut", "reset"])
async def test_a_server_that_closes_after_an_answer_despite_its_promise_goes_unnoticed(
    pool: Pool, how: str
) -> None:
    """llama-server does so after every event stream."""

    async def play(peer: Peer) -> None:
        async for request in peer.incoming():
            if request.body == b"stream":
                await peer.send(EVENTS)
                if how == "reset":
                    # A reset may overtake the answer; one that follows it is what is meant.
                    await until(lambda: read)
                    read.clear()
                getattr(peer, how)()
                return
            await peer.send(sized(b"plain", b"Keep-Alive: timeout=5, max=100"))

    read: list[bool] = []
    async with serving(play) as server:
        for _ in range(300):
            assert (await ask(pool, server.base, "POST", b"stream")).body == EVENTS_BODY
            read.append(True)
            assert (await ask(pool, server.base, "POST", b"plain")).body == b"plain"


EVENTS_BODY = b"data: 1\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize("how", ["close", "shut", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_that_dies_under_a_request_is_replaced_once(
    pool: Pool, how: str, method: str
) -> None:
    async def play(peer: Peer) -> None:
        async for request in peer.incoming():
            if request.body == b"second" and peer.number == 1:
                getattr(peer, how)()
                return
            await peer.send(sized(request.body))

    async with serving(play) as server:
        await ask(pool, server.base, method, b"first")
        assert (await ask(pool, server.base, method, b"second")).body == b"second"
        assert [request.body for request in server.requests] == [b"first", b"second", b"second"]
        assert len(server.peers) == 2


async def test_a_kept_connection_that_closed_a_moment_ago_is_replaced(pool: Pool) -> None:
    """The end has been sent, but the client's loop has not had the chance to see it."""
    async with serving(always(sized(b"alive"))) as server:
        for _ in range(20):
            await ask(pool, server.base)
            server.peers[-1].shut()
            assert (await ask(pool, server.base, "POST", b"x")).body == b"alive"
        assert len(server.peers) == 21


@pytest.mark.parametrize("large", [False, True])
async def test_a_request_in_the_instant_in_which_the_end_is_seen_is_safe(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, *, large: bool
) -> None:
    """The end of a kept connection has been read, but the loop has not told of its loss yet."""
    eof_received = Connection.eof_received

    def noticed(connection: Connection) -> bool:
        if not seen.done():
            seen.set_result(None)
        return eof_received(connection)

    monkeypatch.setattr(Connection, "eof_received", noticed)
    body = b"x" * (200_000 if large else 1)
    async with serving(always(sized(b"alive"))) as server:
        for _ in range(10):
            seen = asyncio.get_running_loop().create_future()
            await ask(pool, server.base)
            server.peers[-1].shut()
            await seen
            assert (await ask(pool, server.base, "POST", body)).body == b"alive"


async def test_a_new_connection_that_dies_is_not_tried_again(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()

    async with serving(play) as server:
        with pytest.raises(Unreachable):
            await ask(pool, server.base, "POST", b"x")
        assert len(server.requests) == len(server.peers) == 1


async def test_the_second_try_is_the_last(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        if peer.number == 1:
            await peer.send(sized(b"first"))
            await peer.receive()

    async with serving(play) as server:
        await ask(pool, server.base)
        with pytest.raises(Unreachable):
            await ask(pool, server.base, "POST", b"x")
        assert [len(peer.requests) for peer in server.peers] == [2, 1]


BEGUN = [b"H", b"HTTP/1.1 200 OK\r\nX: 1", b"HTTP/1.1 100 Continue\r\n\r\n"]


@pytest.mark.parametrize(
    ("start", "end"),
    [*((start, end) for start in BEGUN for end in ("close", "reset")), (b"not HTTP", "gone")],
)
async def test_a_request_is_never_repeated_after_a_byte_of_its_answer(
    pool: Pool, start: bytes, end: str
) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(sized(b"first"))
        await peer.receive()
        await peer.send(start)
        connection = next(iter(pool._all))
        await until(lambda: not connection.silent)
        if end == "reset":
            peer.reset()
        if end == "gone":
            await peer.gone()

    async with serving(play) as server:
        await ask(pool, server.base)
        with pytest.raises(Unreachable):
            await ask(pool, server.base, "POST", b"x")
        assert len(server.requests) == 2
        assert len(server.peers) == 1


async def test_many_dead_kept_connections_cost_one_try(pool: Pool) -> None:
    gate = asyncio.Barrier(30)

    async def play(peer: Peer) -> None:
        async for request in peer.incoming():
            if request.body == b"fill":
                await gate.wait()
            elif peer.number <= 30:
                return
            await peer.send(sized(b"alive"))

    async with serving(play) as server:
        await asyncio.gather(*(ask(pool, server.base, "POST", b"fill") for _ in range(30)))
        assert len(kept(pool)) == 30
        asks = [ask(pool, server.base, "POST", b"x") for _ in range(30)]
        assert {answer.body for answer in await asyncio.gather(*asks)} == {b"alive"}


async def test_the_end_of_an_idle_connection_is_noticed(pool: Pool) -> None:
    async with serving(once(sized(b"bye"))) as server:
        await ask(pool, server.base)
        await until(lambda: not pool._all)
        assert not kept(pool)


@pytest.mark.parametrize("data", [b"x", b"HTTP/1.1 408 Request Timeout\r\n\r\n", sized(b"more")])
async def test_data_on_an_idle_connection_ends_it(pool: Pool, data: bytes) -> None:
    async def play(peer: Peer) -> None:
        if peer.number == 1:
            await peer.receive()
            await peer.send(sized(b"first"))
            await until(lambda: kept(pool))
            await peer.send(data)
            await peer.gone()
        else:
            await always(sized(b"second"))(peer)

    async with serving(play) as server:
        assert (await ask(pool, server.base)).body == b"first"
        await until(lambda: not pool._all)
        assert (await ask(pool, server.base)).body == b"second"


@pytest.mark.parametrize(
    "extra",
    [
        b"x",
        b"garbage\r\n\r\n",
        sized(b"false"),
        sized(b"false")[:20],
        OK + b"Content-Length: 3\r\n",
    ],
)
@pytest.mark.parametrize("first", [sized(b"first"), CHUNKED + chunk(b"first") + chunk(b"")])
async def test_what_follows_an_answer_never_becomes_the_next_one(
    pool: Pool, first: bytes, extra: bytes
) -> None:
    """The answer itself is whole, so it is passed on; the connection is not used again."""

    async def play(peer: Peer) -> None:
        if peer.number == 1:
            await peer.receive()
            await peer.send(first + extra)
            await peer.gone()
        else:
            await always(sized(b"second"))(peer)

    async with serving(play) as server:
        assert (await ask(pool, server.base)).body == b"first"
        assert (await ask(pool, server.base)).body == b"second"
        assert len(server.peers) == 2


async def test_half_an_answer_more_is_seen_in_the_very_piece_that_ends_the_first() -> None:
    connection, wire = wired()
    response = await answered(connection, sized(b"first") + OK + b"X-False: yes\r\n")
    assert await whole(response) == b"first"
    assert wire.aborted
    assert not connection.reusable


async def test_a_server_that_speaks_first_is_not_understood(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(b"220 ready\r\n")
        await peer.gone()

    async with serving(play) as server:
        with pytest.raises(Unreachable):
            await ask(pool, server.base)
        await until(lambda: server.peers[0].ended)


async def test_a_connection_that_is_lost_before_its_request_is_unreachable() -> None:
    connection, wire = wired()
    wire.abort()
    with pytest.raises(Unreachable):
        await connection.request(b"GET / HTTP/1.1\r\n\r\n", b"", bodiless=False)
    assert not wire.written


async def test_an_answer_closed_unread_ends_its_connection(pool: Pool) -> None:
    async with serving(always(sized(b"unread"))) as server:
        response = await pool.request("GET", server.base, b"/")
        response.close()
        response.close()
        await until(lambda: server.peers[0].ended and not pool._all)


async def test_an_answer_closed_early_ends_its_connection(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(CHUNKED + chunk(b"first"))
        await peer.gone()

    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        assert await response.read() == b"first"
        response.close()
        await until(lambda: server.peers[0].ended and not pool._all)
        with pytest.raises(Broken):
            await response.read()


async def test_an_empty_answer_need_not_be_read(pool: Pool) -> None:
    async with serving(always(sized(b""))) as server:
        for _ in range(3):
            (await pool.request("GET", server.base, b"/")).close()
        assert len(server.peers) == 1


async def test_a_connection_is_let_go_before_the_server_does_so(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(always(sized(b"x"))) as server:
        await ask(pool, server.base)
        (connection,) = kept(pool)
        connection.idle_since -= pool_module.KEEP_ALIVE - 0.5
        await ask(pool, server.base)
        assert len(server.peers) == 1
        connection.idle_since -= pool_module.KEEP_ALIVE
        await ask(pool, server.base)
        assert len(server.peers) == 2
        await until(lambda: server.peers[0].ended)


async def test_idle_connections_go_while_others_are_used(pool: Pool) -> None:
    """After a burst, the connections that nobody needs are let go one by one."""
    gate = asyncio.Barrier(10)

    async def play(peer: Peer) -> None:
        async for request in peer.incoming():
            if request.body == b"burst":
                await gate.wait()
            await peer.send(sized(b"x"))

    async with serving(play) as server:
        await asyncio.gather(*(ask(pool, server.base, "POST", b"burst") for _ in range(10)))
        for connection in kept(pool)[:-1]:
            connection.idle_since -= pool_module.KEEP_ALIVE
        for _ in range(9):
            await ask(pool, server.base)
        await until(lambda: len(pool._all) == 1)
        assert len(server.peers) == 10


@pytest.mark.parametrize("stale", [0, 1])
async def test_kept_connections_are_bounded(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, stale: int
) -> None:
    monkeypatch.setattr(pool_module, "KEPT", 3)
    async with serving(always(sized(b"x"))) as server:
        responses = [await pool.request("GET", server.base, b"/") for _ in range(8)]
        for response in responses:
            await whole(response)
            response.close()
        assert len(kept(pool)) == 3
        await until(lambda: len(pool._all) == 3)
        for connection in kept(pool)[:stale]:
            connection.idle_since -= pool_module.KEEP_ALIVE
        async with asyncio.timeout(PATIENCE):
            responses = [await pool.request("GET", server.base, b"/") for _ in range(8)]
        for response in responses:
            await whole(response)
            response.close()
        assert len(kept(pool)) == 3


async def test_servers_do_not_share_connections(pool: Pool) -> None:
    async with serving(always(sized(b"a"))) as one, serving(always(sized(b"b"))) as two:
        for _ in range(5):
            assert (await ask(pool, one.base)).body == b"a"
            assert (await ask(pool, two.base)).body == b"b"
        assert len(one.peers) == len(two.peers) == 1
