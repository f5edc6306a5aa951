"""A client waits as long as it takes; its caller ends that, and the server is told."""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from llmstack.client import AsyncLlamaSwap, ImageRequest
from tests.client.swap_server import IMAGES
from tests.server.wire import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.client.driver import Driver
    from tests.client.swap_server import SwapServer

IMAGE = {"data": [{"b64_json": "QUJD"}]}
CALLS: dict[str, Callable[..., Any]] = {
    "chat": lambda client, **more: client.chat("a").create("hello", **more),
    "sdk": lambda client, **more: client.openai.models.list(**more),
    "list_models": lambda client, **more: client.list_models(**more),
    "running": lambda client, **more: client.running(**more),
    "load": lambda client, **more: client.load("a", **more),
    "unload": lambda client, **more: client.unload("a", **more),
    "route": lambda client, **more: client.route("hello", **more),
    "images": lambda client, **more: client.images.generate(ImageRequest("a", "sd"), **more),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def ready(server: SwapServer) -> None:
    """Answer everything that ``CALLS`` ask."""
    for path in ("/api/models/load/a", "/api/models/unload/a", "/running", "/api/route"):
        server.answer(path, {})
    server.answer("/v1/models", {"object": "list", "data": []})
    server.answer(IMAGES, IMAGE)


@every_call
@pytest.mark.parametrize("given", [False, True])
def test_no_request_has_a_time_limit(
    server: SwapServer, driver: Driver, call: Callable[..., Any], given: bool
) -> None:
    """Not even with a client of the caller's that has one; it is not closed either."""
    ready(server)
    limits: list[Any] = []

    def note(request: Any) -> None:
        limits.append(request.extensions["timeout"])

    async def note_async(request: Any) -> None:
        note(request)

    http = driver.http_type(timeout=3) if given else None
    client = driver.new(server.url, http_client=http)
    client._http.event_hooks = {"request": [note_async if driver.is_async else note]}
    driver.do(call(client))
    assert limits == [dict.fromkeys(("connect", "read", "write", "pool"))]
    if http:
        driver.do(client.close())
        assert not http.is_closed
        driver.do(http.aclose() if driver.is_async else http.close())


@every_call
def test_a_slow_server_is_waited_for(
    server: SwapServer, driver: Driver, call: Callable[..., Any]
) -> None:
    ready(server)
    server.gate.clear()
    client, done = driver.new(server.url), []
    asking = Thread(target=lambda: done.append(driver.do(call(client))))
    asking.start()
    assert server.arrived.wait(PATIENCE)
    assert done == []
    server.gate.set()
    asking.join(PATIENCE)
    assert len(done) == 1


@every_call
def test_a_call_can_be_given_a_time_limit(
    server: SwapServer, driver: Driver, call: Callable[..., Any]
) -> None:
    """The error is the transport's, or the SDK's for chat; the request is gone at the server."""
    server.gate.clear()
    sdk = call in (CALLS["chat"], CALLS["sdk"])
    with pytest.raises(openai.APITimeoutError if sdk else httpx2.TimeoutException):
        driver.do(call(driver.new(server.url), timeout=0.2))
    assert server.left.wait(PATIENCE)


@every_call
@pytest.mark.parametrize("by", ["cancel", "deadline"])
def test_cancelling_ends_the_request_at_the_server(
    server: SwapServer, call: Callable[..., Awaitable[Any]], by: str
) -> None:
    server.gate.clear()

    async def bounded(client: AsyncLlamaSwap) -> None:
        async with asyncio.timeout(PATIENCE) as limit:
            task = asyncio.ensure_future(call(client))
            assert await asyncio.to_thread(server.arrived.wait, PATIENCE)
            limit.reschedule(asyncio.get_running_loop().time())
            await task

    async def run() -> None:
        async with AsyncLlamaSwap(server.url) as client:
            if by == "cancel":
                task = asyncio.ensure_future(call(client))
                assert await asyncio.to_thread(server.arrived.wait, PATIENCE)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                with pytest.raises(TimeoutError):
                    await bounded(client)
            assert await asyncio.to_thread(server.left.wait, PATIENCE)
            server.gate.set()
            ready(server)
            assert await client.list_models() == []

    asyncio.run(run())


@every_call
def test_a_transports_error_is_given_as_it_is(driver: Driver, call: Callable[..., Any]) -> None:
    """The SDK wraps it in an error of its own, as its users know."""
    client = driver.new("http://127.0.0.1:1")
    sdk = call in (CALLS["chat"], CALLS["sdk"])
    with pytest.raises(openai.APIConnectionError if sdk else httpx2.ConnectError) as raised:
        driver.do(call(client))
    assert isinstance(raised.value.__cause__ if sdk else raised.value, httpx2.ConnectError)
