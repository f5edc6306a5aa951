"""Models of an Ollama that was found, behind the same doors as ours (B12, B15)."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from ollama import AsyncClient

from llmstack.config.hosted import Hosted
from llmstack.config.stack import Tier, Weights
from tests.backends.ollama_server import WORDS, FakeOllama, Model
from tests.backends.ollama_server import running as serving
from tests.server.house import error_of, fake, running, side_by_side, tier
from tests.server.wire import PATIENCE, Wire, ask, chat, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
JSON = [("Content-Type", "application/json")]
NAME = "hf.co/org/model-GGUF:Q4_K_M"
FULL = f"ollama/{NAME}"


@asynccontextmanager
async def house_with(
    root: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> AsyncIterator[tuple[House, FakeOllama]]:
    """A stack with a local model and an Ollama beside it."""
    server = FakeOllama(
        Model(NAME, num_ctx=16_384),
        Model("gemma3:4b", capabilities=["completion", "vision"]),
        Model("embed:latest", capabilities=["embedding"]),
    )
    await server.start()
    monkeypatch.setenv("OLLAMA_HOST", server.base)
    try:
        async with running(root, side_by_side(fake("near", free_port)), ollama="") as house:
            yield house, server
    finally:
        await server.stop()


@pytest.fixture
async def found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> AsyncIterator[tuple[House, FakeOllama]]:
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as both:
        yield both


Found = tuple["House", FakeOllama]


async def listed(port: int) -> dict[str, dict[str, Any]]:
    got = await ask(port, "GET", "/v1/models")
    return {row["id"]: row for row in got.json()["data"]}


async def test_found_models_are_listed_with_the_window_that_they_have(found: Found) -> None:
    house, _ = found
    for port in (house.gateway, house.door):
        rows = await listed(port)
        assert rows[FULL]["context_length"] == 16_384
        assert rows[FULL]["meta"]["llamaswap"]["external"] is True
        assert rows[FULL]["meta"]["llamaswap"]["ctx_trained"] == 131_072
        assert rows["ollama/gemma3:4b"]["context_length"] == 4096
        assert "near" in rows


async def test_nothing_is_asked_of_ollama_until_somebody_looks(found: Found) -> None:
    house, server = found
    await ask(house.gateway, "GET", "/health")
    await ask(house.gateway, "POST", CHAT, chat("near"))
    assert server.asked == []
    got = await ask(house.gateway, "POST", CHAT, chat(FULL))
    assert got.status == 200, "a model that was never listed is found by its name"
    assert got.header("x-llmstack-model") == FULL
    assert got.json()["choices"][0]["message"]["content"] == "".join(WORDS)


async def test_a_source_that_has_not_answered_yet_is_not_said_to_have_nothing(
    found: Found,
) -> None:
    house, server = found
    server.gates["/api/tags"] = gate = asyncio.Event()

    async def models() -> object:
        (row,) = (await ask(house.gateway, "GET", "/api/status")).json()["sources"]
        return row["models"]

    assert await models() is None
    gate.set()
    async with asyncio.timeout(PATIENCE):
        while await models() != 3:  # noqa: ASYNC110  what is awaited has no event
            await asyncio.sleep(0.01)


async def test_b12_a_name_with_slashes_can_be_asked_for_wherever_a_model_is_named(
    found: Found,
) -> None:
    house, server = found
    await listed(house.gateway)
    for port in (house.gateway, house.door):
        got = await ask(port, "POST", CHAT, chat(FULL))
        assert got.status == 200
        for name in (FULL, FULL.replace("/", "%2F")):
            got = await ask(port, "GET", f"/upstream/{name}/api/version")
            assert got.json() == {"version": server.version}
        for what in ("unload", "load"):
            status, message = error_of(await ask(port, "POST", f"/api/models/{what}/{FULL}"))
            assert status == 404
            assert message == "model not found", "it is Ollama that loads and unloads it"
    sent = {asked.body["model"] for asked in server.asked if asked.path == CHAT}
    assert sent == {NAME}


async def test_b15_the_pieces_of_a_stream_leave_at_once(found: Found) -> None:
    house, server = found
    pieces = server.pieces = asyncio.Queue()
    async with Wire(house.gateway) as wire:
        body = json.dumps({**chat(FULL), "stream": True}).encode()
        await wire.request("POST", CHAT, JSON, body)
        answer = None
        for word in WORDS:
            pieces.put_nowait(None)
            answer = answer or await wire.head()
            assert word.strip().encode() in await wire.piece(answer)
    await eventually(lambda: server.left == 1)


async def test_unknown_names_do_not_ask_ollama_every_time(found: Found) -> None:
    house, server = found
    await listed(house.gateway)
    for _ in range(5):
        status, _ = error_of(await ask(house.gateway, "POST", CHAT, chat("ollama/nobody")))
        assert status == 404
    assert server.paths().count("/api/tags") == 1


async def test_ollamas_own_client_finds_ollamas_models_here_too(found: Found) -> None:
    house, _ = found
    client = AsyncClient(host=f"http://127.0.0.1:{house.gateway}")
    names = [model.model for model in (await client.list()).models]
    assert FULL in names
    shown = await client.show(FULL)
    assert shown.modelinfo
    assert shown.modelinfo["llmstack.context_length"] == 16_384
    for name, able in {
        FULL: ["completion", "tools"],
        "ollama/gemma3:4b": ["completion", "vision"],
        "ollama/embed": ["embedding"],
    }.items():
        assert (await client.show(name)).capabilities == able
    answer = await client.chat(FULL, [{"role": "user", "content": "Hi"}])
    assert answer.message.content == "".join(WORDS)
    await client._client.aclose()


async def test_an_ollama_that_goes_is_a_clear_error_and_leaves_the_list(found: Found) -> None:
    house, server = found
    await listed(house.gateway)
    await server.stop()
    status, message = error_of(await ask(house.gateway, "POST", CHAT, chat(FULL)))
    assert status == 502
    assert "ollama" in message
    assert "near" in await listed(house.gateway)


async def test_who_names_a_model_of_an_ollama_that_is_gone_is_told_so(found: Found) -> None:
    house, server = found
    await server.stop()
    status, message = error_of(await ask(house.gateway, "POST", CHAT, chat(FULL)))
    assert status == 404
    assert "ollama does not say what it has: no Ollama answers" in message
    await server.start()

    async def back() -> bool:
        return (await ask(house.gateway, "POST", CHAT, chat(FULL))).status == 200

    async with asyncio.timeout(PATIENCE):
        while not await back():  # noqa: ASYNC110  it is asked again after two seconds
            await asyncio.sleep(0.1)


async def test_a_tier_is_asked_for_at_the_ollama_that_the_stack_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with serving(Model("gemma3:4b"), version="0.5.13") as server:
        monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
        hosted = Tier("best", "ultra", Weights(), hosted=Hosted("ollama", model="gemma3:4b"))
        tiers = [tier("near", "agent"), hosted]
        swap = side_by_side(fake("near", free_tcp_port))
        async with running(tmp_path, swap, tiers=tiers, ollama=server.base) as house:
            for path, more in ((CHAT, {}), ("/v1/messages", {"max_tokens": 9})):
                got = await ask(house.gateway, "POST", path, {**chat("best"), **more})
                assert got.status == 200
                assert got.header("x-llmstack-model") == "best"
            assert server.asked[-1].body["model"] == "gemma3:4b"


async def test_a_stack_does_not_find_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, server):
        upstreams = house.stack.upstreams
        backend = upstreams.backend("ollama")
        monkeypatch.setattr(backend._finder, "_places", (f"http://127.0.0.1:{house.gateway}",))
        assert not any(name.startswith("ollama/") for name in await listed(house.gateway))
        assert "it is this program" in backend.health().why
        assert server.asked == []


async def test_a_found_model_has_a_policy_and_a_window_that_is_not_ours(found: Found) -> None:
    """B12: no run-time API reached ids with slashes; the fork's answers were defaults."""
    house, _ = found
    for name in (FULL, FULL.replace("/", "%2F")):
        url = f"/api/model/{name}/ctxsize"
        told = (await ask(house.gateway, "GET", url)).json()
        assert (told["model"], told["ctxSize"], told["read_only"]) == (FULL, 16_384, True)
        status, message = error_of(await ask(house.gateway, "POST", url, {"ctxSize": 8192}))
        assert (status, "read-only" in message) == (400, True)
        url = f"/api/model/{name}/prompt-optimization"
        told = (await ask(house.gateway, "POST", url, {"policy": "always"})).json()
        assert (told["model"], told["policy"], told["actual"]["policy"]) == (FULL, *["always"] * 2)
    assert house.stack.control.settings_for(FULL).policy == "always"
    unknown = await ask(house.gateway, "GET", "/api/model/ollama/none/ctxsize")
    assert unknown.status == 404
