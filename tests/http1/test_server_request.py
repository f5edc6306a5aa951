"""What an application is told of a request, however its bytes arrive."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.http1 import EXCHANGE, ServerConnection, Service
from tests.http1.raw_server import chunk, cut
from tests.http1.served import GET, HOST, Echo, post, serving
from tests.http1.wire import Wire

if TYPE_CHECKING:
    from llmstack.http1.exchange import Scope

pytestmark = pytest.mark.anyio

CHUNKED = b"POST /c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
TRAILED = (
    CHUNKED + b'3;name=value;quoted="a b"\r\nabc\r\n' + b"0\r\nX-Trailer: 1\r\nHost: evil\r\n\r\n"
)


async def test_the_scope_is_what_was_sent() -> None:
    app = Echo()
    head = b"POST /a//b%2Fc%C3%A9?x=1&y=%20?z HTTP/1.1\r\n" + HOST
    head += b"X-Twice: one\r\nx-TWICE:two \t\r\nEmpty:\r\nContent-Length: 2\r\n\r\n"
    async with serving(app) as served, served.client() as client:
        await client.send(head + b"hi")
        assert (await client.answer()).body == b"hi"
        name = client.writer.get_extra_info("sockname")
    (scope,) = app.scopes
    assert EXCHANGE not in scope  # else each would hold the other until they are collected
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "root_path": "",
        "path": "/a//b/cé",
        "raw_path": b"/a//b%2Fc%C3%A9",
        "query_string": b"x=1&y=%20?z",
        "headers": [
            (b"host", b"here"),
            (b"x-twice", b"one"),
            (b"x-twice", b"two"),
            (b"empty", b""),
            (b"content-length", b"2"),
        ],
        "client": name,
        "server": ("127.0.0.1", served.port),
    }


@pytest.mark.parametrize(
    ("target", "raw_path", "query"),
    [
        (b"/?", b"/", b""),
        (b"//two/slashes", b"//two/slashes", b""),
        (b"*", b"*", b""),
        (b"http://other/p?q", b"/p", b"q"),
        (b"http://other", b"/", b""),
        (b"/p?q#fragment", b"/p", b"q"),
        (b"/p#fragment?q", b"/p", b""),
    ],
)
async def test_every_form_of_a_target_has_its_path(
    target: bytes, raw_path: bytes, query: bytes
) -> None:
    app = Echo()
    async with serving(app) as served, served.client() as client:
        method = b"OPTIONS " if target == b"*" else b"GET "
        await client.send(method + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await client.answer()).status == 200
    assert (app.scopes[0]["raw_path"], app.scopes[0]["query_string"]) == (raw_path, query)


async def test_trailers_are_no_headers() -> None:
    app = Echo()
    async with serving(app) as served, served.client() as client:
        await client.send(TRAILED + GET)
        assert (await client.answer()).body == b"abc"
        assert (await client.answer()).body == b""
    assert app.scopes[0]["headers"] == [(b"host", b"here"), (b"transfer-encoding", b"chunked")]


async def test_a_body_that_is_waited_for_comes_in_one_message() -> None:
    messages = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        messages.append(await receive())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    data = bytes(range(256)) * 8192
    async with serving(app) as served, served.client() as client:
        await client.send(*cut(post(data), list(range(1, 2_000_000, 70_001))))
        assert (await client.answer()).status == 204
    assert messages == [{"type": "http.request", "body": data, "more_body": False}]


@pytest.mark.parametrize("given_up", [False, True], ids=["read", "left unread"])
async def test_100_continue_is_sent_to_whoever_waits_for_it_once_the_body_is_asked_for(
    given_up: bool,
) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if given_up:
            scope["headers"].clear()
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body"})
        else:
            await Echo()(scope, receive, send)

    async with serving(app) as served, served.client() as client:
        await client.send(post(b"", b"Expect: 100-Continue").replace(b"th: 0", b"th: 2"))
        first = await client.answer()
        if given_up:
            # Nobody knows whether the body will come, so this connection can have no next request.
            assert first.status == 401
            assert first.all(b"connection") == [b"close"]
            assert await client.ended() == b""
            return
        assert first.status == 100
        await client.send(b"hi" + GET)
        assert (await client.answer()).body == b"hi"
        assert (await client.answer()).status == 200


async def test_no_100_continue_for_a_body_that_has_come() -> None:
    async with serving(Echo()) as served, served.client() as client:
        await client.send(post(b"hi", b"Expect: 100-continue"))
        assert (await client.answer()).status == 200


SEVERAL = (
    post(b"first body", b"X-Long: " + b"v" * 300, path=b"/one?q=1"),
    TRAILED,
    GET,
    b"\r\n" + post(b"", path=b"/" + b"long/" * 60),
    b"POST /u HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 3\r\n\r\nabc",
    CHUNKED + chunk(b"x" * 100) + chunk(b"y") + chunk(b""),
    b"POST /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 3\r\n\r\nend",
)


def told(pieces: list[bytes]) -> tuple[list[Scope], list[bytes], bytes]:
    """What an application is told, and what the client gets, for a stream cut like this."""
    app = Echo()

    async def play() -> bytes:
        connection = ServerConnection(Service(app, 60.0))
        wire = Wire()
        connection.connection_made(wire)
        for piece in pieces:
            while not wire.reads():  # noqa: ASYNC110
                await asyncio.sleep(0)
            connection.data_received(piece)
        async with asyncio.timeout(10):
            while not wire.is_closing():  # noqa: ASYNC110  what is awaited has no event
                await asyncio.sleep(0)
        connection.connection_lost(None)
        return bytes(wire.written)

    written = asyncio.run(play())
    return app.scopes, app.bodies, written


@cache
def whole() -> tuple[list[Scope], list[bytes], bytes]:
    """The same for every request in a piece of its own."""
    return told(list(SEVERAL))


def test_several_requests_are_read_as_they_were_written() -> None:
    scopes, bodies, _ = whole()
    assert bodies == [b"first body", b"abc", b"", b"", b"abc", b"x" * 100 + b"y", b"end"]
    assert [scope["path"] for scope in scopes][:3] == ["/one", "/c", "/"]
    assert (b"upgrade", b"h2c") not in scopes[4]["headers"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, len(b"".join(SEVERAL))), max_size=40))
def test_any_cut_of_the_bytes_is_read_alike(places: list[int]) -> None:
    assert told(cut(b"".join(SEVERAL), places)) == whole()


def test_bytes_one_by_one_are_read_alike() -> None:
    stream = b"".join(SEVERAL)
    assert told(cut(stream, list(range(len(stream))))) == whole()
