"""Answers of a model process as they come back: their framing, heads and odd shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.raw_upstream import JSON_HEAD, OK, Peer, RawRequest
from tests.server.wire import Wire, ask, chat, within

if TYPE_CHECKING:
    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


async def test_every_set_cookie_comes_back(house: House, raw: RawUpstream) -> None:
    cookies = [b"a=1; Path=/", b"b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT", b"a=3"]

    async def answer(peer: Peer, request: RawRequest) -> None:
        lines = b"".join(b"Set-Cookie: %s\r\n" % cookie for cookie in cookies)
        await peer.reply(head=JSON_HEAD + lines)

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert got.all("set-cookie") == [cookie.decode() for cookie in cookies]


async def test_date_and_server_are_the_models_own_and_single(
    house: House, raw: RawUpstream
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        date = b"Date: Wed, 21 Oct 2026 07:28:00 GMT\r\n"
        await peer.reply(head=JSON_HEAD + date + b"Server: llama.cpp\r\n")

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert got.header("date") == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert got.header("server") == "llama.cpp"


async def test_head_shows_the_length_and_sends_no_body(house: House, raw: RawUpstream) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        if request.method == "HEAD":
            await peer.send(JSON_HEAD + b"Content-Length: 4321\r\n\r\n")
        else:
            await peer.reply(b"[1]")

    async with raw.play(answer), Wire(house.gateway) as wire:
        await wire.request("HEAD", "/upstream/raw/x")
        got = await wire.answer(method="HEAD")
        assert got.header("content-length") == "4321"
        await wire.request("GET", "/upstream/raw/x")  # the connection is still in step
        assert (await wire.answer()).body == b"[1]"


@pytest.mark.parametrize("length", [b"", b"Content-Length: 4321\r\n"])
async def test_not_modified_has_no_body_whatever_its_length_says(
    house: House, raw: RawUpstream, length: bytes
) -> None:
    """RFC 9110, section 8.6: a 304 may carry the length that a 200 would have."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n' + length + b"\r\n")

    async with raw.play(answer):
        got = await ask(house.gateway, "GET", "/upstream/raw/app.js")
    assert got.status == 304
    assert got.header("etag") == '"x"'


async def test_no_content_has_no_body(house: House, raw: RawUpstream) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with raw.play(answer), Wire(house.gateway) as wire:
        for _ in range(2):
            await wire.request("DELETE", "/upstream/raw/x")
            got = await wire.answer()
            assert got.status == 204
            assert not got.all("transfer-encoding")
    assert raw.connections == 1


async def test_interim_answers_are_skipped(house: House, raw: RawUpstream) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await peer.reply(b"[1]")

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert (got.status, got.body) == (200, b"[1]")
    assert not got.all("link")


async def test_redirects_and_odd_statuses_are_the_clients_business(
    house: House, raw: RawUpstream
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        if request.target == "/moved":
            await peer.reply(b"", b"HTTP/1.1 302 Found\r\nLocation: /elsewhere%2F?a\r\n")
        else:
            await peer.reply(b"short", b"HTTP/1.1 418 I'm a teapot\r\nRetry-After: 7\r\n")

    async with raw.play(answer):
        moved = await ask(house.gateway, "GET", "/upstream/raw/moved")
        teapot = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert (moved.status, moved.header("location")) == (302, "/elsewhere%2F?a")
    assert (teapot.status, teapot.body, teapot.header("retry-after")) == (418, b"short", "7")
    assert len(raw.requests) == 2


async def test_an_answer_that_ends_with_its_connection_is_whole(
    house: House, raw: RawUpstream
) -> None:
    """RFC 9112, section 6.3: no length and no chunks means until the connection closes."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nsome ")
        await peer.send(b"words")
        peer.close()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert got.complete
    assert got.body == b"some words"


async def test_large_answer_headers_pass(house: House, raw: RawUpstream) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.reply(head=JSON_HEAD + b"X-Large: " + b"x" * 60_000 + b"\r\n")

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert got.status == 200
    assert len(got.header("x-large")) == 60_000


async def test_what_an_upstream_sends_beyond_its_answer_reaches_nobody(
    house: House, raw: RawUpstream
) -> None:
    """Response splitting: a second answer must not become the answer to the next request."""
    stray = OK + b"Content-Length: 5\r\n\r\nstray"
    cut = OK + b"Content-Length: 500\r\n\r\ncut"

    async def answer(peer: Peer, request: RawRequest) -> None:
        number = int(request.target.rpartition("/")[2])
        extra = (b"", stray, cut, b"garbage")[number % 4]
        await peer.send(OK + b"Content-Length: 1\r\n\r\n%d" % number + extra)

    async with raw.play(answer), Wire(house.gateway) as wire:
        for number in range(8):
            await wire.request("GET", f"/upstream/raw/{number}")
            got = await within(wire.answer(), 10)
            assert (got.status, got.body) == (200, b"%d" % number)
