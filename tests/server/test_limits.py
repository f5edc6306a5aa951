"""Limits as clients see them: which one it was, how much it is, and when to come back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.swap_loader import parse_swap
from tests.engine.fake_model_server import command
from tests.server.house import error_of, fake, one_at_a_time, release, running
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


async def held(wire: Wire, house: House, model: str) -> None:
    """Begin an answer that only ``release`` lets go on."""
    body = json.dumps(chat(model, paced=True)).encode()
    await wire.request("POST", CHAT, (), body)
    await eventually(lambda: house.state(model) == "ready" and house.in_flight(model) == 1)


@pytest.mark.parametrize(
    ("accept", "path", "more"),
    [("application/json", CHAT, {}), ("text/html", CHAT, {}), ("*/*", CHAT, {"stream": True})],
)
async def test_a_full_model_says_how_many_requests_it_admits(
    tmp_path: Path, free_port: int, accept: str, path: str, more: dict[str, Any]
) -> None:
    """Better than llama-swap, number 6; top 40: always JSON, always before a stream begins."""
    swap = one_at_a_time(fake("one", free_port, concurrency_limit=1, send_loading_state=True))
    async with running(tmp_path, swap) as house, Wire(house.door) as wire:
        await held(wire, house, "one")
        got = await ask(house.door, "POST", path, chat("one", **more), [("Accept", accept)])
        status, message = error_of(got)
        assert (status, got.header("retry-after")) == (429, "1")
        assert message.startswith("Too many requests")
        assert "1 requests at once (concurrencyLimit)" in message
        assert got.json()["error"]["code"] == "concurrency_limit"
        await release(free_port, 3)
        assert (await wire.answer()).status == 200


async def test_zero_means_ten_and_the_answer_says_so(tmp_path: Path, free_port: int) -> None:
    """Better than llama-swap, number 6."""
    text = (
        "models:\n  one:\n    concurrencyLimit: 0\n"
        f"    proxy: http://127.0.0.1:{free_port}\n"
        f"    cmd: {json.dumps(command(port=free_port))}\n"
    )
    config = parse_swap(text, "limits.yaml", {})
    async with running(tmp_path, config) as house:
        wires = [Wire(house.door) for _ in range(10)]
        try:
            body = json.dumps(chat("one", paced=True)).encode()
            for wire in wires:
                await wire.__aenter__()
                await wire.request("POST", CHAT, (), body)
            await eventually(lambda: house.in_flight("one") == 10)
            status, message = error_of(await ask(house.door, "POST", CHAT, chat("one")))
            assert status == 429
            assert "admits 10 requests at once" in message
            row = (await ask(house.door, "GET", "/api/models")).json()["models"][0]
            assert row["concurrency_limit"] == 10
            await release(free_port, 30)
            assert {(await wire.answer()).status for wire in wires} == {200}
        finally:
            for wire in wires:
                wire.abort()


@pytest.mark.parametrize("more", [{}, {"stream": True}])
async def test_who_waited_too_long_is_told_when_to_come_back(
    tmp_path: Path, two_ports: tuple[int, int], more: dict[str, Any]
) -> None:
    """Better than llama-swap, number 6."""
    one, two = two_ports
    swap = replace(one_at_a_time(fake("one", one), fake("two", two)), queue_timeout=1)
    async with running(tmp_path, swap) as house, Wire(house.door) as wire:
        await held(wire, house, "one")
        got = await ask(house.door, "POST", CHAT, chat("two", **more))
        status, message = error_of(got)
        assert (status, got.header("retry-after")) == (503, "10")
        assert message.startswith("two could not be had within 1 s")
        assert got.json()["error"]["code"] == "service_unavailable"
        rows = (await ask(house.door, "GET", "/api/models")).json()["models"]
        assert [row["queue_length"] for row in rows] == [0, 0]
        await release(one, 3)
        answer = await wire.answer()
        assert (answer.status, answer.complete) == (200, True)
        assert house.state("two") == "stopped"
