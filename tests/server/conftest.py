"""One stack for all tests of the server that do not stop or overload it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.server.house import fake, running, side_by_side, tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.server.daemons import Place
    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that the daemon runs on."""
    return "asyncio", {"use_uvloop": True}


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


@pytest.fixture
def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


@pytest.fixture
def two_ports() -> tuple[int, int]:
    """Two such ports."""
    one, two = free_ports(2)
    return one, two


@pytest.fixture(scope="session")
async def shared_house(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """Fake servers ``smart`` and ``fast`` (tiers of ``auto``), ``author/model``, and ``raw``."""
    smart, fast, author, broken = free_ports(4)
    swap = side_by_side(
        fake("smart", smart, aliases=("clever",), description="thinks"),
        fake("fast", fast),
        fake("author/model", author, unlisted=True),
        fake("broken", broken, "--print", "cannot open the weights", "--crash-on-start", "3"),
    )
    tiers = (tier("smart", "agent", 20_000), tier("fast", "fast", 200_000))
    root = tmp_path_factory.mktemp("house")
    async with running(root, swap, tiers=tiers, raw=["raw"]) as house:
        yield house


@pytest.fixture
async def house(shared_house: House) -> AsyncIterator[House]:
    """The shared stack. Afterwards nobody may hold or wait for a model any longer."""
    yield shared_house
    await shared_house.freed()


@pytest.fixture
def raw(house: House) -> RawUpstream:
    """The upstream behind the model ``raw``."""
    return house.raw["raw"]


@pytest.fixture(scope="session")
async def shared_surface(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """The configuration of ``surface``."""
    from tests.server.surface import surface

    async with surface(tmp_path_factory.mktemp("surface")) as house:
        yield house


@pytest.fixture
async def surface_house(shared_surface: House) -> AsyncIterator[House]:
    """The configuration of ``surface``: only its peer is loaded, and no profile is active."""
    from tests.server.surface import activate

    for model in shared_surface.engine.config.models:
        if model != "echo":
            await shared_surface.engine.unload(model, force=True)
    await shared_surface.engine.load("echo")
    await activate(shared_surface, None)
    yield shared_surface
    await shared_surface.freed()


@pytest.fixture
def place_at(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Makes work directories; kills what is left in them."""
    from tests.server.daemons import make_place

    places = []

    def make(*flags: str, extra: str = "") -> Place:
        places.append(make_place(tmp_path / f"place{len(places)}", *flags, extra=extra))
        return places[-1]

    yield make
    for place in places:
        place.end()
