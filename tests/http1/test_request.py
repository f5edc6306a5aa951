"""What goes out: the request line, Host, Content-Length, the caller's headers, large bodies."""

from __future__ import annotations

import asyncio
import socket

import pytest

from llmstack.http1 import Broken, Pool, Unreachable
from tests.http1.raw_server import (
    OK,
    PATIENCE,
    Peer,
    always,
    ask,
    serving,
    sized,
    until,
    whole,
)

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 40_960  # 10 MiB


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_a_request_without_a_body_has_no_length(pool: Pool, method: str) -> None:
    async with serving(always(sized(b""))) as server:
        await ask(pool, server.base, method, target=b"/a%2Fb?x=%20&y")
        (request,) = server.requests
    assert request.line == method.encode() + b" /a%2Fb?x=%20&y HTTP/1.1"
    assert request.lines == (b"host: " + server.base.removeprefix("http://").encode(),)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_an_empty_body_has_length_zero_where_a_body_is_expected(
    pool: Pool, method: str
) -> None:
    async with serving(always(sized(b""))) as server:
        await ask(pool, server.base, method)
        assert server.requests[0].all(b"content-length") == [b"0"]


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_a_body_goes_out_with_its_length(pool: Pool, method: str) -> None:
    async with serving(always(sized(b""))) as server:
        await ask(pool, server.base, method, b"the body")
        (request,) = server.requests
    assert request.all(b"content-length") == [b"8"]
    assert request.body == b"the body"


async def test_the_callers_headers_go_out_as_they_are(pool: Pool) -> None:
    headers = ((b"accept", b"a"), (b"X-Case", b"Q\xff"), (b"accept", b"b"), (b"x-empty", b""))
    async with serving(always(sized(b""))) as server:
        await ask(pool, server.base, headers=headers)
        (request,) = server.requests
    assert request.lines[:-1] == (b"accept: a", b"X-Case: Q\xff", b"accept: b", b"x-empty: ")
    assert request.lines[-1].startswith(b"host: ")


async def test_the_callers_host_is_the_only_one(pool: Pool) -> None:
    async with serving(always(sized(b""))) as server:
        await ask(pool, server.base, headers=((b"host", b"example.com"),))
        assert server.requests[0].lines == (b"host: example.com",)


@pytest.mark.parametrize("prefix", ["/v1", "/v1/", "/a/b//"])
async def test_a_path_prefix_precedes_the_target(pool: Pool, prefix: str) -> None:
    async with serving(always(sized(b""))) as server:
        await ask(pool, server.base + prefix, target=b"/chat?q")
        wanted = prefix.rstrip("/").encode() + b"/chat?q"
        assert server.requests[0].line == b"GET " + wanted + b" HTTP/1.1"


async def test_prefixes_of_one_server_share_its_connections(pool: Pool) -> None:
    async with serving(always(sized(b""))) as server:
        await ask(pool, server.base + "/one")
        await ask(pool, server.base + "/two")
        await ask(pool, server.base)
        assert len(server.peers) == 1


async def test_ipv6_hosts_are_put_in_brackets(pool: Pool) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    async with serving(always(sized(b"six")), host="::1") as server:
        assert (await ask(pool, server.base)).body == b"six"
        (host,) = server.requests[0].all(b"host")
    assert host == server.base.removeprefix("http://").encode()
    assert host.startswith(b"[::1]:")


async def test_a_name_is_looked_up(pool: Pool) -> None:
    async with serving(always(sized(b"named"))) as server:
        base = server.base.replace("127.0.0.1", "localhost")
        assert (await ask(pool, base)).body == b"named"
        assert server.requests[0].all(b"host") == [base.removeprefix("http://").encode()]


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, len(LARGE)])
async def test_bodies_of_any_size_arrive_whole(pool: Pool, size: int) -> None:
    async with serving(always(sized(b"thanks"))) as server:
        for _ in range(2):
            assert (await ask(pool, server.base, "POST", LARGE[:size])).body == b"thanks"
        assert [request.body == LARGE[:size] for request in server.requests] == [True, True]
        assert len(server.peers) == 1


async def test_a_server_that_reads_slowly_gets_the_whole_body(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        while len(got) < len(LARGE):
            got.extend(await peer.reader.read(100_000))
            await asyncio.sleep(0)
        await peer.send(sized(b"thanks"))
        await peer.gone()

    got = bytearray()
    async with serving(play) as server:
        assert (await ask(pool, server.base, "POST", LARGE)).body == b"thanks"
    assert got == LARGE


async def test_an_answer_may_come_while_the_body_is_still_being_sent(pool: Pool) -> None:
    """It is passed on at once, and the connection is not used again in that state."""

    async def play(peer: Peer) -> None:
        if peer.number > 1:
            await always(sized(b"second"))(peer)
            return
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(sized(b"too large", first=b"HTTP/1.1 413 Too Large\r\n"))
        await peer.gone()

    async with serving(play) as server:
        answer = await ask(pool, server.base, "POST", LARGE)
        assert (answer.status, answer.body) == (413, b"too large")
        assert (await ask(pool, server.base)).body == b"second"
        assert len(server.peers) == 2


async def test_an_early_answer_survives_the_reset_that_follows(pool: Pool) -> None:
    """Servers that refuse an upload close with most of it unread."""

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(sized(b"too large", first=b"HTTP/1.1 413 Too Large\r\n"))
        peer.close()

    async with serving(play) as server:
        for _ in range(20):
            response = await pool.request("POST", server.base, b"/", (), LARGE)
            assert response.status == 413
            assert await whole(response) == b"too large"
            response.close()


async def test_an_answer_may_be_streamed_while_the_body_is_still_being_sent(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(OK + b"Content-Length: %d\r\n\r\n" % len(LARGE))
        for _ in range(len(LARGE) // 65_536):
            await peer.send(await peer.reader.readexactly(65_536))
        await peer.gone()

    async with serving(play) as server:
        assert (await ask(pool, server.base, "POST", LARGE)).body == LARGE


async def test_a_server_that_ends_its_side_unread_does_not_hold_the_request(pool: Pool) -> None:
    """It will not answer, so nobody waits for the body to be sent."""

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.write_eof()
        await left.wait()

    left = asyncio.Event()
    async with serving(play) as server:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(Unreachable):
                await pool.request("POST", server.base, b"/", (), LARGE)
        await until(lambda: not pool._all)
        left.set()


async def test_a_server_that_dies_while_it_reads_is_unreachable(pool: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readexactly(500_000)
        peer.reset()

    async with serving(play) as server:
        with pytest.raises(Unreachable):
            await ask(pool, server.base, "POST", LARGE)
        assert len(server.peers) == 1


async def test_a_server_that_dies_while_it_reads_after_the_head_breaks_the_answer(
    pool: Pool,
) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readexactly(500_000)
        await peer.send(OK + b"\r\nsome")
        await until(lambda: seen)
        peer.reset()

    seen = []
    async with serving(play) as server:
        response = await pool.request("POST", server.base, b"/", (), LARGE)
        seen.append(await response.read())
        assert seen == [b"some"]
        with pytest.raises(Broken):
            await response.read()
        response.close()
