"""WebSockets pass through, both ways, with what ends them."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from llmstack.config.swap import SwapModel
from tests.server.conftest import free_ports
from tests.server.house import fake, running, side_by_side
from tests.server.wire import Wire, eventually, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

    from tests.server.house import House
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio


class Chatty:
    """A model that speaks WebSocket. ``act`` is what it does with each connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.act: Callable[[ServerConnection], Awaitable[None]] = self.echo
        self.seen: list[ServerConnection] = []

    async def echo(self, peer: ServerConnection) -> None:
        async for message in peer:
            await peer.send(message)

    async def __call__(self, peer: ServerConnection) -> None:
        self.seen.append(peer)
        await self.act(peer)


def prefer_v2(_: object, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("chat.v2") if "chat.v2" in offered else next(iter(offered), None)


@pytest.fixture(scope="module")
async def chatty_house(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[House, Chatty]]:
    port, other = free_ports(2)
    model = SwapModel(
        id="ws", cmd="sleep 600", proxy=f"http://127.0.0.1:{port}", check_endpoint="none"
    )
    swap = side_by_side(model, fake("org/fake", other))
    chatty = Chatty(port)
    async with running(tmp_path_factory.mktemp("ws"), swap) as house:
        (await house.engine.lease(model)).release()
        async with serve(
            chatty,
            "127.0.0.1",
            port,
            select_subprotocol=prefer_v2,
            ping_interval=None,
            max_size=None,
        ):
            yield house, chatty


@pytest.fixture
async def house(chatty_house: tuple[House, Chatty]) -> AsyncIterator[House]:
    yield chatty_house[0]
    await chatty_house[0].freed()


@pytest.fixture
async def chatty(chatty_house: tuple[House, Chatty], house: House) -> AsyncIterator[Chatty]:
    chatty = chatty_house[1]
    chatty.act = chatty.echo
    chatty.seen.clear()
    yield chatty
    for peer in chatty.seen:
        await within(peer.wait_closed())


@asynccontextmanager
async def socket(port: int, target: str, **more: Any) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"ws://127.0.0.1:{port}{target}", proxy=None, close_timeout=2, **more
    ) as client:
        yield client


@pytest.mark.top40(22, "WebSocket")
@pytest.mark.parametrize(
    "target", ["/upstream/ws/live", "/v1/chat/completions?model=ws", "/props?model=ws"]
)
@pytest.mark.parametrize("door", [False, True])
async def test_messages_pass_in_both_directions(
    house: House, chatty: Chatty, target: str, *, door: bool
) -> None:
    port = house.door if door else house.gateway
    messages: list[str | bytes] = ["text ✓", b"\x00\xff", "", b"", "x" * 200_000]
    async with socket(port, target, max_size=None) as client:
        for message in messages:
            await client.send(message)
            assert await within(client.recv()) == message
        assert house.in_flight("ws") == 1
    await house.freed()


async def test_the_raw_target_and_the_clients_headers_reach_the_model(
    house: House, chatty: Chatty
) -> None:
    headers = [("X-Tag", "a"), ("X-Tag", "b"), ("Authorization", "Bearer x"), ("Cookie", "c=1")]
    async with socket(
        house.gateway,
        "/upstream/ws/a%2Fb?x=%26&y",
        additional_headers=headers,
        origin="http://page.test",
    ):
        pass
    (peer,) = chatty.seen
    request = peer.request
    assert request
    assert request.path == "/a%2Fb?x=%26&y"
    assert request.headers.get_all("X-Tag") == ["a", "b"]
    assert request.headers["Authorization"] == "Bearer x"
    assert request.headers["Cookie"] == "c=1"
    assert request.headers["Origin"] == "http://page.test"


async def test_a_model_without_a_path_is_reached_at_its_root(house: House, chatty: Chatty) -> None:
    """A WebSocket cannot follow the redirect that a browser gets for the missing slash."""
    async with socket(house.gateway, "/upstream/ws") as client:
        await client.send("x")
        assert await within(client.recv()) == "x"
    assert chatty.seen[0].request
    assert chatty.seen[0].request.path == "/"


async def test_the_model_speaks_first(house: House, chatty: Chatty) -> None:
    async def act(peer: ServerConnection) -> None:
        await peer.send("hello")
        await peer.wait_closed()

    chatty.act = act
    async with socket(house.gateway, "/upstream/ws/") as client:
        assert await within(client.recv()) == "hello"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["chat.v1", "chat.v2"], "chat.v2"), (["other", "chat.v1"], "other"), (None, None)],
)
async def test_the_model_chooses_the_subprotocol(
    house: House, chatty: Chatty, offered: list[str] | None, chosen: str | None
) -> None:
    def choose(peer: ServerConnection) -> None:
        assert peer.subprotocol == chosen

    async def act(peer: ServerConnection) -> None:
        choose(peer)
        await chatty.echo(peer)

    chatty.act = act
    async with socket(house.gateway, "/upstream/ws/", subprotocols=offered) as client:
        assert client.subprotocol == chosen
        await client.send("x")
        assert await within(client.recv()) == "x"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (4321, "because ✓")])
async def test_the_clients_close_code_and_reason_reach_the_model(
    house: House, chatty: Chatty, code: int, reason: str
) -> None:
    async with socket(house.gateway, "/upstream/ws/") as client:
        await client.send("x")
        await within(client.recv())
        await client.close(code, reason)
    await within(chatty.seen[0].wait_closed())
    assert (chatty.seen[0].close_code, chatty.seen[0].close_reason) == (code, reason)


@pytest.mark.parametrize(("code", "reason"), [(1000, "done"), (1011, "broken"), (4000, "")])
async def test_the_models_close_code_and_reason_reach_the_client(
    house: House, chatty: Chatty, code: int, reason: str
) -> None:
    async def act(peer: ServerConnection) -> None:
        await peer.send("last words")
        await peer.close(code, reason)

    chatty.act = act
    async with socket(house.gateway, "/upstream/ws/") as client:
        assert await within(client.recv()) == "last words"
        with pytest.raises(ConnectionClosed):
            await within(client.recv())
        assert (client.close_code, client.close_reason) == (code, reason)


async def test_a_client_that_is_cut_off_frees_the_model(house: House, chatty: Chatty) -> None:
    async with socket(house.gateway, "/upstream/ws/") as client:
        await client.send("x")
        await within(client.recv())
        client.transport.abort()
        await within(chatty.seen[0].wait_closed())
        await house.freed()


async def test_a_model_that_is_cut_off_ends_the_client(house: House, chatty: Chatty) -> None:
    async def act(peer: ServerConnection) -> None:
        await peer.recv()
        peer.transport.abort()

    chatty.act = act
    async with socket(house.gateway, "/upstream/ws/") as client:
        await client.send("x")
        with pytest.raises(ConnectionClosed):
            await within(client.recv())


async def test_a_client_that_closes_without_a_code_does_not_break_the_rules(
    house: House, chatty: Chatty
) -> None:
    """1005 says that no code came; it must not be sent (RFC 6455, section 7.4.1)."""
    async with socket(house.gateway, "/upstream/ws/") as client:
        await client.send("x")
        await within(client.recv())
        client.protocol.send_close()
        for data in client.protocol.data_to_send():
            client.transport.write(data)
        await within(chatty.seen[0].wait_closed())
    assert chatty.seen[0].close_code in (1000, 1005)


async def test_a_slow_reader_slows_the_model_down(house: House, chatty: Chatty) -> None:
    written = 0
    noise = os.urandom(65_536)  # what compresses well would fit into the buffers

    async def act(peer: ServerConnection) -> None:
        nonlocal written
        for _ in range(4000):
            await peer.send(noise)
            written += len(noise)

    chatty.act = act
    async with socket(house.gateway, "/upstream/ws/", max_queue=1, max_size=None):
        seen, same = -1, 0
        while same < 25:
            same = same + 1 if written == seen else 0
            seen = written
            await asyncio.sleep(0.02)
        assert 0 < written < 60_000_000


@pytest.mark.parametrize(
    "target", ["/upstream/nobody/x", "/v1/chat/completions?model=nobody", "/v1/chat/completions"]
)
async def test_an_unknown_model_is_refused(house: House, target: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(house.gateway, target):
            pass
    assert 400 <= refused.value.response.status_code < 500


async def test_what_is_no_websocket_route_is_refused(house: House) -> None:
    for target in ("/nothing", "/running", "/v1/models"):
        with pytest.raises(InvalidStatus):
            async with socket(house.gateway, target):
                pass


@pytest.mark.parametrize("status", [b"404", b"302", b"307"])
async def test_a_refusal_or_redirect_of_the_model_is_a_refusal(
    shared_house: House, status: bytes
) -> None:
    """A redirect is not followed: a model must not choose whom the gateway talks to."""

    async def answer(peer: Peer, request: RawRequest) -> None:
        where = shared_house.gateway  # where it would be let in
        location = f"Location: ws://127.0.0.1:{where}/upstream/smart/\r\n".encode()
        await peer.reply(b"no", b"HTTP/1.1 " + status + b" No\r\n" + location)

    async with shared_house.raw["raw"].play(answer):
        with pytest.raises(InvalidStatus):
            async with socket(shared_house.gateway, "/upstream/raw/live"):
                pass
    await shared_house.freed()


async def test_a_websocket_loads_its_model(house: House) -> None:
    """By the longest id: this one holds a slash."""
    async with socket(house.gateway, "/upstream/org/fake/live?x=1") as client:
        await client.send("echo")
        assert await within(client.recv()) == "echo"
        assert house.state("org/fake") == "ready"


async def test_a_client_that_leaves_during_the_handshake_leaves_nothing_open(
    house: House, chatty: Chatty
) -> None:
    """The model's side is closed too, even when it was opened for a client that had gone."""
    for _ in range(20):
        async with Wire(house.gateway) as wire:
            await wire.send(
                b"GET /upstream/ws/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
    await house.freed()
    for peer in chatty.seen:
        await within(peer.wait_closed())


async def test_a_client_that_leaves_while_its_model_loads_frees_its_place(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    ready = tmp_path / "ready"
    swap = side_by_side(fake("m", port, "--ready-file", str(ready)))
    async with running(tmp_path, swap) as house:
        async with Wire(house.gateway) as wire:
            await wire.send(
                b"GET /upstream/m/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            await eventually(lambda: house.engine._scheduler._queue)
        await eventually(lambda: not house.engine._scheduler._queue, "it still queues", 5)
        ready.touch()
        await eventually(lambda: house.state("m") == "ready")
