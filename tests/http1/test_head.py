"""The head of an answer: what is passed on, what is refused, and how much of it is taken in."""

from __future__ import annotations

import asyncio
import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.http1 import Broken, Pool, Unreachable
from llmstack.http1.connection import OVERHEAD
from tests.http1.raw_server import (
    CHUNKED,
    OK,
    Peer,
    always,
    ask,
    chunk,
    cut,
    once,
    serving,
    sized,
    until,
    whole,
)
from tests.http1.wire import answered, wired

pytestmark = pytest.mark.anyio

LENGTH = (b"content-length", b"0")


async def test_headers_keep_their_order_repeats_and_values(pool: Pool) -> None:
    lines = (
        b"Set-Cookie: a=1; Path=/",
        b"X-ODD-case: Value With Case",
        b"set-cookie: b=2",
        b"X-Empty:",
        b"X-Spaces: \t between words \t ",
        b"X-Bytes: \xff\xc3\xa9",
        b"X-Tight:x",
        b"Set-Cookie: a=1; Path=/",
    )
    async with serving(always(sized(b"", *lines))) as server:
        answer = await ask(pool, server.base)
    assert answer.headers == [
        (b"set-cookie", b"a=1; Path=/"),
        (b"x-odd-case", b"Value With Case"),
        (b"set-cookie", b"b=2"),
        (b"x-empty", b""),
        (b"x-spaces", b"between words"),
        (b"x-bytes", b"\xff\xc3\xa9"),
        (b"x-tight", b"x"),
        (b"set-cookie", b"a=1; Path=/"),
        LENGTH,
    ]


TOKEN = st.text("!#$%&'*+-.^_`|~abcXYZ019", min_size=1, max_size=12).map(
    lambda text: b"X-" + text.encode()
)
VALUE = st.binary(max_size=30).map(lambda raw: re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", raw))


@settings(deadline=None)
@given(
    status=st.integers(200, 599).filter(lambda status: status not in {204, 304}),
    pairs=st.lists(st.tuples(TOKEN, VALUE), max_size=12),
    places=st.lists(st.integers(0, 600)),
)
async def test_any_head_arrives_as_it_was_sent(
    status: int, pairs: list[tuple[bytes, bytes]], places: list[int]
) -> None:
    lines = [name + b":" + value for name, value in pairs]
    answer = sized(b"x", *lines, first=b"HTTP/1.1 %d \r\n" % status)
    connection, _ = wired()
    response = await answered(connection, *cut(answer, places))
    sent = [(name.lower(), value.strip(b" \t")) for name, value in pairs]
    assert response.status == status
    assert response.headers == [*sent, (b"content-length", b"1")]
    assert response.header(b"content-length") == b"1"
    assert response.header(b"absent") is None


@pytest.mark.parametrize("framing", [sized(b"body"), CHUNKED + chunk(b"body") + chunk(b"")])
async def test_interim_answers_are_skipped(pool: Pool, framing: bytes) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nX-Interim: 1\r\n\r\n"
    )
    async with serving(always(interim + framing, framing)) as server:
        for _ in range(4):
            answer = await ask(pool, server.base)
            assert (answer.status, answer.body) == (200, b"body")
            assert len(answer.headers) == 1
        assert len(server.peers) == 1


async def test_an_interim_answer_is_not_an_answer(pool: Pool) -> None:
    async with serving(once(b"HTTP/1.1 100 Continue\r\n\r\n")) as server:
        with pytest.raises(Unreachable):
            await ask(pool, server.base)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nframes",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
async def test_a_switch_of_protocols_nobody_asked_for_is_an_error(
    pool: Pool, answer: bytes
) -> None:
    async with serving(always(answer)) as server:
        with pytest.raises(Unreachable):
            await ask(pool, server.base)
        await until(lambda: server.peers[0].ended)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01\x02\x03",
        b"220 mail.example.com ESMTP\r\n",
        b"<html>not HTTP at all</html>",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Too Few\r\n\r\n",
        b"HTTP/1.1 1000 Too Many\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"Name : value\r\n\r\n",
        OK + b": value\r\n\r\n",
        OK + b"Na\xffme: value\r\n\r\n",
        OK + b"Name: va\0lue\r\n\r\n",
        OK + b"Name: va\rlue\r\n\r\n",
        OK + b"Name: folded\r\n over two lines\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ],
)
async def test_what_is_not_http_is_refused_and_the_connection_closed(
    pool: Pool, answer: bytes
) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(answer)
        await peer.gone()

    async with serving(play) as server:
        with pytest.raises(Unreachable, match=r"not HTTP/1\.1"):
            await ask(pool, server.base)
        await until(lambda: not pool._all)
        assert len(server.peers) == 1


async def test_a_head_of_half_the_limit_is_fine(pool: Pool) -> None:
    value = b"v" * (OVERHEAD // 2)
    async with serving(always(sized(b"body", b"X-Long: " + value))) as server:
        for _ in range(5):
            assert (await ask(pool, server.base)).headers[0] == (b"x-long", value)
        assert len(server.peers) == 1


ENDLESS = {
    "headers": (OK, b"X-Name: value\r\n"),
    "one header's name": (OK, b"x" * 100),
    "one header's value": (OK + b"X-Long: ", b"x" * 100),
    "reason": (b"HTTP/1.1 200 ", b"very " * 20),
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "empty lines": (b"", b"\r\n" * 50),
}
ENDLESS_BODIES = {
    "trailers": (CHUNKED + chunk(b"body") + b"0\r\n", b"X-Name: value\r\n"),
    "one trailer": (CHUNKED + chunk(b"body") + b"0\r\nX-Long: ", b"x" * 100),
    "chunk extension": (CHUNKED + chunk(b"body") + b"4;", b"x" * 100),
}


async def _flood(peer: Peer, start: bytes, more: bytes) -> None:
    await peer.receive()
    await peer.send(start)
    more *= 1000
    for _ in range(200_000_000 // len(more)):
        await peer.send(more)
    pytest.fail("the client took it all in")


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_head_is_given_up(pool: Pool, what: str) -> None:
    """Neither memory nor time grows with what the server sends."""
    async with serving(lambda peer: _flood(peer, *ENDLESS[what])) as server:
        tracemalloc.start()
        try:
            with pytest.raises(Unreachable, match="head"):
                await ask(pool, server.base)
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()
        await until(lambda: server.peers[0].ended)


@pytest.mark.parametrize("what", ENDLESS_BODIES)
async def test_an_endless_trailer_is_given_up_after_the_body_was_read(
    pool: Pool, what: str
) -> None:
    async with serving(lambda peer: _flood(peer, *ENDLESS_BODIES[what])) as server:
        response = await pool.request("GET", server.base, b"/")
        assert await response.read() == b"body"
        with pytest.raises(Broken, match="trailer"):
            await response.read()
        response.close()
        await until(lambda: server.peers[0].ended)


async def test_a_long_body_in_small_pieces_is_not_taken_for_an_endless_head() -> None:
    connection, _ = wired()
    asked = asyncio.ensure_future(
        connection.request(b"GET / HTTP/1.1\r\n\r\n", b"", bodiless=False)
    )
    await asyncio.sleep(0)
    connection.data_received(CHUNKED)
    response = await asked
    for _ in range(OVERHEAD // 4):
        for byte in chunk(b"x"):
            connection.data_received(bytes([byte]))
        assert await response.read() == b"x"
    connection.data_received(chunk(b""))
    assert await whole(response) == b""
    assert connection.reusable
