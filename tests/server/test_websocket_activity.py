"""WebSockets are in the live table while they are open, and have a row when they are not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from llmstack.config.swap import SwapModel
from llmstack.config.swap_parts import Peer
from tests.server.activity_house import QUIET
from tests.server.conftest import free_ports
from tests.server.house import fake, running, side_by_side
from tests.server.wire import ask, eventually, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.server import ServerConnection

    from tests.server.house import House

pytestmark = pytest.mark.anyio


class Echo:
    """A model that sends back what it gets, with its last connection."""

    def __init__(self) -> None:
        self.peer: ServerConnection | None = None

    async def __call__(self, peer: ServerConnection) -> None:
        self.peer = peer
        async for message in peer:
            await peer.send(message)


@asynccontextmanager
async def echoing(root: Path, **more: Any) -> AsyncIterator[tuple[House, Echo]]:
    """A stack whose model ``ws``, and ``ws`` of the peer ``far``, send back what they get."""
    port, slow = free_ports(2)
    model = SwapModel(
        id="ws", cmd="sleep 600", proxy=f"http://127.0.0.1:{port}", check_endpoint="none"
    )
    model = replace(model, **more)
    swap = replace(
        side_by_side(model, fake("slow", slow, "--slow-start", "600")),
        performance=QUIET,
        peers={"far": Peer(id="far", proxy=f"http://127.0.0.1:{port}", models=("ws",))},
    )
    echo = Echo()
    async with running(root, swap) as house:
        (await house.engine.lease(model)).release()
        async with serve(echo, "127.0.0.1", port):
            yield house, echo


def socket(house: House, target: str, **more: Any) -> connect:
    return connect(f"ws://127.0.0.1:{house.door}{target}", proxy=None, close_timeout=2, **more)


async def said(client: ClientConnection, text: str) -> None:
    await client.send(text)
    assert await within(client.recv()) == text


async def row(house: House) -> dict[str, Any]:
    """The only finished request, once it has finished."""
    await eventually(lambda: not len(house.stack._activity.inflight))
    got = await ask(house.door, "GET", "/api/metrics/activity")
    (only,) = got.json()["data"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("ignored", [False, True])
async def test_a_websocket_is_live_while_open_and_then_a_row(
    tmp_path: Path, *, ignored: bool
) -> None:
    async with echoing(tmp_path, ignore_websockets=ignored) as (house, _):
        secret = [("X-Session-ID", "s"), ("Authorization", "Bearer sk-1")]
        async with socket(house, "/upstream/ws/live?x=1", additional_headers=secret) as client:
            await said(client, "✓✓")
            (shown,) = house.stack._activity.inflight.snapshot()["requests"]
        kept = await row(house)
        counted = await ask(house.door, "GET", "/metrics")
    assert (shown["model"], shown["req_path"], shown["method"]) == ("ws", "/live", "GET")
    assert shown["resp_bytes"] == 6
    assert shown["req_headers"]["Authorization"] == "[REDACTED]"
    assert (kept["model"], kept["req_path"], kept["resp_status_code"]) == ("ws", "/live", 101)
    assert kept["metadata"]["session"] == "s"
    assert "error_msg" not in kept
    assert b'llmstack_model_requests_total{model="ws",status="101"} 1\n' in counted.body


async def test_a_websocket_of_a_peer_has_a_row_too(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (house, _):
        async with socket(house, "/upstream/far/ws/live") as client:
            await said(client, "x")
        kept = await row(house)
        counted = await ask(house.door, "GET", "/metrics")
    assert (kept["model"], kept["resp_status_code"]) == ("far/ws", 101)
    assert b'llmstack_model_requests_total{model="far/ws",status="101"} 1\n' in counted.body


@pytest.mark.parametrize("name", ["ws", "far/ws"])
async def test_cancelling_an_open_websocket_closes_both_ends(tmp_path: Path, name: str) -> None:
    async with echoing(tmp_path) as (house, echo):
        async with socket(house, f"/upstream/{name}/live") as client:
            await said(client, "x")
            assert (await ask(house.door, "POST", "/api/inflight/1/cancel")).status == 200
            with pytest.raises(ConnectionClosed):
                await within(client.recv())
            assert (client.close_code, "cancelled" in (client.close_reason or "")) == (1001, True)
        assert echo.peer
        await within(echo.peer.wait_closed())
        assert echo.peer.close_code == 1001
        kept = await row(house)
        await house.freed()
    assert (kept["resp_status_code"], "cancelled" in kept["error_msg"]) == (499, True)


async def test_cancelling_a_websocket_that_waits_for_its_model_refuses_it(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (house, _):

        async def knock() -> None:
            async with socket(house, "/upstream/slow/live"):
                pass

        knocking = asyncio.ensure_future(knock())
        await eventually(lambda: house.state("slow") == "starting")
        assert (await ask(house.door, "POST", "/api/inflight/1/cancel")).status == 200
        with pytest.raises(InvalidStatus):
            await within(knocking)
        kept = await row(house)
        await house.freed()
    assert (kept["resp_status_code"], "cancelled" in kept["error_msg"]) == (499, True)


async def test_a_websocket_that_the_model_does_not_accept_has_a_row_with_status_502(
    tmp_path: Path,
) -> None:
    async with echoing(tmp_path) as (house, _):
        model = house.engine.config.models["ws"]
        (port,) = free_ports(1)
        away = replace(model, proxy=f"http://127.0.0.1:{port}")
        models = {**house.engine.config.models, "ws": away}
        house.engine.config = replace(house.engine.config, models=models)
        with pytest.raises(InvalidStatus):
            async with socket(house, "/upstream/ws/live"):
                pass
        kept = await row(house)
    assert kept["resp_status_code"] == 502
    assert kept["error_msg"]
