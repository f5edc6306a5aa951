"""Where an answer's body ends, in every way HTTP/1.1 knows, however the bytes arrive."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.http1 import Broken, Pool, Unreachable
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

TRAILED = (
    OK
    + b"Transfer-Encoding: chunked\r\nX-Head: yes\r\n\r\n"
    + b'5;name=value;quoted="a b"\r\nhello\r\n'
    + b"00A\r\n, my world\r\n"
    + b"0;last\r\nX-Trailer: one\r\nX-Trailer: two\r\n\r\n"
)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (sized(b"hello"), b"hello"),
        (sized(b""), b""),
        (CHUNKED + chunk(b"hel") + chunk(b"lo") + chunk(b""), b"hello"),
        (CHUNKED + chunk(b""), b""),
        (TRAILED, b"hello, my world"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk(b"x") + chunk(b""), b"x"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
async def test_a_framed_answer_ends_where_it_says_and_keeps_the_connection(
    pool: Pool, answer: bytes, body: bytes
) -> None:
    async with serving(always(answer, sized(b"next"))) as server:
        assert (await ask(pool, server.base)).body == body
        assert (await ask(pool, server.base)).body == b"next"
        assert len(server.peers) == 1


@pytest.mark.parametrize(
    "head",
    [
        OK,
        OK + b"Connection: keep-alive\r\n",
        OK + b"Content-Type: text/event-stream\r\nConnection: close\r\n",
        b"HTTP/1.0 200 OK\r\n",
    ],
)
@pytest.mark.parametrize("body", [b"", b"until the end"])
async def test_a_body_without_a_length_ends_with_the_connection(
    pool: Pool, head: bytes, body: bytes
) -> None:
    async with serving(once(head + b"\r\n" + body)) as server:
        assert (await ask(pool, server.base)).body == body
        assert (await ask(pool, server.base)).body == body
        assert len(server.peers) == 2


@pytest.mark.parametrize(
    "head",
    [
        sized(b"", first=b"HTTP/1.0 200 OK\r\n"),
        sized(b"", b"Connection: close"),
        sized(b"", b"Connection: Upgrade, Close"),
    ],
)
async def test_a_server_that_says_close_gets_no_second_request(pool: Pool, head: bytes) -> None:
    async with serving(always(head)) as server:
        assert (await ask(pool, server.base)).body == b""
        assert (await ask(pool, server.base)).body == b""
        assert [len(peer.requests) for peer in server.peers] == [1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 500\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        OK + b"Content-Length: 4\r\n\r\nbody",  # against the rules
        OK + b"\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n",
    ],
)
async def test_an_answer_to_head_has_no_body_whatever_it_says(pool: Pool, answer: bytes) -> None:
    async with serving(always(answer)) as server:
        assert (await ask(pool, server.base, "HEAD")).body == b""
        assert (await ask(pool, server.base, "HEAD")).body == b""


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize(
    "start",
    [
        sized(b"12345678")[:-4],
        CHUNKED + b"8\r\n1234",
        CHUNKED + chunk(b"12") + chunk(b"34"),
        CHUNKED + chunk(b"12") + chunk(b"34") + b"0\r\n",
        CHUNKED + chunk(b"1234") + b"0\r\nX-Trailer: cut",
        CHUNKED + chunk(b"1234") + b"no size\r\n",
        CHUNKED + b"4\r\n1234and more\r\n0\r\n\r\n",
        CHUNKED + chunk(b"1234") + b"fffffffffffffffff\r\n",
    ],
)
async def test_what_came_of_a_broken_body_can_be_read_before_the_error(
    pool: Pool, start: bytes, end: str
) -> None:
    shown = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(start)
        if end == "reset":
            await shown.wait()
            peer.reset()

    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        assert response.status == 200
        got = b""
        while got != b"1234":
            piece = await response.read()
            assert piece
            got += piece
        shown.set()
        with pytest.raises(Broken):
            await response.read()
        assert not response.exhausted
        with pytest.raises(Broken):
            await response.read()
        response.close()


async def test_a_reset_in_a_body_that_ends_with_the_connection_is_no_end(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(OK + b"\r\nhalf")
        await until(lambda: seen)
        peer.reset()

    seen = []
    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        seen.append(await response.read())
        with pytest.raises(Broken):
            await response.read()
        response.close()


async def test_a_body_whose_coding_hides_its_end_is_not_taken_for_whole(pool: Pool) -> None:
    async with serving(once(OK + b"Transfer-Encoding: gzip\r\n\r\nzipped")) as server:
        with pytest.raises(Broken):
            await ask(pool, server.base)


async def test_the_client_closing_does_not_complete_a_body_without_a_length(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(OK + b"\r\nhalf")
        await peer.gone()

    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        assert await response.read() == b"half"
        pool.close()
        with pytest.raises(Broken):
            await response.read()
        assert not response.complete


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 1x\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
    ],
)
async def test_contradictory_lengths_are_refused(pool: Pool, lines: bytes) -> None:
    async with serving(once(OK + lines + b"\r\n1\r\na\r\n0\r\n\r\n")) as server:
        with pytest.raises(Unreachable, match=r"not HTTP/1\.1"):
            await ask(pool, server.base)


async def test_an_answer_cut_in_two_at_any_byte_arrives_whole() -> None:
    connection, _ = wired()
    for place in range(len(TRAILED)):
        response = await answered(connection, *cut(TRAILED, [place]))
        assert (b"x-head", b"yes") in response.headers
        assert len(response.headers) == 2
        assert await whole(response) == b"hello, my world"
        assert connection.reusable


async def test_an_answer_that_arrives_byte_by_byte_arrives_whole() -> None:
    connection, _ = wired()
    for _ in range(3):
        response = await answered(connection, *cut(TRAILED, list(range(len(TRAILED)))))
        assert await whole(response) == b"hello, my world"


async def test_trailers_do_not_turn_up_in_the_next_answer(pool: Pool) -> None:
    async with serving(always(TRAILED, sized(b"next"))) as server:
        first = await ask(pool, server.base)
        second = await ask(pool, server.base)
    assert (b"x-trailer", b"one") not in first.headers
    assert second.headers == [(b"content-length", b"4")]


# Properties.

PIECES = st.lists(st.binary(max_size=80), max_size=8)
FRAMINGS = st.sampled_from(["length", "chunked", "close"])
EXTENSIONS = st.sampled_from([b"", b";a", b";a=b", b';a="b c"'])
TRAILERS = st.lists(st.sampled_from([b"X-T: 1\r\n", b"X-U: a:b\r\n", b"X-E:\r\n"]))


@st.composite
def framed(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """An answer, its body, and whether the connection's end ends it."""
    pieces = draw(PIECES)
    body = b"".join(pieces)
    match draw(FRAMINGS):
        case "length":
            return sized(body), body, False
        case "close":
            return OK + b"\r\n" + body, body, True
    answer = CHUNKED
    for piece in filter(None, pieces):
        size = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"000%X"])) % len(piece)
        answer += size + draw(EXTENSIONS) + b"\r\n" + piece + b"\r\n"
    answer += b"0" + draw(EXTENSIONS) + b"\r\n" + b"".join(draw(TRAILERS)) + b"\r\n"
    return answer, body, False


INTERIM = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 102 Processing\r\nX-Step: 1\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n",
        ]
    ),
    max_size=3,
)


@settings(deadline=None)
@given(
    exchanges=st.lists(st.tuples(INTERIM, framed(), st.lists(st.integers(0, 700))), max_size=5),
)
async def test_any_sequence_of_answers_in_any_pieces_arrives_intact(
    exchanges: list[tuple[list[bytes], tuple[bytes, bytes, bool], list[int]]],
) -> None:
    connection, wire = wired()
    for interim, (answer, body, ends), places in exchanges:
        response = await answered(connection, *cut(b"".join(interim) + answer, places), end=ends)
        assert response.status == 200
        assert len(response.headers) == (0 if ends else 1)
        assert await whole(response) == body
        assert response.exhausted
        assert connection.reusable is not ends
        assert wire.aborted is ends
        if ends:
            connection, wire = wired()


@settings(deadline=None)
@given(framed(), st.integers(0, 1000))
async def test_a_cut_answer_is_never_taken_for_whole(
    answer: tuple[bytes, bytes, bool], where: int
) -> None:
    raw, body, ends = answer
    at = where % len(raw)
    connection, _ = wired()
    try:
        response = await answered(connection, raw[:at], end=True)
    except Unreachable:
        assert b"\r\n\r\n" not in raw[:at]
        return
    got = b""
    try:
        got = await whole(response)
    except Broken:
        assert not response.complete
    else:
        assert ends
    assert body.startswith(got)


@settings(deadline=None, max_examples=25)
@given(pieces=st.lists(st.binary(max_size=3000), max_size=6), framing=FRAMINGS, step=st.booleans())
async def test_any_pieces_arrive_intact_over_a_socket(
    pieces: list[bytes], framing: str, *, step: bool
) -> None:
    """With ``step``, each piece is sent when the one before has been read."""
    body = b"".join(pieces)

    async def play(peer: Peer) -> None:
        await peer.receive()
        if framing == "length":
            await peer.send(OK + b"Content-Length: %d\r\n\r\n" % len(body))
        else:
            await peer.send(CHUNKED if framing == "chunked" else OK + b"\r\n")
        sent = 0
        for piece in filter(None, pieces):
            await peer.send(chunk(piece) if framing == "chunked" else piece)
            sent += len(piece)
            if step:
                await until(partial(arrived, sent))
        if framing == "chunked":
            await peer.send(chunk(b""))
        if framing != "close":
            await peer.gone()

    def arrived(sent: int) -> bool:
        return len(got) == sent

    pool = Pool()
    got = b""
    async with serving(play) as server:
        response = await pool.request("GET", server.base, b"/")
        while piece := await response.read():
            got += piece
        response.close()
        assert got == body
        pool.close()
    await until(lambda: not pool._all)
