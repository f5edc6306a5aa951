"""How answers are framed, and what becomes of applications that do not keep to the rules."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.http1.raw_server import until
from tests.http1.served import GET, HOST, Echo, body, post, serving, start

pytestmark = pytest.mark.anyio

OLD = b"GET / HTTP/1.0\r\n\r\n"


async def chunky(scope: Any, receive: Any, send: Any) -> None:
    """Answers in pieces without saying how long they are."""
    await start(send, 200, [(b"X-Mixed-Case", b"Value"), (b"transfer-encoding", b"chunked")])
    for piece in (b"one", b"", b"two"):
        await body(send, piece, more=True)
    await body(send, b"three")


async def test_an_answer_without_a_length_is_chunked() -> None:
    async with serving(chunky) as served, served.client() as client:
        for _ in range(2):
            await client.send(GET)
            answer = await client.answer()
            assert answer.line == b"HTTP/1.1 200 OK"
            assert answer.headers == (
                (b"x-mixed-case", b"Value"),
                (b"transfer-encoding", b"chunked"),
            )
            assert answer.body == b"onetwothree"


async def test_for_an_old_client_it_ends_with_the_connection() -> None:
    async with serving(chunky) as served, served.client() as client:
        await client.send(OLD)
        answer = await client.answer()
    assert answer.headers == ((b"x-mixed-case", b"Value"), (b"connection", b"close"))
    assert answer.body == b"onetwothree"


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", 200, b"7"), ("HEAD", 200, None), ("GET", 204, None), ("GET", 304, b"7")],
)
async def test_an_answer_without_a_body_has_none(
    method: str, status: int, length: bytes | None
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, status, [(b"content-length", length)] if length else [])
        await body(send, b"ignored")

    async with serving(app) as served, served.client() as client:
        request = GET.replace(b"GET", method.encode())
        await client.send(request + request)
        for _ in range(2):
            answer = await client.answer(bodiless=True)
            assert answer.status == status
            assert answer.headers == (((b"content-length", length),) if length else ())


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_the_connection_ends_when_the_client_wants_that(version: bytes) -> None:
    async with serving(Echo(answer=b"ok")) as served:
        connection = b"Connection: close\r\n" if version == b"1.1" else b""
        said = await served.say(
            b"GET / HTTP/" + version + b"\r\n" + HOST + connection + b"\r\n" + GET
        )
    assert said == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


async def test_the_connection_ends_when_the_application_wants_that() -> None:
    app = Echo(answer=b"ok", headers=[(b"connection", b"Close")])
    async with serving(app) as served:
        said = await served.say(GET + GET)
    assert said == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


async def test_the_head_leaves_before_the_body_exists() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await go.wait()
        await body(send, b"late")

    async with serving(app) as served, served.client() as client:
        await client.send(GET)
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        go.set()
        assert await client.chunks() == b"late"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x", b"a\r\nset-cookie: evil")],
        [(b"x", b"a\nb")],
        [(b"x", b"a\0b")],
        [(b"x: y\r\nz", b"a")],
        [(b"", b"a")],
        [(b"x ", b"a")],
        [(b"content-length", b"1"), (b"content-length", b"2")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"1, 1")],
    ],
)
async def test_a_header_that_would_break_the_head_is_not_sent(
    headers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 200, headers)

    async with serving(app) as served, served.client() as client:
        await client.send(GET)
        answer = await client.answer()
    assert answer.status == 500
    assert answer.body == b"Internal Server Error"
    assert "could not be answered" in caplog.text


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Fails as its path says."""
    match scope["path"]:
        case "/early":
            raise LookupError("before the head")
        case "/nothing":
            return
        case "/late":
            await start(send)
            await body(send, b"begun", more=True)
            raise LookupError("after the head")
        case "/long":
            await start(send, 200, [(b"content-length", b"2")])
            await body(send, b"too long")
        case "/short":
            await start(send, 200, [(b"content-length", b"20")])
            await body(send, b"too short")
        case "/twice":
            await start(send)
            await start(send)
        case "/body":
            await body(send, b"no head")


@pytest.mark.parametrize("path", ["/early", "/nothing", "/body"])
async def test_a_failure_before_the_head_is_a_500(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(failing) as served:
        said = await served.say(GET.replace(b"/ ", path.encode() + b" "))
    assert said.startswith(b"HTTP/1.1 500 ")
    assert said.endswith(b"connection: close\r\n\r\nInternal Server Error")
    assert path in caplog.text


@pytest.mark.parametrize("path", ["/late", "/long", "/short", "/twice"])
async def test_a_failure_after_the_head_leaves_the_answer_incomplete(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    async with serving(failing) as served, served.client() as client:
        await client.send(GET.replace(b"/ ", path.encode() + b" "))
        with pytest.raises((asyncio.IncompleteReadError, ValueError)):
            await client.answer()


async def test_pipelined_requests_are_answered_one_by_one_in_their_order() -> None:
    busy: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        busy.append(scope["path"])
        assert len(busy) == 1
        await asyncio.sleep(0)
        await Echo()(scope, receive, send)
        busy.clear()

    async with serving(app) as served, served.client() as client:
        await client.send(b"".join(post(b"%d" % number) for number in range(50)))
        for number in range(50):
            assert (await client.answer()).body == b"%d" % number


async def test_requests_pile_up_no_further_than_what_has_arrived_at_once() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await Echo()(scope, receive, send)

    async with serving(app) as served, served.client() as client:
        await client.send(GET + GET)
        await until(lambda: served.service.connections)
        (connection,) = served.service.connections
        await until(lambda: not connection._reading)
        go.set()
        for _ in range(2):
            assert (await client.answer()).status == 200
        assert connection._reading
