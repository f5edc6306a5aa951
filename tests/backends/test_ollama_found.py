"""Ollama is found where it is, told apart from others, and asked little."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from ollama import AsyncClient

from llmstack.backends.discovery import FRESH, PAUSES, Discovery
from llmstack.backends.fetch import MOST
from llmstack.backends.ollama import AT_ONCE, ollama
from llmstack.backends.ollama_finder import PAUSE
from llmstack.backends.protocol import Upstream
from llmstack.config.hosted import Hosted
from llmstack.errors import BackendFailed
from llmstack.server.ollama import VERSION
from tests.backends.found_house import ask, house, whole
from tests.backends.ollama_server import FakeOllama, Model, running
from tests.backends.test_discovery import Clock
from tests.http1.raw_server import until

if TYPE_CHECKING:
    from llmstack.backends.protocol import Backend, House

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def found(home: House, base_url: str = "", **more: Any) -> Backend:
    return ollama(Upstream("ollama", Hosted("ollama", base_url=base_url, **more)), home)


def library() -> tuple[Model, ...]:
    return (
        Model("qwen3:8b", trained=40_960, num_ctx=16_384),
        Model("hf.co/org/model-GGUF:Q4_K_M", loaded=65_536),
        Model("gemma3:4b", arch="gemma3", capabilities=["completion", "vision"]),
        Model("nomic-embed-text:latest", 2048, arch="nomic-bert", capabilities=["embedding"]),
    )


async def test_the_stand_in_speaks_as_ollamas_own_client_expects() -> None:
    async with running(*library()) as server:
        client = AsyncClient(host=server.base)
        listed = await client.list()
        assert [model.model for model in listed.models] == [model.name for model in library()]
        shown = await client.show("qwen3:8b")
        assert shown.modelinfo
        assert shown.modelinfo["qwen3.context_length"] == 40_960
        assert shown.capabilities == ["completion", "tools"]
        (loaded,) = (await client.ps()).models
        assert loaded.context_length == 65_536
        await client._client.aclose()


async def test_models_come_with_the_window_that_ollama_will_use() -> None:
    async with running(*library()) as server, house() as home:
        told = {one.name: one for one in await found(home, server.base).models()}
        qwen = told["qwen3:8b"]
        assert (qwen.context, qwen.trained, qwen.loaded) == (16_384, 40_960, False)
        assert qwen.tools
        assert qwen.description == "qwen3 8.2B Q4_K_M"
        other = told["hf.co/org/model-GGUF:Q4_K_M"]
        assert (other.context, other.trained, other.loaded) == (65_536, 131_072, True)
        assert told["gemma3:4b"].vision
        assert told["gemma3:4b"].context == 4096
        assert told["nomic-embed-text:latest"].embedding
        assert told["nomic-embed-text:latest"].context == 2048


@pytest.mark.parametrize("variable", ["OLLAMA_HOST", "LLAMASWAP_OLLAMA_ENDPOINT"])
async def test_it_is_found_where_the_environment_says(variable: str) -> None:
    async with (
        running(*library()) as server,
        house({variable: f"0.0.0.0:{server.port}"}) as home,
    ):
        assert len(await found(home).models()) == 4


async def test_b15_after_a_fallback_everything_is_asked_at_the_place_that_answered() -> None:
    async with running(*library()) as server:
        environ = {"LLAMASWAP_OLLAMA_ENDPOINT": "127.0.0.1:1", "OLLAMA_HOST": server.base}
        async with house(environ) as home:
            backend = found(home)
            assert all(one.trained for one in await backend.models())
            (await backend.open(ask("qwen3:8b"))).close()


async def test_the_first_place_that_is_an_ollama_has_it_and_is_remembered() -> None:
    async with running(Model("a")) as first, running(Model("b")) as second:
        environ = {"LLAMASWAP_OLLAMA_ENDPOINT": first.base, "OLLAMA_HOST": second.base}
        async with house(environ) as home:
            backend = found(home)
            assert [one.name for one in await backend.models()] == ["a"]
            asked = len(second.asked)
            for _ in range(3):
                await backend.models()
            assert len(second.asked) == asked
            await first.stop()
            assert [one.name for one in await backend.models()] == ["b"]


@pytest.mark.parametrize(
    "version",
    [
        {"version": VERSION},
        {"version": "v166", "commit": "abc", "build_date": "2026-01-01"},
        {"version": 5},
        [],
    ],
)
async def test_this_program_and_others_that_speak_its_api_are_not_taken_for_it(
    version: object,
) -> None:
    """Our own gateway on Ollama's port would be asked for our models by ourselves, for ever."""
    async with running(*library()) as server, house() as home:
        server.odd["/api/version"] = (200, json.dumps(version).encode())
        backend = found(home, server.base)
        with pytest.raises(BackendFailed, match="no Ollama answers") as error:
            await backend.models()
        assert "answers as another server" in error.value.why
        assert set(server.paths()) == {"/api/version"}
        with pytest.raises(BackendFailed):
            await backend.open(ask("qwen3:8b"))
        assert set(server.paths()) == {"/api/version"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "127.9.9.9"])
async def test_our_own_doors_are_not_even_asked(host: str) -> None:
    async with running(*library()) as server, house(ours=frozenset({server.port})) as home:
        with pytest.raises(BackendFailed) as error:
            await found(home, f"http://{host}:{server.port}").models()
        assert "it is this program" in error.value.why
        assert not server.asked


async def test_who_takes_ollamas_place_is_noticed() -> None:
    async with running(*library()) as server, house() as home:
        backend = found(home, server.base)
        await backend.models()
        server.odd["/api/version"] = (200, json.dumps({"version": VERSION}).encode())
        with pytest.raises(BackendFailed):
            await backend.models()


async def test_b15_descriptions_are_asked_side_by_side_but_not_all_at_once() -> None:
    models = [Model(f"m{number}") for number in range(3 * AT_ONCE)]
    async with running(*models) as server, house() as home:
        gate = server.gates["/api/show"] = asyncio.Event()
        asking = asyncio.create_task(found(home, server.base).models())
        await until(lambda: server.waiting.get("/api/show") == AT_ONCE)
        gate.set()
        assert len(await asking) == len(models)
        assert server.most_waiting["/api/show"] == AT_ONCE


async def test_b15_descriptions_are_asked_once_for_each_digest() -> None:
    async with running(*library()) as server, house() as home:
        backend = found(home, server.base)
        for _ in range(3):
            await backend.models()
        assert server.paths().count("/api/show") == 4
        server.models["qwen3:8b"].num_ctx = 32_768  # another Modelfile, another digest
        told = {one.name: one for one in await backend.models()}
        assert told["qwen3:8b"].context == 32_768
        assert server.paths().count("/api/show") == 5


async def test_a_model_without_a_description_is_listed_all_the_same() -> None:
    async with running(*library()) as server, house() as home:
        server.odd["/api/show"] = (500, b'{"error":"corrupt"}')
        backend = found(home, server.base)
        assert {one.context for one in await backend.models()} == {4096, 65_536}
        del server.odd["/api/show"]
        assert {one.context for one in await backend.models()} == {16_384, 65_536, 4096, 2048}


async def test_an_old_ollama_without_ps_tells_no_state() -> None:
    async with running(*library(), version="0.1.30") as server, house() as home:
        server.odd["/api/ps"] = (404, b"404 page not found")
        assert {one.loaded for one in await found(home, server.base).models()} == {None}


@pytest.mark.parametrize("path", ["/api/tags", "/api/show", "/api/ps"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        b'{"models":' * 50_000,
        b"null",
        b"[1,2]",
        b'{"models":{"name":5}}',
        b'{"models":[5,null,{"name":7},{"name":"x","digest":[],"details":3}]}',
        b'{"model_info":[],"capabilities":{},"parameters":{}}',
        b'{"model_info":{"general.architecture":"a","a.context_length":1e400}}',
        b'{"models":[{"name":"\\ud800"}]}',
        b"\xff\xfe",
    ],
)
async def test_whatever_it_answers_there_is_a_list_or_an_error_that_says_so(
    path: str, body: bytes
) -> None:
    async with running(*library()) as server, house() as home:
        server.odd[path] = (200, body)
        listing = found(home, server.base).models()
        (told,) = await asyncio.gather(listing, return_exceptions=True)
        if isinstance(told, BaseException):
            assert isinstance(told, BackendFailed)
            assert path in told.what
            assert told.elsewhere
        else:
            assert all(one.context >= 0 for one in told)


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async with running(*library()) as server, house() as home:
        server.odd["/api/tags"] = (200, b" " * (MOST + 1))
        with pytest.raises(BackendFailed, match="longer than 16 MB"):
            await found(home, server.base).models()


async def test_discovery_follows_ollama_as_it_comes_and_goes() -> None:
    clock = Clock()
    server = FakeOllama(*library())
    await server.start()
    await server.stop()
    async with house(now=clock) as home:
        discovery = Discovery({"ollama": found(home, server.base)}, clock)
        assert (await discovery.fresh(5))["ollama"] == ()
        assert "no Ollama answers" in discovery.problem("ollama")
        await server.start()
        clock.time += PAUSES[0]
        assert len((await discovery.fresh(5))["ollama"]) == 4
        await server.stop()
        clock.time += FRESH
        assert (await discovery.fresh(5))["ollama"] == ()
        await server.start()
        clock.time += PAUSES[0]
        assert len((await discovery.fresh(5))["ollama"]) == 4
        await discovery.close()
    await server.stop()


async def test_a_place_that_never_answers_does_not_keep_a_list_waiting() -> None:
    async with running(*library()) as server, house() as home:
        server.gates["/api/version"] = asyncio.Event()
        discovery = Discovery({"ollama": found(home, server.base)}, home.now)
        async with asyncio.timeout(5):
            assert (await discovery.fresh(0.05))["ollama"] == ()
        await discovery.close()
        await until(lambda: server.left == 1)


async def test_nobody_searches_again_at_once_for_what_was_not_found() -> None:
    clock = Clock()
    async with running(*library()) as server, house(now=clock) as home:
        server.odd["/api/version"] = (503, b"")
        backend = found(home, server.base)
        for _ in range(5):
            with pytest.raises(BackendFailed):
                await backend.open(ask("qwen3:8b"))
        assert server.paths() == ["/api/version"]
        assert backend.health().state == "down"
        del server.odd["/api/version"]
        clock.time += PAUSE
        answer = await backend.open(ask("qwen3:8b"))
        await whole(answer)
        assert backend.health().state == "ok"


async def test_no_key_and_no_header_is_sent_that_nobody_named() -> None:
    async with running(*library()) as server, house({"KEY": "sesame", "X": "there"}) as home:
        await found(home, server.base).models()
        assert not any("authorization" in asked.headers for asked in server.asked)
        server.asked.clear()
        more = {"api_key_env": "KEY", "headers": (("x-where", "$X"),)}
        backend = found(home, server.base, **more)
        await backend.models()
        for asked in server.asked:
            assert asked.headers["authorization"] == "Bearer sesame"
            assert asked.headers["x-where"] == "there"


async def test_a_missing_key_is_told_and_nothing_is_asked() -> None:
    async with running(*library()) as server, house() as home:
        backend = found(home, server.base, api_key_env="NO_SUCH_KEY")
        assert backend.health().state == "unusable"
        with pytest.raises(BackendFailed, match="NO_SUCH_KEY"):
            await backend.models()
        assert not server.asked


async def test_an_address_that_is_none_is_an_error_that_says_so() -> None:
    async with house() as home:
        with pytest.raises(BackendFailed, match="no Ollama answers") as error:
            await found(home, "ftp://gpu").models()
        assert "no address" in error.value.why
