"""Requests to Ollama's models: all APIs, for as long as it takes, piece by piece."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.backends.ollama import ollama
from llmstack.backends.ollama_finder import PAUSE
from llmstack.backends.protocol import Upstream
from llmstack.config.hosted import Hosted
from llmstack.errors import BackendFailed, Forbidden
from tests.backends.found_house import ask, house, whole
from tests.backends.ollama_server import WORDS, Model, running
from tests.backends.test_discovery import Clock
from tests.http1.raw_server import PATIENCE, until

if TYPE_CHECKING:
    from llmstack.backends.protocol import Answer, Backend, House
    from tests.backends.ollama_server import FakeOllama

pytestmark = pytest.mark.anyio

NAME = "hf.co/org/model-GGUF:Q4_K_M"
CHATS = ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses"]
STREAMED = ["/v1/chat/completions", "/v1/completions", "/v1/messages"]
OLD = "0.5.13"  # speaks neither Messages nor Responses


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def found(home: House, server: FakeOllama) -> Backend:
    """As the source that is found by itself is made."""
    return ollama(Upstream("ollama", Hosted("ollama", base_url=server.base)), home)


def text_of(path: str, body: bytes) -> str:
    """The words of an answer that was not streamed."""
    told: Any = json.loads(body)
    match path:
        case "/v1/messages":
            return "".join(part.get("text", "") for part in told["content"])
        case "/v1/responses":
            (message,) = (item for item in told["output"] if item["type"] == "message")
            return "".join(part["text"] for part in message["content"])
        case "/v1/completions":
            return str(told["choices"][0]["text"])
        case _:
            return str(told["choices"][0]["message"]["content"])


async def begun(opening: asyncio.Task[Answer]) -> Answer:
    async with asyncio.timeout(PATIENCE):
        return await opening


@pytest.mark.parametrize("version", ["0.15.6", OLD])
@pytest.mark.parametrize("path", CHATS)
async def test_every_api_is_answered_by_every_release(path: str, version: str) -> None:
    async with running(Model(NAME), version=version) as server, house() as home:
        answer = await found(home, server).open(ask(NAME, path))
        assert answer.status == 200
        assert text_of(path, await whole(answer)) == "".join(WORDS)


async def test_embeddings_pass() -> None:
    async with running(Model(NAME)) as server, house() as home:
        answer = await found(home, server).open(ask(NAME, "/v1/embeddings"))
        assert json.loads(await whole(answer))["data"][0]["embedding"] == [0.5, -0.25]


@pytest.mark.parametrize("path", [*CHATS, "/v1/embeddings"])
async def test_b12_the_bare_name_goes_upstream_with_all_its_slashes(path: str) -> None:
    async with running(Model(NAME)) as server, house() as home:
        await whole(await found(home, server).open(ask(NAME, path)))
        sent = [asked.body["model"] for asked in server.asked if asked.path.startswith("/v1/")]
        assert sent == [NAME]


@pytest.mark.parametrize("path", STREAMED)
async def test_b15_every_piece_leaves_at_once(path: str) -> None:
    """The next piece is not made before the last one has been read here."""
    async with running(Model(NAME)) as server, house() as home:
        pieces = server.pieces = asyncio.Queue()
        opening = asyncio.create_task(found(home, server).open(ask(NAME, path, stream=True)))
        answer = await begun(opening)
        read = []
        async with asyncio.timeout(PATIENCE):
            while not answer.exhausted:
                pieces.put_nowait(None)
                piece = await answer.read()
                assert piece.count(b"data: ") <= 1
                read.append(piece)
        answer.close()
        told = b"".join(read)
        for word in WORDS:
            assert json.dumps(word).encode() in told
        assert len([piece for piece in read if piece]) >= len(WORDS)


async def test_b15_a_cold_model_is_waited_for_without_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A day goes by on the loop's clock, and every timer that anybody has set."""
    loop = asyncio.get_running_loop()
    clock, passed = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: clock() + passed[0])
    async with running(Model(NAME)) as server, house() as home:
        server.cold.clear()
        opening = asyncio.create_task(found(home, server).open(ask(NAME)))
        await until(lambda: "/v1/chat/completions" in server.paths())
        passed[0] += 86_400
        await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        assert not opening.done()
        server.cold.set()
        answer = await begun(opening)
        assert text_of("/v1/chat/completions", await whole(answer)) == "".join(WORDS)


async def test_b15_a_stream_lasts_for_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only silence has a limit: five pieces within it take longer than any total would allow."""
    loop = asyncio.get_running_loop()
    clock, passed = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: clock() + passed[0])
    async with running(Model(NAME)) as server, house() as home:
        pieces = server.pieces = asyncio.Queue()
        opening = asyncio.create_task(found(home, server).open(ask(NAME, stream=True)))
        answer = await begun(opening)
        while not answer.exhausted:
            passed[0] += 200
            pieces.put_nowait(None)
            await answer.read()
        answer.close()
        assert not answer.problem


async def test_a_client_that_leaves_a_cold_model_ends_the_work() -> None:
    async with running(Model(NAME)) as server, house() as home:
        server.cold.clear()
        opening = asyncio.create_task(found(home, server).open(ask(NAME, stream=True)))
        await until(lambda: "/v1/chat/completions" in server.paths())
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await until(lambda: server.left == 1)


async def test_a_client_that_leaves_a_stream_ends_the_work() -> None:
    async with running(Model(NAME)) as server, house() as home:
        pieces = server.pieces = asyncio.Queue()
        opening = asyncio.create_task(found(home, server).open(ask(NAME, stream=True)))
        answer = await begun(opening)
        pieces.put_nowait(None)
        assert WORDS[0].encode() in await answer.read()
        answer.close()
        await until(lambda: server.left == 1)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_an_ollama_that_goes_within_a_stream_ends_it_with_an_error(path: str) -> None:
    async with running(Model(NAME)) as server, house() as home:
        pieces = server.pieces = asyncio.Queue()
        opening = asyncio.create_task(found(home, server).open(ask(NAME, path, stream=True)))
        answer = await begun(opening)
        pieces.put_nowait(None)
        await answer.read()
        await server.stop()
        assert b'"error"' in await whole(answer)
        assert answer.problem


async def test_an_ollama_that_went_is_a_reason_to_ask_elsewhere_and_its_return_is_noticed() -> None:
    clock = Clock()
    async with running(Model(NAME)) as server, house(now=clock) as home:
        backend = found(home, server)
        await whole(await backend.open(ask(NAME)))
        await server.stop()
        for _ in range(2):
            with pytest.raises(BackendFailed) as error:
                await backend.open(ask(NAME))
            assert error.value.elsewhere
            assert error.value.status == 502
        await server.start()
        clock.time += PAUSE
        await whole(await backend.open(ask(NAME)))


async def test_a_model_that_it_does_not_have_is_a_404_in_its_words() -> None:
    for path in ("/v1/chat/completions", "/v1/messages"):
        async with running(Model(NAME)) as server, house() as home:
            answer = await found(home, server).open(ask("gone:1b", path))
            assert answer.status == 404
            assert b"gone:1b" in await whole(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/api/delete",
        "/api/pull",
        "/api/%64elete",
        "/api/delete/",
        "//api/delete",
        "/v1/../api/delete",
        "/v1/%2e%2e/api/delete",
        "/v1/..%2Fapi/delete",
        "/api/blobs/sha256:1",
        "/api/tags/../delete",
    ],
)
async def test_its_models_can_be_used_from_here_and_not_changed(path: str) -> None:
    async with running(Model(NAME)) as server, house() as home:
        with pytest.raises(Forbidden, match="not changed"):
            await found(home, server).open(ask(NAME, path))
        assert server.asked == []


async def test_ollamas_own_paths_that_use_a_model_pass() -> None:
    async with running(Model(NAME)) as server, house() as home:
        told = await found(home, server).open(ask(NAME, "/api/show"))
        assert json.loads(await whole(told))["details"]["format"] == "gguf"


async def test_tokens_are_counted() -> None:
    async with running(Model(NAME)) as server, house() as home:
        answer = await found(home, server).open(ask(NAME))
        await whole(answer)
        assert answer.usage
        assert (answer.usage.input, answer.usage.output) == (10, 3)
        counted = await found(home, server).open(ask(NAME, "/v1/messages/count_tokens"))
        assert json.loads(await whole(counted))["input_tokens"] > 0
