"""Requests that others might read otherwise than we do are refused, and nothing after them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmstack.http1.server import OVERHEAD
from tests.http1.raw_server import chunk, until
from tests.http1.served import GET, HOST, Echo, body, post, serving, start

pytestmark = pytest.mark.anyio

POST = b"POST / HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
CODED = b"Transfer-Encoding: chunked\r\n"

REFUSED = [
    # Where a body ends.
    (POST + b"Content-Length: 5\r\n" + CODED + b"\r\n0\r\n\r\n", 400),
    (POST + CODED + b"Content-Length: 5\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    (POST + b"Content-Length: 3\r\nContent-Length: 40\r\n\r\nabc", 400),
    (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    (POST + b"Content-Length: -3\r\n\r\nabc", 400),
    (POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
    (POST + b"Content-Length: 3 3\r\n\r\nabc", 400),
    (POST + b"Content-Length: \r\n\r\nabc", 400),
    (POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc", 400),
    (POST + b"Transfer-Encoding: xchunked\r\n\r\n" + chunk(b""), 501),
    (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk(b""), 501),
    (POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunk(b""), 400),
    (POST + CODED + CODED + b"\r\n" + chunk(b""), 400),
    (POST + CODED + b"Transfer-Encoding: identity\r\n\r\n" + chunk(b""), 400),
    (POST + b"Transfer-Encoding : chunked\r\n\r\n" + chunk(b""), 400),
    (POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + chunk(b""), 400),
    (b"POST / HTTP/1.0\r\n" + HOST + CODED + b"\r\n" + chunk(b""), 400),
    # Chunks.
    (POST + CODED + b"\r\n3\nabc\r\n0\r\n\r\n", 400),
    (POST + CODED + b"\r\n3 \r\nabc\r\n0\r\n\r\n", 400),
    (POST + CODED + b"\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    (POST + CODED + b"\r\n-3\r\nabc\r\n0\r\n\r\n", 400),
    (POST + CODED + b"\r\n0x3\r\nabc\r\n0\r\n\r\n", 400),
    (POST + CODED + b"\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400),
    (POST + CODED + b"\r\n3;a\nb\r\nabc\r\n0\r\n\r\n", 400),
    # Lines.
    (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
    (POST + b"X: a\r\n folded\r\n\r\n", 400),
    (POST + b" X: a\r\n\r\n", 400),
    (POST + b"X: a\0b\r\n\r\n", 400),
    (POST + b"X\0: ab\r\n\r\n", 400),
    (POST + b": ab\r\n\r\n", 400),
    (POST + b"no colon\r\n\r\n", 400),
    # Whom it is for.
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"Host: there\r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\n" + HOST + b"Host: there\r\n\r\n", 400),
    # What it is.
    (b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET relative HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"NONSENSE / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    (b"GET /\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"CONNECT there:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (POST + b"Expect: more\r\nContent-Length: 0\r\n\r\n", 417),
    (POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 9\r\n\r\n", 400),
]


def no_websocket(transport: asyncio.Transport, request: bytes) -> None:
    """None of them may begin one."""
    pytest.fail("a WebSocket began")


def statuses(answers: bytes) -> list[int]:
    """The statuses of the answers, whose bodies hold no status line."""
    return [int(piece[:3]) for piece in answers.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(("request_", "status"), REFUSED)
async def test_it_is_refused_and_what_follows_is_not_read(request_: bytes, status: int) -> None:
    app = Echo(answer=b"")
    async with serving(app, websocket=no_websocket) as served:
        said = await served.say(request_, SMUGGLED)
    assert statuses(said)[-1:] == [status]
    assert b"connection: close" in said
    assert "/smuggled" not in [scope["path"] for scope in app.scopes]


@pytest.mark.parametrize(("request_", "status"), REFUSED)
async def test_what_was_asked_before_it_is_answered_first(request_: bytes, status: int) -> None:
    async with serving(Echo(answer=b""), websocket=no_websocket) as served:
        said = await served.say(GET + post(b"x") + request_ + SMUGGLED)
    assert statuses(said) == [200, 200, status]


@pytest.mark.parametrize(
    "flood",
    [
        b"GET /" + b"a" * 400_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 400_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 80_000,
        POST + CODED + b"\r\n3\r\nabc\r\n0\r\n" + b"X: a\r\n" * 80_000,
        POST + CODED + b"\r\n3;" + b"a" * 400_000,
    ],
    ids=["target", "header", "headers", "trailers", "extension"],
)
async def test_a_head_without_end_is_refused(flood: bytes) -> None:
    assert len(flood) > 4 * OVERHEAD
    async with serving(Echo()) as served:
        said = await served.say(flood)
    assert statuses(said) == [431]


async def test_an_application_that_waits_for_a_broken_body_learns_that_nothing_comes() -> None:
    learned = asyncio.get_running_loop().create_future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        learned.set_result(message["type"])
        await start(send)
        await body(send, b"nobody hears this")

    async with serving(app) as served, served.client() as client:
        await client.send(POST + CODED + b"\r\n" + chunk(b"abc"))
        await until(lambda: served.service.tasks)
        await client.send(b"no size\r\n")
        said = await client.ended()
        assert await learned == "http.disconnect"
    assert statuses(said) == [400]
    assert b"nobody" not in said


async def test_an_answer_that_has_begun_is_left_incomplete_when_the_request_breaks() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b"begun", more=True)
        await receive()

    async with serving(app) as served, served.client() as client:
        await client.send(POST + CODED + b"\r\n")
        assert await client.reader.readuntil(b"begun\r\n")
        await client.send(b"no size\r\n")
        assert await client.ended() == b""


async def test_the_reason_reaches_a_client_that_still_sends() -> None:
    """A close with unread bytes would be a reset, which throws the answer away."""
    async with serving(Echo()) as served:
        for _ in range(20):
            said = await served.say(b"GET / HTTP/1.1\r\n\r\n" + b"x" * 200_000)
            assert statuses(said) == [400]
