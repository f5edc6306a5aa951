"""Answers of peers on their way back: nothing is held up, changed or left running."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.server.house import anthropic_error_of, error_of
from tests.server.raw_upstream import JSON_HEAD, SSE_HEAD, Peer, RawRequest
from tests.server.wire import Wire, ask, chat, within

if TYPE_CHECKING:
    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BODY = json.dumps(chat("slow", stream=True)).encode()


@pytest.fixture
def house(surface_house: House) -> House:
    return surface_house


@pytest.fixture
def peer(house: House) -> RawUpstream:
    """The peer that has the model ``slow``."""
    return house.raw["late"]


async def test_a_peers_stream_leaves_as_it_comes_and_asks_proxies_not_to_buffer(
    house: House, peer: RawUpstream
) -> None:
    """Once, also when the peer asks for that itself."""
    received = asyncio.Semaphore(0)

    async def answer(end: Peer, request: RawRequest) -> None:
        await end.send(SSE_HEAD + b"X-Accel-Buffering: no\r\n\r\n")
        for number in range(3):
            await end.chunk(b"data: %d\n\n" % number)
            await received.acquire()
        await end.chunk(b"")

    async with peer.play(answer), Wire(house.door) as wire:
        await wire.request("POST", CHAT, (), BODY)
        got = await wire.head()
        assert got.header("x-accel-buffering") == "no"
        assert got.header("x-llmstack-model") == "late/slow"
        for number in range(3):
            assert await wire.piece(got) == b"data: %d\n\n" % number
            received.release()
        assert await wire.piece(got) == b""


async def test_a_peers_stream_that_breaks_off_ends_with_an_error_event(
    house: House, peer: RawUpstream
) -> None:
    async def answer(end: Peer, request: RawRequest) -> None:
        await end.send(SSE_HEAD + b"\r\n")
        await end.chunk(b"data: 1\n\n")
        end.close()

    async with peer.play(answer):
        got = await ask(house.door, "POST", CHAT, BODY)
    assert got.complete
    first, last = [event for event in got.body.split(b"\n\n") if event]
    assert first == b"data: 1"
    error = json.loads(last.removeprefix(b"data: "))["error"]
    assert error["message"].startswith("peer proxy error: ")
    assert error["code"] == "bad_gateway"


async def test_a_client_that_leaves_ends_the_peers_work(house: House, peer: RawUpstream) -> None:
    """Before the first byte and in mid-stream."""
    gone = asyncio.Semaphore(0)

    for head in (b"", SSE_HEAD + b"\r\n9\r\ndata: 1\n\n\r\n"):
        asked = asyncio.Event()

        async def answer(
            end: Peer, request: RawRequest, head: bytes = head, asked: asyncio.Event = asked
        ) -> None:
            await end.send(head)
            asked.set()
            await end.gone()
            gone.release()

        async with peer.play(answer):
            async with Wire(house.door) as wire:
                await wire.request("POST", CHAT, (), BODY)
                await within(asked.wait())
                if head:
                    assert await wire.piece(await wire.head()) == b"data: 1\n\n"
            await within(gone.acquire())


async def test_a_peers_own_errors_are_the_clients(house: House, peer: RawUpstream) -> None:
    async def answer(end: Peer, request: RawRequest) -> None:
        head = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 9\r\nContent-Type: application/json\r\n"
        await end.reply(b'{"theirs": 1}', head)

    async with peer.play(answer):
        got = await ask(house.door, "POST", CHAT, chat("slow"))
    assert (got.status, got.header("retry-after"), got.json()) == (429, "9", {"theirs": 1})


async def test_a_peer_that_hangs_up_without_a_word_is_a_bad_gateway(
    house: House, peer: RawUpstream
) -> None:
    async def answer(end: Peer, request: RawRequest) -> None:
        end.close()

    async with peer.play(answer):
        assert error_of(await ask(house.door, "POST", CHAT, chat("slow")))[0] == 502
        got = await ask(house.door, "POST", "/v1/messages", chat("slow"))
        assert anthropic_error_of(got)[0] == 502
        assert got.json()["error"]["type"] == "api_error"


async def test_what_a_client_sends_reaches_a_peer_byte_for_byte(
    house: House, peer: RawUpstream
) -> None:
    """Without filters, and with the name that the peer itself has for its model."""

    async def answer(end: Peer, request: RawRequest) -> None:
        await end.reply(b"[1]", JSON_HEAD)

    odd = b'{ "x":1e2,\t"model":"slow" , "x":2}'
    async with peer.play(answer):
        got = await ask(house.door, "POST", f"{CHAT}?q=%2F", odd)
        assert got.body == b"[1]"
        await ask(house.door, "POST", CHAT, odd.replace(b"slow", b"late/slow"))
    first, second = peer.requests
    assert (first.target, first.body) == (f"{CHAT}?q=%2F", odd)
    assert second.body == odd
    assert first.all(b"content-length") == [b"%d" % len(odd)]
