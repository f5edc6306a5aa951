"""Answers on their way through: as they arrive, no faster than they are read, honest to the end."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.server.house import error_of
from tests.server.raw_upstream import JSON_HEAD, OK, SSE_HEAD, Peer, RawRequest
from tests.server.wire import Answer, Wire, ask, chat, eventually, within

if TYPE_CHECKING:
    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
STREAM = json.dumps(chat("raw", stream=True)).encode()


def events(answer: Answer) -> list[str]:
    """The events of a stream, comments included, without the empty ones."""
    return [event.strip() for event in answer.body.decode().split("\n\n") if event.strip()]


def data_of(event: str) -> dict[str, object]:
    """The JSON of an event's data line."""
    (line,) = [line for line in event.splitlines() if line.startswith("data: ")]
    decoded: dict[str, object] = json.loads(line[6:])
    return decoded


@pytest.mark.top40(20, "chunks leave at once")
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses", "/v1/completions"])
async def test_a_chunk_leaves_before_the_next_one_exists(
    house: House, raw: RawUpstream, path: str
) -> None:
    """The upstream sends the next chunk only once the client has the one before."""
    received = asyncio.Semaphore(0)

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await received.acquire()  # not even the head waits for a first chunk
        for number in range(5):
            await peer.chunk(b"data: %d\n\n" % number)
            await received.acquire()
        await peer.chunk(b"")

    async with raw.play(answer), Wire(house.gateway) as wire:
        await wire.request("POST", path, (), STREAM)
        got = await wire.head()
        received.release()
        for number in range(5):
            assert await wire.piece(got) == b"data: %d\n\n" % number
            received.release()
        assert await wire.piece(got) == b""


async def test_an_answer_of_known_length_leaves_as_it_arrives(
    house: House, raw: RawUpstream
) -> None:
    received = asyncio.Semaphore(0)

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(JSON_HEAD + b"Content-Length: 6\r\n\r\n")
        for piece in (b"one", b"two"):
            await peer.send(piece)
            await received.acquire()

    async with raw.play(answer), Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), STREAM)
        got = await wire.head()
        assert got.header("content-length") == "6"
        assert await within(wire.reader.readexactly(3)) == b"one"
        received.release()
        assert await within(wire.reader.readexactly(3)) == b"two"
        received.release()


async def test_comments_and_pings_reach_the_client(house: House, raw: RawUpstream) -> None:
    """llama-server sends ``:`` lines while it reads a long prompt; clients wait by them."""
    sent = [b":\n\n", b": ping 1\n\n", b"event: ping\ndata: {}\n\n", b"data: [DONE]\n\n"]

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        for event in sent:
            await peer.chunk(event)
        await peer.chunk(b"")

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, STREAM)
    assert got.body == b"".join(sent)


@pytest.mark.top40(20, "X-Accel-Buffering: no")
async def test_an_event_stream_asks_proxies_not_to_buffer(house: House, raw: RawUpstream) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"")

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, STREAM)
    assert got.header("x-accel-buffering") == "no"
    assert got.header("content-type") == "text/event-stream"


async def test_a_server_that_closes_after_every_stream_is_never_noticed(
    house: House, raw: RawUpstream
) -> None:
    """llama-server promises keep-alive on an event stream and closes all the same."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        if b'"stream": true' in request.body:
            await peer.send(SSE_HEAD + b"Keep-Alive: timeout=5, max=100\r\n\r\n")
            await peer.chunk(b"data: 1\n\n")
            await peer.chunk(b"data: [DONE]\n\n")
            await peer.chunk(b"")
            peer.close()
        else:
            await peer.reply(b'{"n": 1}', JSON_HEAD + b"Keep-Alive: timeout=5, max=100\r\n")

    async def client(offset: int) -> None:
        async with Wire(house.gateway) as wire:
            for number in range(50):
                streamed = (number * 7 + offset) % 3 != 0
                body = json.dumps(chat("raw", stream=streamed)).encode()
                await wire.request("POST", CHAT, (), body)
                got = await wire.answer()
                assert got.status == 200, got
                assert got.complete
                expected = b"data: 1\n\ndata: [DONE]\n\n" if streamed else b'{"n": 1}'
                assert got.body == expected

    async with raw.play(answer):
        await asyncio.gather(*(client(offset) for offset in range(8)))
    assert len(raw.requests) >= 400


@pytest.mark.top40(20, "a truncated stream ends cleanly")
async def test_a_stream_that_breaks_off_ends_with_an_error_event(
    house: House, raw: RawUpstream
) -> None:
    """Every byte that came is delivered, then an error, then a clean end of the chunks."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b'data: {"n": 1}\n\n')
        peer.close()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, STREAM)
    assert got.complete
    first, last = events(got)
    assert data_of(first) == {"n": 1}
    error = data_of(last)["error"]
    assert isinstance(error, dict)
    assert "broke off" in error["message"]


async def test_a_broken_stream_tells_anthropics_clients_in_their_words(
    house: House, raw: RawUpstream
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"event: message_start\ndata: {}\n\n")
        peer.abort()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", "/v1/messages", STREAM)
    assert got.complete
    last = events(got)[-1]
    assert last.startswith("event: error\n")
    assert data_of(last)["type"] == "error"


@pytest.mark.parametrize("cut", [b'data: {"n', b'data: {"n": 2}', b'data: {"n": 2}\n'])
async def test_an_error_event_stands_apart_from_a_half_event(
    house: House, raw: RawUpstream, cut: bytes
) -> None:
    """It must not become the rest of the line at which the upstream broke off."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b'data: {"n": 1}\n\n' + cut)
        peer.close()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, STREAM)
    assert got.complete
    assert "error" in data_of(events(got)[-1])


@pytest.mark.parametrize(
    "garbage", [b"zz\r\nnonsense\r\n", b"-5\r\n", b"ffffffffffffffffff\r\nx", b"5\r\nabcdefgh\r\n"]
)
async def test_chunks_that_make_no_sense_end_a_stream_with_an_error(
    house: House, raw: RawUpstream, garbage: bytes
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b'data: {"n": 1}\n\n')
        await peer.send(garbage)
        await peer.gone()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, STREAM)
    assert got.complete
    assert "error" in data_of(events(got)[-1])


@pytest.mark.parametrize(
    "start",
    [
        JSON_HEAD + b'Content-Length: 100\r\n\r\n{"choices": [',
        JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\nd\r\n{"choices": [\r\n',
        JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\nff\r\n{"choices": [',
        OK + b"Content-Length: 100\r\n\r\n",
    ],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_a_json_answer_that_breaks_off_is_not_taken_for_a_whole_one(
    house: House, raw: RawUpstream, start: bytes, *, reset: bool
) -> None:
    """Cut short or an honest error, but never a success."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(start)
        if reset:
            peer.abort()
        else:
            peer.close()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert not got.complete or error_of(got)[0] == 502


async def test_after_a_break_the_next_request_gets_a_new_connection(
    house: House, raw: RawUpstream
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        if peer.number == 1:
            await peer.send(JSON_HEAD + b"Content-Length: 100\r\n\r\n{")
            peer.abort()
        else:
            await peer.reply(b"[1]")

    async with raw.play(answer):
        await ask(house.gateway, "POST", CHAT, chat("raw"))
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert (got.status, got.body) == (200, b"[1]")


@pytest.mark.parametrize("head", [SSE_HEAD, OK + b"Content-Length: 400000000\r\n"])
async def test_a_client_that_does_not_read_stops_the_reading_upstream(
    house: House, raw: RawUpstream, head: bytes
) -> None:
    """Back-pressure: only the buffers on the way fill up, and they are bounded."""
    written = 0
    piece = b"x" * 65_536

    async def answer(peer: Peer, request: RawRequest) -> None:
        nonlocal written
        await peer.send(head + b"\r\n")
        while written < 400_000_000:
            if b"chunked" in head:
                await peer.chunk(piece)
            else:
                await peer.send(piece)
            written += len(piece)

    process = psutil.Process()
    before = process.memory_info().rss
    async with raw.play(answer), Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), STREAM)
        await wire.head()
        quiet_since, seen = time.monotonic(), -1
        while time.monotonic() < quiet_since + 0.5:
            if written != seen:
                quiet_since, seen = time.monotonic(), written
            await asyncio.sleep(0.02)
        grown = process.memory_info().rss - before
        assert 0 < written < 50_000_000
        assert grown < 30_000_000
        # Reading goes on where it stopped.
        await within(wire.reader.readexactly(20_000_000))
        await eventually(lambda: written > seen)


async def test_many_streams_run_side_by_side(house: House, raw: RawUpstream) -> None:
    """No stream waits for another one's end: all have to be open before any may go on."""
    everybody = asyncio.Barrier(40)

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"data: 1\n\n")
        await within(everybody.wait())
        await peer.chunk(b"data: 2\n\n")
        await peer.chunk(b"")

    async with raw.play(answer):
        answers = await asyncio.gather(
            *(ask(house.gateway, "POST", CHAT, STREAM) for _ in range(40))
        )
    assert all(one.body == b"data: 1\n\ndata: 2\n\n" for one in answers)


async def test_a_whole_stream_of_a_model_server_arrives(house: House) -> None:
    got = await ask(house.gateway, "POST", CHAT, chat("fast", stream=True, tokens=5))
    assert got.complete
    assert got.body.count(b'"content": ') == 5
    assert events(got)[-1] == "data: [DONE]"
