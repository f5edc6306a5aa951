"""Two stacks that are peers of each other: each has the other's models, and nothing goes round."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap import Peer
from llmstack.server.stack import RunningStack
from tests.backends.ollama_server import Model, running
from tests.server.house import error_of, fake, plan_for, side_by_side
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def stack(
    root: Path, port: int, model_port: int, model: str, peer: Peer, ollama: str = "off"
) -> AsyncIterator[None]:
    """A stack whose gateway is at ``port``, with one model and one peer."""
    swap = replace(side_by_side(fake(model, model_port)), peers={peer.id: peer})
    plan = plan_for(root, swap, ollama=ollama)
    settings = replace(plan.stack.settings, router_port=port)
    made = RunningStack(replace(plan, stack=replace(plan.stack, settings=settings)))
    await made.start()
    try:
        yield
    finally:
        await made.stop()


@pytest.fixture
async def ports(
    tmp_path: Path, free_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[tuple[int, int]]:
    """Gateways of ``one`` and ``two``. They find each other; each thinks the other has ``lost``."""
    one, two, mine, other = (free_tcp_port_factory() for _ in range(4))
    to_two = Peer("two", f"http://127.0.0.1:{two}", ("lost",), discover=True)
    to_one = Peer("one", f"http://127.0.0.1:{one}", ("lost",), discover=True)
    async with (
        stack(tmp_path / "one", one, mine, "near", to_two),
        stack(tmp_path / "two", two, other, "far", to_one),
    ):
        yield one, two


async def listed(port: int) -> set[str]:
    return {row["id"] for row in (await ask(port, "GET", "/v1/models")).json()["data"]}


async def test_each_has_the_others_models_and_names_do_not_nest(ports: tuple[int, int]) -> None:
    one, two = ports
    for _ in range(3):
        assert await listed(one) == {"auto", "near", "two/lost", "two/far", "two/auto"}
        assert await listed(two) == {"auto", "far", "one/lost", "one/near", "one/auto"}


async def test_the_others_models_answer_although_nobody_has_listed_them(
    ports: tuple[int, int],
) -> None:
    one, _ = ports
    got = await ask(one, "POST", CHAT, chat("two/far"))
    assert got.status == 200
    assert got.header("x-llmstack-model") == "two/far"


async def test_an_ollama_beside_the_other_is_offered_too(
    tmp_path: Path, free_tcp_port_factory: Callable[[], int]
) -> None:
    one, two, mine, other = (free_tcp_port_factory() for _ in range(4))
    to_two = Peer("two", f"http://127.0.0.1:{two}", (), discover=True)
    to_one = Peer("one", f"http://127.0.0.1:{one}", (), discover=True)
    async with (
        running(Model("gemma3:4b")) as server,
        stack(tmp_path / "one", one, mine, "near", to_two),
        stack(tmp_path / "two", two, other, "far", to_one, server.base),
    ):
        assert "ollama/gemma3:4b" in await listed(two)
        assert "two/ollama/gemma3:4b" in await listed(one)
        got = await ask(one, "POST", CHAT, chat("two/ollama/gemma3:4b"))
        assert got.status == 200
        assert server.asked[-1].body["model"] == "gemma3:4b"


async def test_a_request_that_goes_round_ends_with_a_clear_error(ports: tuple[int, int]) -> None:
    for port in ports:
        status, message = error_of(await ask(port, "POST", CHAT, chat("lost")))
        assert status == 508
        assert "3 servers have passed it on" in message
