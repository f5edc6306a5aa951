"""When the real probe says yes: a 200 and nothing else, and quickly."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from llmstack.engine import health
from llmstack.engine.health import HttpProbe
from tests.engine.simulation import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """A server that says ``answer`` to everything, or accepts and never answers."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if answer is not None:
                writer.write(answer)
                await writer.drain()
            else:
                await reader.read()
        finally:
            writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        await listener.wait_closed()


def http(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", ""]).encode()


@asynccontextmanager
async def probing() -> AsyncIterator[HttpProbe]:
    probe = HttpProbe()
    try:
        yield probe
    finally:
        probe.close()


@pytest.mark.top40(33, "exactly 200")
@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (http("200 OK"), True),
        (http("204 No Content"), False),
        (http("404 Not Found"), False),
        (http("503 Service Unavailable"), False),
        (b"this is not HTTP\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_ready_means_exactly_200(answer: bytes, *, ready: bool) -> None:
    async with server(answer) as url, probing() as probe:
        assert await probe.ready(f"{url}/health") is ready
        assert await probe.ready(f"{url}/health") is ready


async def test_a_redirect_to_a_healthy_place_is_not_ready() -> None:
    async with server(http("200 OK")) as healthy:
        moved = http("302 Found", f"Location: {healthy}/health")
        async with server(moved) as url, probing() as probe:
            assert not await probe.ready(f"{url}/health")


async def test_nobody_there_is_not_ready() -> None:
    async with probing() as probe:
        assert not await probe.ready(f"http://127.0.0.1:{free_port()}/health")
        assert not await probe.ready("http://no-such-host.invalid/health")


async def test_a_server_that_never_answers_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_LIMIT", 0.05)
    async with server(None) as url, probing() as probe:
        assert not await probe.ready(f"{url}/health")


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    async with server(http("200 OK")) as url, probing() as probe:
        assert await probe.ready(f"{url}/health")


async def test_a_port_is_taken_when_something_listens_there() -> None:
    async with server(http("500 No")) as url:
        assert HttpProbe().taken(url)
        assert HttpProbe().taken(url.replace("127.0.0.1", "localhost"))
    assert not HttpProbe().taken(url)


def test_only_addresses_of_this_machine_are_asked_whether_they_are_taken() -> None:
    assert not HttpProbe().taken("http://192.0.2.1:80")
    assert not HttpProbe().taken("http://localhost")


def test_closing_a_probe_that_never_probed_is_allowed() -> None:
    HttpProbe().close()
