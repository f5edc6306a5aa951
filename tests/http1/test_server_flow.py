"""Nothing piles up on either side; whoever leaves is noticed; idle connections end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmstack.http1.exchange import EXCHANGE, HIGH
from tests.http1.raw_server import PATIENCE, until
from tests.http1.served import GET, HOST, Echo, body, post, read, serving, start

pytestmark = pytest.mark.anyio

PIECE = bytes(65536)


async def test_an_application_waits_for_a_client_that_does_not_read() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await start(send)
        while sent < 64 * 1024 * 1024:
            await body(send, PIECE, more=True)
            sent += len(PIECE)
        await body(send, b"")

    async with serving(app) as served, served.client() as client:
        await client.send(GET)
        before = -1
        while sent != before or not sent:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 32 * 1024 * 1024
        async with asyncio.timeout(60):
            await client.reader.readuntil(b"\r\n\r\n")
            assert len(await client.chunks()) == 64 * 1024 * 1024


async def test_a_body_that_nobody_asks_for_is_not_read() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        assert await read(receive) == bytes(64 * 1024 * 1024)
        await start(send, 204)
        await body(send, b"")

    async with serving(app) as served, served.client() as client:
        sending = asyncio.ensure_future(client.send(post(bytes(64 * 1024 * 1024))))
        await until(lambda: served.service.connections)
        (connection,) = served.service.connections
        await until(lambda: not connection._reading)
        assert connection._current._arrived < HIGH + 1024 * 1024
        assert not sending.done()
        go.set()
        assert (await client.answer()).status == 204
        await sending


async def test_a_body_that_is_never_read_does_not_spoil_the_next_request() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 401, [(b"content-length", b"0")])
        await body(send, b"")

    async with serving(app) as served, served.client() as client:
        for _ in range(3):
            await client.send(post(bytes(1024 * 1024)))
            assert (await client.answer()).status == 401


async def test_a_client_that_leaves_is_noticed_and_what_is_sent_then_goes_nowhere() -> None:
    noticed = asyncio.get_running_loop().create_future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await start(send)
        await body(send, b"begun", more=True)
        message = await receive()
        for _ in range(100):
            await body(send, PIECE, more=True)
        noticed.set_result(message)

    async with serving(app) as served:
        async with served.client() as client:
            await client.send(GET)
            await client.reader.readuntil(b"begun")
        async with asyncio.timeout(PATIENCE):
            assert await noticed == {"type": "http.disconnect"}


async def test_a_client_that_leaves_while_an_application_waits_to_send_lets_it_go_on() -> None:
    done = asyncio.get_running_loop().create_future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        for _ in range(2000):
            await body(send, PIECE, more=True)
        done.set_result(None)

    async with serving(app) as served:
        async with served.client() as client:
            await client.send(GET)
            await until(lambda: served.service.connections)
            (connection,) = served.service.connections
            await until(lambda: connection.paused)
        async with asyncio.timeout(PATIENCE):
            await done


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_noticed() -> None:
    noticed = asyncio.get_running_loop().create_future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        noticed.set_result(await receive())

    async with serving(app) as served:
        async with served.client() as client:
            await client.send(post(b"abc")[:-1])
            await until(lambda: served.service.tasks)
        async with asyncio.timeout(PATIENCE):
            assert await noticed == {"type": "http.disconnect"}


@pytest.mark.parametrize("when", ["before it watches", "while it watches", "after it watched"])
async def test_whoever_watches_for_a_departure_is_told_at_once(when: str) -> None:
    told = asyncio.Event()
    asked, gone, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchange = scope[EXCHANGE]
        assert exchange.task is asyncio.current_task()
        asked.set()
        if when == "before it watches":
            await gone.wait()
        exchange.watch(told.set)
        if when == "after it watched":
            exchange.watch(None)
        await gone.wait()
        if when != "after it watched":
            await told.wait()
        done.set()

    async with serving(app) as served:
        async with served.client() as client:
            await client.send(GET)
            await asked.wait()
        await until(lambda: not served.service.connections)
        gone.set()
        async with asyncio.timeout(PATIENCE):
            await done.wait()
    assert told.is_set() is (when != "after it watched")


async def test_an_answer_to_the_end_is_no_departure() -> None:
    told = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[EXCHANGE].watch(told.set)
        await Echo()(scope, receive, send)

    async with serving(app) as served, served.client() as client:
        await client.send(GET)
        assert (await client.answer()).status == 200
    assert not told.is_set()


async def test_once_the_answer_is_complete_there_is_nothing_to_receive() -> None:
    got = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        watch = asyncio.ensure_future(receive())
        await read(receive)
        await start(send, 204)
        await body(send, b"")
        got.extend([await receive(), await watch])

    async with serving(app) as served, served.client() as client:
        await client.send(GET)
        assert (await client.answer()).status == 204
        await until(lambda: len(got) == 2)
    assert {"type": "http.disconnect"} in got


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHos", GET],
    ids=["nothing", "half a line", "half a head", "an answered request"],
)
async def test_a_connection_without_work_ends(begun: bytes) -> None:
    async with serving(Echo(answer=b"ok"), keep_alive=0.05) as served:
        said = await served.say(begun)
    assert said.endswith(b"ok") if begun == GET else said == b""


async def test_a_connection_with_work_does_not_end() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.2)
        await Echo()(scope, receive, send)

    async with serving(app, keep_alive=0.05) as served, served.client() as client:
        await client.send(post(b"still here"))
        assert (await client.answer()).body == b"still here"


async def test_a_shutdown_ends_idle_connections_at_once_and_busy_ones_after_their_answer() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await Echo(answer=b"ok")(scope, receive, send)

    async with serving(app) as served, served.client() as idle, served.client() as busy:
        await busy.send(GET + GET)
        await until(lambda: len(served.service.connections) == 2 and served.service.tasks)
        for connection in tuple(served.service.connections):
            connection.shutdown()
        assert await idle.ended() == b""
        assert not busy.reader.at_eof()
        go.set()
        said = await busy.ended()
    assert said == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


async def test_a_shutdown_does_not_wait_for_the_rest_of_an_unread_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 401, [(b"content-length", b"0")])
        await body(send, b"")

    async with serving(app) as served, served.client() as client:
        await client.send(post(b"abc")[:-1])
        assert (await client.answer()).status == 401
        (connection,) = served.service.connections
        connection.shutdown()
        assert await client.ended() == b""


async def test_a_websocket_is_handed_over_with_its_request_and_what_came_with_it() -> None:
    taken: list[bytes] = []

    def take(transport: asyncio.Transport, request: bytes) -> None:
        taken.append(request)
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        transport.close()

    request = b"GET /ws?a=b HTTP/1.1\r\n" + HOST
    request += b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
    async with serving(Echo(), websocket=take) as served:
        assert (await served.say(request + b"frame")).startswith(b"HTTP/1.1 101")
        assert not served.service.connections
    expected = b"GET /ws?a=b HTTP/1.1\r\nhost: here\r\n"
    expected += b"connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\r\nframe"
    assert taken == [expected]


async def test_without_anybody_for_websockets_it_is_an_ordinary_request() -> None:
    app = Echo(answer=b"ok")
    async with serving(app) as served, served.client() as client:
        await client.send(
            b"GET / HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert (await client.answer()).body == b"ok"
        await client.send(GET)
        assert (await client.answer()).body == b"ok"
