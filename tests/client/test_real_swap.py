"""Both clients and a real ``llmstack swap``, and the gateway of a real stack."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import openai
import pytest

from llmstack.client import APIError, AsyncLlamaSwap, ImageRequest
from llmstack.errors import BadAnswer
from tests.cli.swaps import config, swapping
from tests.server.conftest import free_ports
from tests.server.house import fake, running, side_by_side, tier

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.driver import Driver

GROUP = "groups: {all: {swap: false, exclusive: false, members: [a, author/model]}}\napiKeys: [k1]"


def test_a_real_swap_is_driven(tmp_path: Path, driver: Driver) -> None:
    with swapping(tmp_path, config("a", "author/model", more=GROUP)) as swap:
        client = driver.dsn(f"llama-swap://k1@127.0.0.1:{swap.port}")

        def loaded() -> set[str]:
            return {row["model"] for row in driver.do(client.running())["running"]}

        assert [model.id for model in driver.do(client.list_models())] == ["a", "author/model"]
        assert loaded() == set()
        driver.do(client.load("author/model"))
        assert loaded() == {"author/model"}
        answer = driver.do(client.chat("a").create("hello", max_completion_tokens=5))
        assert answer.choices[0].message.content.split() == ["tok0", "tok1", "tok2"]
        stream = driver.do(client.chat("author/model").stream("hello"))
        pieces = [one.choices[0].delta.content for one in driver.pieces(stream) if one.choices]
        assert "".join(piece or "" for piece in pieces).split() == ["tok0", "tok1", "tok2"]
        assert loaded() == {"a", "author/model"}
        driver.do(client.unload("author/model"))
        assert loaded() == {"a"}
        driver.do(client.unload())
        assert loaded() == set()
        with pytest.raises(APIError) as raised:
            driver.do(client.load("author/none"))
        assert raised.value.kind == "not_found"
        with pytest.raises(openai.NotFoundError) as missing:
            driver.do(client.chat("author/none").create("hello"))
        assert APIError.of(missing.value.response).kind == "not_found"
        with pytest.raises(APIError) as engine:
            driver.do(client.route("hello"))
        assert engine.value.kind == "not_found"  # only a gateway routes
        with pytest.raises(BadAnswer):  # the stand-in draws nothing
            driver.do(client.images.generate(ImageRequest("a cat", "a")))
        stranger = driver.new(f"http://127.0.0.1:{swap.port}", "wrong")
        with pytest.raises(APIError) as refused:
            driver.do(stranger.unload())
        assert (refused.value.status, refused.value.kind) == (401, "auth")


def test_closing_a_stream_ends_the_answer(tmp_path: Path, driver: Driver) -> None:
    with swapping(tmp_path, config("a")) as swap:
        client = driver.new(f"http://127.0.0.1:{swap.port}")
        endless = {"tokens": 1_000_000, "interval_ms": 20}
        stream = driver.do(client.chat("a").stream("hello", extra_body=endless))
        assert driver.first(stream)
        assert swap.ask("/upstream/a/control")[1]["left"] == 0
        driver.do(stream.close())
        swap.until(
            lambda: swap.ask("/upstream/a/control")[1]["left"] == 1, lambda: "it goes on answering"
        )


def test_a_gateway_tells_the_route(tmp_path: Path) -> None:
    async def run() -> None:
        smart, fast = free_ports(2)
        swap = side_by_side(fake("smart", smart), fake("fast", fast))
        tiers = (tier("smart", "agent", 20_000), tier("fast", "fast", 200_000))
        async with (
            running(tmp_path, swap, tiers=tiers) as house,
            AsyncLlamaSwap(house.stack.gateway) as client,
        ):
            told = await client.route("fix the failing test")
            assert told["model"] in ("smart", "fast")
            assert told["reason"]
            long = await client.route([{"role": "user", "content": "words " * 60_000}])
            assert long["model"] == "fast"
            assert (await client.running())["running"] == []
            assert "auto" in [model.id for model in await client.list_models()]
            answer = await client.chat().create("hello")
            assert answer.choices[0].message.content

    asyncio.run(run())
