"""Ollama's own Python client, a real llama-server, a real model, and us between them."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ollama import AsyncClient, ResponseError

from llmstack.config.swap import SwapModel
from tests.llama_server.process import COMMAND
from tests.server.conftest import free_ports
from tests.server.house import running, side_by_side, tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.house import House

pytestmark = pytest.mark.anyio

MODEL = Path(__file__).parents[1] / "models" / "tiny_chat" / "tiny-chat.gguf"
COLD = {"temperature": 0}
HELLO = "Hello! How can I help you today?"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="module")
async def house(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """``tiny``, a tier of ``auto``, and ``vectors``."""

    def model(name: str, port: int, *flags: str) -> SwapModel:
        line = [*COMMAND, "-m", str(MODEL), "--port", str(port), "-c", "4096", "-t", "1", *flags]
        return SwapModel(id=name, cmd=shlex.join(line), proxy=f"http://127.0.0.1:{port}")

    one, two = free_ports(2)
    swap = side_by_side(
        model("tiny", one, "-np", "1", "--jinja"),
        model("vectors", two, "--embeddings", "--pooling", "mean"),
    )
    tiers = (tier("tiny", "fast", 4096),)
    async with running(tmp_path_factory.mktemp("real"), swap, tiers=tiers) as house:
        yield house


@pytest.fixture(params=["gateway", "door"])
async def client(house: House, request: pytest.FixtureRequest) -> AsyncIterator[AsyncClient]:
    client = AsyncClient(host=getattr(house.stack, request.param))
    yield client
    await client.close()


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


async def test_the_client_finds_the_models(client: AsyncClient) -> None:
    names = {model.model for model in (await client.list()).models}
    assert {"tiny", "vectors"} <= names
    shown = await client.show("tiny")
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo


async def test_a_chat_whole(client: AsyncClient) -> None:
    answer = await client.chat("tiny:latest", user("hello"), options=COLD)
    assert answer.message.content == HELLO
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert answer.prompt_eval_count
    assert answer.eval_count
    assert answer.total_duration
    assert answer.eval_duration
    parts = (answer.load_duration, answer.prompt_eval_duration, answer.eval_duration)
    assert sum(filter(None, parts)) <= answer.total_duration


async def test_a_chat_streamed(client: AsyncClient) -> None:
    parts = [part async for part in await client.chat("tiny", user("hello"), stream=True)]
    assert "".join(part.message.content or "" for part in parts) == HELLO
    assert len(parts) > 5
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_and_its_result_is_understood(
    client: AsyncClient, stream: bool
) -> None:
    messages = user("What is the weather in Paris?")
    if stream:
        streamed = await client.chat("tiny", messages, tools=[WEATHER], options=COLD, stream=True)
        parts = [part async for part in streamed]
        calls = [call for part in parts for call in part.message.tool_calls or ()]
        assert parts[-1].done
    else:
        answer = await client.chat("tiny", messages, tools=[WEATHER], options=COLD)
        calls = [*(answer.message.tool_calls or ())]
    (call,) = calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Paris"})
    called = {"role": "assistant", "content": "", "tool_calls": [call.model_dump()]}
    result = {"role": "tool", "tool_name": "get_weather", "content": "sunny"}
    final = await client.chat("tiny", [*messages, called, result], tools=[WEATHER], options=COLD)
    assert final.message.content == "The weather in Paris: sunny"


async def test_probabilities_are_told_when_asked_for(client: AsyncClient) -> None:
    answer = await client.chat("tiny", user("thanks"), options=COLD, logprobs=True, top_logprobs=2)
    assert answer.logprobs
    assert "".join(word.token for word in answer.logprobs) == "You're welcome!"
    assert all(len(word.top_logprobs or ()) == 2 for word in answer.logprobs)


async def test_a_schema_binds_the_answer(client: AsyncClient) -> None:
    schema = {
        "type": "object",
        "properties": {"sure": {"type": "boolean"}},
        "required": ["sure"],
        "additionalProperties": False,
    }
    answer = await client.chat("tiny", user("hello"), format=schema, options=COLD)
    assert isinstance(json.loads(answer.message.content or "")["sure"], bool)


async def test_a_prompt_is_generated_for(client: AsyncClient) -> None:
    answer = await client.generate("tiny", "hello", options=COLD)
    assert answer.response == HELLO
    cut = await client.generate("tiny", "hello", options={**COLD, "num_predict": 3})
    assert (cut.response, cut.done_reason, cut.eval_count) == ("Hello! ", "length", 3)
    stopped = await client.generate("tiny", "hello", options={**COLD, "stop": ["How"]})
    assert (stopped.response or "").strip() == "Hello!"
    raw = await client.generate("tiny", "hello", raw=True, options={**COLD, "num_predict": 2})
    assert raw.eval_count == 2
    parts = [part async for part in await client.generate("tiny", "hello", stream=True)]
    assert "".join(part.response or "" for part in parts) == HELLO


async def test_texts_become_vectors(client: AsyncClient) -> None:
    answer = await client.embed("vectors", ["hello", "thanks"])
    one, two = answer.embeddings
    assert len(one) == len(two) > 8
    assert one != two
    assert math.isclose(math.hypot(*one), 1, rel_tol=1e-3)
    assert answer.prompt_eval_count
    short = await client.embed("vectors", "hello", dimensions=8)
    assert len(short.embeddings[0]) == 8
    old = await client.embeddings("vectors", "hello")
    assert [*old.embedding] == pytest.approx([*one], abs=1e-4)


async def test_models_are_loaded_listed_and_unloaded(client: AsyncClient) -> None:
    assert (await client.chat("tiny")).done_reason == "load"
    assert "tiny" in {model.model for model in (await client.ps()).models}
    assert (await client.generate("tiny", keep_alive=0)).done_reason == "unload"
    assert "tiny" not in {model.model for model in (await client.ps()).models}


async def test_errors_reach_the_client_as_its_own(client: AsyncClient) -> None:
    with pytest.raises(ResponseError) as unknown:
        await client.chat("nobody", user("hello"))
    assert (unknown.value.status_code, "'nobody' not found" in unknown.value.error) == (404, True)
    with pytest.raises(ResponseError) as refused:
        await client.generate("tiny", "a", suffix="b")
    assert "Infill is not supported" in refused.value.error
    with pytest.raises(ResponseError) as streamed:
        [part async for part in await client.chat("vectors", user("x" * 90_000), stream=True)]
    assert streamed.value.status_code >= 400


async def test_auto_is_a_model_too(house: House) -> None:
    client = AsyncClient(host=house.stack.gateway)
    answer = await client.chat("auto", user("hello"), options=COLD)
    assert answer.message.content == HELLO
    await client.close()
