"""What a streaming client is told while its model is being loaded."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.server import loading
from tests.server.house import fake, one_at_a_time, running
from tests.server.wire import Answer, Wire, ask, chat, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "PATIENCE", 0.01)
    monkeypatch.setattr(loading, "BEAT", 0.02)


def chunks(answer: Answer) -> list[Any]:
    lines = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def thought(answer: Answer) -> str:
    """Everything that was said as reasoning."""
    deltas = [choice["delta"] for chunk in chunks(answer) for choice in chunk.get("choices", ())]
    return "".join(delta.get("reasoning_content") or "" for delta in deltas)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_load_is_announced_ahead_of_the_models_own_stream(tmp_path: Path) -> None:
    model = fake("slow", free_port(), "--slow-start", "0.4", send_loading_state=True)
    async with running(tmp_path, one_at_a_time(model)) as house:
        got = await ask(house.gateway, "POST", CHAT, chat("slow", stream=True))
    assert got.status == 200
    assert got.header("x-llmstack-model") == "slow"
    assert got.header("x-llamaswap-prompt-optimized") == "false"  # it was fitted before the load
    assert "loading model: slow" in thought(got)
    assert "Done! (" in thought(got)
    spoken = [c["choices"][0]["delta"].get("content") for c in chunks(got) if c.get("choices")]
    assert any(spoken), "the model's own words follow"
    assert got.body.rstrip().endswith(b"data: [DONE]")


async def test_a_loaded_model_is_not_announced(tmp_path: Path) -> None:
    model = fake("there", free_port(), send_loading_state=True)
    async with running(tmp_path, one_at_a_time(model)) as house:
        await ask(house.gateway, "POST", CHAT, chat("there"))
        got = await ask(house.gateway, "POST", CHAT, chat("there", stream=True))
    assert "loading" not in thought(got)


@pytest.mark.parametrize(
    ("path", "stream", "wanted"),
    [(CHAT, False, True), ("/v1/messages", True, True), (CHAT, True, False)],
)
async def test_only_chat_streams_of_models_that_want_it_are_told(
    tmp_path: Path, path: str, *, stream: bool, wanted: bool
) -> None:
    model = fake("quiet", free_port(), "--slow-start", "0.2", send_loading_state=wanted)
    async with running(tmp_path, one_at_a_time(model)) as house:
        got = await ask(house.gateway, "POST", path, chat("quiet", stream=stream))
    assert b"loading model" not in got.body


async def test_a_load_that_fails_ends_the_stream_with_an_error_event(tmp_path: Path) -> None:
    model = fake(
        "broken", free_port(), "--slow-start", "0.3", "--hang-health", send_loading_state=True
    )
    config = one_at_a_time(model)
    async with running(tmp_path, config) as house:
        asking = asyncio.ensure_future(
            ask(house.gateway, "POST", CHAT, chat("broken", stream=True))
        )
        await eventually(lambda: house.state("broken") == "starting", "it does not start")
        await asyncio.sleep(0.05)
        await house.engine.unload("broken")
        got = await asking
    assert got.status == 200
    (error,) = [chunk["error"] for chunk in chunks(got) if "error" in chunk]
    assert "unloaded" in error["message"]


@pytest.mark.top40(18, "before any streamed byte")
async def test_an_error_that_is_known_at_once_keeps_its_status(tmp_path: Path) -> None:
    model = fake(
        "full", free_port(), "--slow-start", "600", send_loading_state=True, concurrency_limit=0
    )
    async with running(tmp_path, one_at_a_time(model)) as house:
        got = await ask(house.gateway, "POST", CHAT, chat("full", stream=True))
    assert got.status == 429


async def test_a_client_that_leaves_while_it_is_told_leaves_the_queue(tmp_path: Path) -> None:
    model = fake("slow", free_port(), "--slow-start", "600", send_loading_state=True)
    async with running(tmp_path, one_at_a_time(model)) as house:
        async with Wire(house.gateway) as wire:
            body = json.dumps(chat("slow", stream=True)).encode()
            await wire.request("POST", CHAT, (), body)
            got = await wire.head()
            await wire.piece(got)
        await house.freed()
