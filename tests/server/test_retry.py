"""A request is tried again once, on a connection that had gone stale, before a first byte came."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.server.house import anthropic_error_of, error_of
from tests.server.raw_upstream import JSON_HEAD, OK, Peer, RawRequest
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_kept_connection_that_went_stale_is_replaced(
    house: House, raw: RawUpstream, method: str, *, reset: bool
) -> None:
    """The upstream closes a kept connection without a byte when the next request arrives."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        if request.body == b"second" and peer.number == 1:
            if reset:
                peer.abort()
            else:
                peer.close()
        else:
            await peer.reply(request.body)

    async with raw.play(answer):
        await ask(house.gateway, method, "/upstream/raw/x", b"first")
        got = await ask(house.gateway, method, "/upstream/raw/x", b"second")
    assert (got.status, got.body) == (200, b"second")
    assert [request.connection for request in raw.requests] == [1, 1, 2]


async def test_a_large_body_is_sent_again_whole(house: House, raw: RawUpstream) -> None:
    body = json.dumps(chat("raw", "x" * 5_000_000)).encode()

    async def answer(peer: Peer, request: RawRequest) -> None:
        if peer.number == 1 and len(request.body) > 1000:
            peer.abort()
        else:
            await peer.reply()

    async with raw.play(answer):
        await ask(house.gateway, "POST", CHAT, chat("raw"))
        assert (await ask(house.gateway, "POST", CHAT, body)).status == 200
    assert raw.requests[-1].body == body


async def test_many_stale_connections_at_once_are_all_replaced(
    house: House, raw: RawUpstream
) -> None:
    """However many kept connections have died, a request gets a living one."""
    together = asyncio.Barrier(20)

    async def answer(peer: Peer, request: RawRequest) -> None:
        if request.body == b"fill":
            await together.wait()
            await peer.reply()
        elif peer.number <= 20:
            peer.close()
        else:
            await peer.reply(b"alive")

    async with raw.play(answer):
        await asyncio.gather(
            *(ask(house.gateway, "POST", "/upstream/raw/", b"fill") for _ in range(20))
        )
        for _ in range(5):
            got = await ask(house.gateway, "POST", "/upstream/raw/", b"go")
            assert (got.status, got.body) == (200, b"alive")


async def test_a_server_that_never_answers_a_byte_is_asked_twice_at_most(
    house: House, raw: RawUpstream
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        peer.close()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert error_of(got)[0] == 502
    assert 1 <= len(raw.requests) <= 2


@pytest.mark.parametrize(
    "begun", [b"H", b"HTTP/1.1 20", OK + b"Content-Ty", JSON_HEAD + b"Content-Length: 9\r\n\r\n{"]
)
async def test_a_request_is_not_repeated_once_an_answer_has_begun(
    house: House, raw: RawUpstream, begun: bytes
) -> None:
    """The model has worked for it already; a second run would cost again and may differ."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        if request.body == b"first":
            await peer.reply()
        else:
            await peer.send(begun)
            peer.close()

    async with raw.play(answer):
        await ask(house.gateway, "POST", "/upstream/raw/x", b"first")
        got = await ask(house.gateway, "POST", "/upstream/raw/x", b"second")
    assert [request.body for request in raw.requests] == [b"first", b"second"]
    assert not got.complete or error_of(got)[0] == 502


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        OK + b"Content-Length: five\r\n\r\nhello",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
)
async def test_an_answer_that_is_not_http_is_a_bad_gateway(
    house: House, raw: RawUpstream, nonsense: bytes
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(nonsense)
        await peer.gone()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
        told = await ask(house.gateway, "POST", "/v1/messages", chat("raw"))
    assert error_of(got)[0] == 502
    assert anthropic_error_of(told)[0] == 502
