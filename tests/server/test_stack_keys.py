"""A stack with keys: streams, what goes upstream, and pages, with time held still."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from llmstack.config.workdir import WorkDir
from llmstack.server.key_file import add_key, revoke_key
from tests.server.house import House, running, side_by_side, tier
from tests.server.raw_upstream import SSE_HEAD, Peer, RawRequest
from tests.server.test_access import bearer
from tests.server.wire import Wire, ask, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with running(
        tmp_path, side_by_side(), tiers=(tier("raw", "agent", 50_000),), raw=["raw"]
    ) as house:
        yield house
        await house.freed()


def made(house: House, name: str, **more: object) -> list[tuple[str, str]]:
    """A new key that the running stack knows, as headers."""
    secret, _ = add_key(house.work.keys, name, now=0, **more)  # type: ignore[arg-type]
    house.stack.keys.refresh()
    return bearer(secret)


def local(house: House) -> list[tuple[str, str]]:
    return bearer(WorkDir(house.work.root).local_key.read_text().strip())


async def test_a_keyed_stream_passes_unbuffered_and_outlives_its_key(house: House) -> None:
    """The model makes the next event only once the client has the one before."""
    key = made(house, "brief")
    received = asyncio.Semaphore(0)

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        for number in range(4):
            await received.acquire()
            await peer.chunk(b"data: %d\n\n" % number)
        await peer.chunk(b"")

    body = json.dumps(chat("auto", stream=True)).encode()
    async with house.raw["raw"].play(answer), Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, key, body)
        got = await wire.head()
        assert got.header("x-accel-buffering") == "no"
        for number in range(4):
            received.release()
            assert await wire.piece(got) == b"data: %d\n\n" % number
            if number == 1:
                revoke_key(house.work.keys, "brief")
                made(house, "other")
                assert (await ask(house.gateway, "POST", CHAT, chat("raw"), key)).status == 401
        assert await wire.piece(got) == b""


async def test_no_key_goes_upstream(house: House) -> None:
    """Neither a client's nor this machine's own, also while none is needed."""
    sent = []

    async def answer(peer: Peer, request: RawRequest) -> None:
        sent.append(request)
        await peer.reply()

    async with house.raw["raw"].play(answer):
        own = [*local(house), ("x-mine", "kept")]
        assert (await ask(house.gateway, "POST", CHAT, chat("raw"), own)).status == 200
        key = [*made(house, "a"), ("x-mine", "kept")]
        for headers in (key, own):
            assert (await ask(house.gateway, "POST", CHAT, chat("raw"), headers)).status == 200
    assert len(sent) == 3
    for request in sent:
        assert request.all(b"x-mine") == [b"kept"]
        assert request.all(b"authorization") == []


async def test_without_keys_this_machine_is_let_in_and_a_proxys_clients_manage_nothing(
    house: House,
) -> None:
    for headers in ([], [("Origin", "http://localhost:3000")]):
        assert (await ask(house.gateway, "GET", "/running", headers=headers)).status == 200
    async with Wire(house.gateway) as wire:
        await wire.send(b"GET /running HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await wire.head()).status == 403, "as nginx asks by default"
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        got = await ask(house.gateway, "GET", "/running", headers=[(name, "for=192.0.2.1")])
        assert got.status == 403
        assert "llmstack keys add" in got.json()["error"]["message"]


async def test_another_programs_page_makes_no_keys(house: House) -> None:
    """Nor may it manage once there are keys."""
    other = [("Origin", "http://localhost:3000")]
    got = await ask(house.gateway, "POST", "/api/keys", {"name": "x"}, other)
    assert (got.status, "may not change who is let in" in got.json()["error"]["message"]) == (
        403,
        True,
    )
    made(house, "a")
    assert (await ask(house.gateway, "GET", "/running", headers=other)).status == 401
    image = [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "no-cors")]
    assert (await ask(house.gateway, "GET", "/unload", headers=image)).status == 401
    link = [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "navigate")]
    assert (await ask(house.gateway, "GET", "/running", headers=link)).status == 200
    assert (await ask(house.gateway, "GET", "/running")).status == 200


async def test_a_page_of_another_name_gets_nothing_at_all(house: House) -> None:
    """Also not what is open to others, and not by a WebSocket."""
    for port in (house.gateway, house.door):
        for path in ("/v1/models", "/api/tags", "/upstream/raw/", "/running", "/api/keys"):
            for header in (("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site")):
                got = await ask(port, "GET", path, headers=[header])
                assert (got.status, got.all("access-control-allow-origin")) == (403, [])
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}/upstream/raw/ws", origin="https://evil.test")
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "[::1", "a b", "localhost@x"])
async def test_a_rebound_name_gets_nothing_at_all(house: House, host: str) -> None:
    for port in (house.gateway, house.door):
        for path in ("/v1/models", "/nothing", "/running"):
            async with Wire(port) as wire:
                await wire.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert (await wire.head()).status == 403
        async with Wire(port) as wire:
            await wire.send(f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await wire.head()).status == 200, "for probes, by whatever name"


async def test_two_hosts_are_none(house: House) -> None:
    async with Wire(house.gateway) as wire:
        await wire.send(b"GET /running HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n")
        assert (await wire.head()).status in (400, 403)


async def test_a_link_may_open_a_page_and_nothing_else(house: House) -> None:
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    assert (await ask(house.gateway, "GET", "/", headers=link)).status == 302
    assert (await ask(house.gateway, "GET", "/unload", headers=link)).status == 403
    assert (await ask(house.gateway, "POST", "/", headers=link)).status == 403


async def test_a_limited_admin_makes_no_key_that_is_wider(house: House) -> None:
    """Nor takes anybody's back; and forwarded, so that it does not count as this machine."""
    far = ("X-Forwarded-For", "192.0.2.1")
    limited = [*made(house, "limited", admin=True, models=("raw",)), far]
    assert (await ask(house.gateway, "GET", "/api/keys", headers=limited)).status == 200
    got = await ask(house.gateway, "POST", "/api/keys", {"name": "wide"}, limited)
    assert got.status == 403
    assert (await ask(house.gateway, "DELETE", "/api/keys/limited", headers=limited)).status == 403
