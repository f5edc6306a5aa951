"""A client that leaves frees its slot at once, whatever was being done for it (W25)."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.server.conftest import free_ports
from tests.server.house import fake, one_at_a_time, release, running
from tests.server.raw_upstream import SSE_HEAD, Peer, RawRequest
from tests.server.wire import Wire, ask, chat, eventually, within

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"

#: Seconds within which the upstream must hear of it, on a busy machine.
QUICK = 2.0


def body(model: str, **more: object) -> bytes:
    return json.dumps(chat(model, **more)).encode()


class Watched:
    """An upstream that answers with ``start`` and notes when its client has gone."""

    def __init__(self, start: bytes = b"") -> None:
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()
        self._start = start

    async def __call__(self, peer: Peer, request: RawRequest) -> None:
        self.asked.set()
        if self._start:
            await peer.send(self._start)
        await peer.gone()
        peer.close()
        self.gone.set()


@pytest.mark.top40(21, "leaving ends the generation")
@pytest.mark.parametrize("target", [CHAT, "/v1/messages", "/upstream/raw/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_ends_the_work_upstream(
    house: House, raw: RawUpstream, target: str, *, stream: bool
) -> None:
    """Before a first byte too: that is when a long prompt is read."""
    upstream = Watched()
    async with raw.play(upstream):
        async with Wire(house.gateway) as wire:
            await wire.request("POST", target, (), body("raw", stream=stream))
            await within(upstream.asked.wait())
            assert house.in_flight("raw") == 1
        left = time.monotonic()
        await within(upstream.gone.wait())
        assert time.monotonic() - left < QUICK
        await house.freed()


@pytest.mark.top40(21, "leaving ends the generation")
async def test_a_client_that_leaves_in_mid_stream_ends_it(house: House, raw: RawUpstream) -> None:
    upstream = Watched(SSE_HEAD + b"\r\n9\r\ndata: 1\n\n\r\n")
    async with raw.play(upstream):
        async with Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, (), body("raw", stream=True))
            got = await wire.head()
            assert await wire.piece(got) == b"data: 1\n\n"
        left = time.monotonic()
        await within(upstream.gone.wait())
        assert time.monotonic() - left < QUICK
        await house.freed()


async def test_a_client_that_closes_politely_counts_as_gone(house: House, raw: RawUpstream) -> None:
    """A FIN, not only a reset."""
    upstream = Watched()
    async with raw.play(upstream), Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), body("raw"))
        await within(upstream.asked.wait())
        wire.writer.close()
        await within(upstream.gone.wait())
        await house.freed()


async def test_a_client_that_leaves_while_it_is_not_reading_frees_its_slot(
    house: House, raw: RawUpstream
) -> None:
    """The gateway then waits for room to write, not for the upstream."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        for _ in range(10_000):
            await peer.chunk(b"x" * 65_536)

    async with raw.play(answer):
        async with Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, (), body("raw", stream=True))
            await wire.head()
            await eventually(raw.peers[0].writer.transport.get_write_buffer_size)
        await house.freed()


async def test_a_client_that_leaves_during_its_upload_is_forgotten(
    house: House, raw: RawUpstream
) -> None:
    upstream = Watched()
    async with raw.play(upstream):
        async with Wire(house.gateway) as wire:
            head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            await wire.send(head.encode() + body("raw")[:20] + b"x" * 500_000)
        assert (await ask(house.gateway, "GET", "/health")).status == 200
        await house.freed()
    assert not raw.requests


async def test_many_clients_that_leave_do_not_use_up_anything(
    house: House, raw: RawUpstream
) -> None:
    """W14: abandoned streams once filled up all workers, and then nobody was served."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        if request.target.endswith("last"):
            await peer.reply(b"served")
            return
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"data: 1\n\n")
        await peer.gone()
        peer.close()

    async def visitor() -> None:
        async with Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, (), body("raw", stream=True))
            await wire.piece(await wire.head())

    async with raw.play(answer):
        for _ in range(4):
            await asyncio.gather(*(visitor() for _ in range(50)))
        await house.freed()
        assert (await ask(house.gateway, "GET", "/upstream/raw/last")).body == b"served"


@pytest.mark.top40(21, "leaving the queue starts no load")
async def test_a_client_that_leaves_the_queue_is_not_served(tmp_path: Path) -> None:
    """Its model is not even loaded when nobody else wants it."""
    ports = free_ports(2)
    swap = one_at_a_time(*(fake(name, port) for name, port in zip("ab", ports, strict=True)))
    async with running(tmp_path, swap) as house, Wire(house.gateway) as busy:
        await busy.request("POST", CHAT, (), body("a", paced=True, tokens=1))
        await eventually(lambda: house.in_flight("a") == 1)
        async with Wire(house.gateway) as queued:
            await queued.request("POST", CHAT, (), body("b"))
            await eventually(lambda: house.engine._scheduler._queue)
        await eventually(lambda: not house.engine._scheduler._queue)
        await release(ports[0])
        assert (await busy.answer()).status == 200
        assert (house.state("a"), house.state("b")) == ("ready", "stopped")


async def test_a_client_that_leaves_while_its_model_loads_leaves_the_model(
    tmp_path: Path,
) -> None:
    """The load goes on, since the next request will want it; nothing is held for the client."""
    (port,) = free_ports(1)
    ready = tmp_path / "ready"
    swap = one_at_a_time(fake("m", port, "--ready-file", str(ready)))
    async with running(tmp_path, swap) as house:
        async with Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, (), body("m"))
            await eventually(lambda: house.state("m") == "starting")
        await eventually(lambda: not house.engine._scheduler._queue)
        ready.touch()
        await eventually(lambda: house.state("m") == "ready")
        assert house.in_flight("m") == 0
        counts = (await ask(port, "GET", "/control")).json()
        assert counts["left"] == counts["active"] == 0


async def test_a_client_that_stays_is_not_taken_for_one_that_left(
    house: House, raw: RawUpstream
) -> None:
    """Long after the watch for a departure has begun."""
    go = asyncio.Event()

    async def answer(peer: Peer, request: RawRequest) -> None:
        await go.wait()
        await peer.reply(b"late")

    async with raw.play(answer), Wire(house.gateway) as wire:
        for _ in range(3):
            go.clear()
            await wire.request("POST", CHAT, (), body("raw"))
            asyncio.get_running_loop().call_later(0.2, go.set)
            assert (await wire.answer()).body == b"late"
