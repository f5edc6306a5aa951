"""Whole web servers of models, below a prefix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from llmstack.config.swap import Peer
from tests.server.conftest import free_ports
from tests.server.house import error_of, fake, running, side_by_side
from tests.server.surface import headers_of
from tests.server.wire import Wire, ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ECHO = "/v1/embeddings"


@pytest.fixture
def house(surface_house: House) -> House:
    return surface_house


@pytest.mark.top40(23, "escapes stay")
async def test_upstream_keeps_escapes_and_takes_the_longest_name(house: House) -> None:
    """Top 40, number 23."""
    for name in ("org/deep", "org%2Fdeep"):
        got = await ask(house.door, "GET", f"/upstream/{name}/workflows%2Fa?x=%20&y")
        assert got.json()["path"] == "/workflows%2Fa?x=%20&y"


@pytest.mark.top40(23, "longest name")
async def test_the_longest_name_of_a_path_is_the_model(tmp_path: Path) -> None:
    """Also when a shorter one is a model too, or a peer's."""
    ports = dict(zip(("a", "a/b", "a/b/c"), free_ports(3), strict=True))
    config = replace(
        side_by_side(*(fake(name, port) for name, port in ports.items())),
        peers={"a": Peer("a", f"http://127.0.0.1:{ports['a']}", ("b/c/d",))},
    )
    async with running(tmp_path, config) as house:
        for target, port, path in (
            ("a/x", "a", "/x"),
            ("a/b/x", "a/b", "/x"),
            ("a%2Fb/c", "a/b/c", "/"),
            ("a/b/c/x/a/b", "a/b/c", "/x/a/b"),
            ("a/b/c/d/x", "a", "/x"),  # the peer's
        ):
            got = await ask(house.door, "GET", f"/upstream/{target}?q")
            if got.status == 301:
                got = await ask(house.door, "GET", got.header("location"))
            assert (got.json()["port"], got.json()["path"]) == (ports[port], f"{path}?q")


async def test_upstream_reaches_a_peer(house: House) -> None:
    got = await ask(house.door, "PUT", "/upstream/away/far/x%20y?z", b"raw")
    assert got.json()["path"] == "/base/x%20y?z"
    assert got.json()["method"] == "PUT"
    assert headers_of(got)["authorization"] == "Bearer peer-key"


@pytest.mark.top40(23, "409 for ignored paths")
async def test_ignored_paths_do_not_load_a_model(house: House) -> None:
    """Top 40, number 23."""
    for path in ("openapi.json", "a%2Ejson", "x/y.js?z=1"):
        got = await ask(house.door, "GET", f"/upstream/plain/{path}")
        assert error_of(got) == (
            409,
            "model plain is not loaded; path matches upstream.ignorePaths",
        )
    assert house.state("plain") == "stopped"
    await house.engine.load("plain")
    assert (await ask(house.door, "GET", "/upstream/plain/openapi.json")).status == 200


async def test_upstream_alone_leads_to_the_list(house: House) -> None:
    got = await ask(house.door, "GET", "/upstream")
    assert (got.status, got.header("location")) == (302, "/ui/models")


async def test_only_comfyuis_root_loads_it(house: House) -> None:
    got = await ask(house.door, "GET", "/comfyui?a=b")
    assert (got.status, got.header("location")) == (301, "/comfyui/?a=b")
    assert (await ask(house.door, "POST", "/comfyui")).status == 308
    got = await ask(house.door, "GET", "/comfyui/prompt")
    assert error_of(got) == (
        409,
        "model comfyui_auto is not loaded; only /comfyui/ can start it",
    )
    assert (await ask(house.door, "GET", "/comfyui/?x=1")).json()["path"] == "/?x=1"
    assert (await ask(house.door, "GET", "/comfyui/a%2Fb.json")).json()["path"] == "/a%2Fb.json"


async def test_an_ignored_websocket_neither_loads_nor_holds(house: House) -> None:
    """Section 4.9 of the report."""
    url = f"ws://127.0.0.1:{house.door}/upstream/org/deep/ws"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 409
    assert b"ignored websocket requests cannot start it" in refused.value.response.body
    await house.engine.load("org/deep")
    async with connect(url) as peer:
        await peer.send("hello")
        assert await peer.recv() == "hello"
        assert house.in_flight("org/deep") == 0


async def test_a_websocket_reaches_a_peer(house: House) -> None:
    async with connect(f"ws://127.0.0.1:{house.door}/upstream/away/far/ws") as peer:
        await peer.send("hello")
        assert await peer.recv() == "hello"
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{house.door}/upstream/gone/lost/ws")
    assert refused.value.response.status_code == 502


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("m", "no local server found for requested model"),
        ("p/far", "no peer found for requested model"),
    ],
)
async def test_what_a_reload_removes_while_a_request_comes_in_is_not_found(
    tmp_path: Path, target: str, message: str
) -> None:
    (port,) = free_ports(1)
    before = replace(
        side_by_side(fake("m", port), fake("n", port)),
        peers={"p": Peer("p", f"http://127.0.0.1:{port}", ("far",))},
    )
    after = side_by_side(fake("n", port))
    async with running(tmp_path, before) as house, Wire(house.door) as wire:
        await wire.send(
            f"POST /upstream/{target}/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        assert (await wire.head()).status == 100  # the body is being waited for
        await house.engine.reconfigure(after)
        await wire.send(b"ab")
        assert error_of(await wire.answer()) == (404, message)
