"""The self-trained model keeps what its README promises, on the real llama.cpp server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.llama_server.process import LlamaServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent / "tiny_chat"
PROBES: list[dict[str, Any]] = json.loads((HERE / "probes.json").read_text(encoding="utf-8"))
SIZE_LIMIT = 2_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServerProcess]:
    arguments = ("-m", str(HERE / "tiny-chat.gguf"), "--port", "0", "-c", "16384", "-t", "1")
    with LlamaServerProcess(*arguments, "-np", "1", "--jinja") as process:
        process.wait_until_ready()
        yield process


def test_the_model_stays_small() -> None:
    assert (HERE / "tiny-chat.gguf").stat().st_size <= SIZE_LIMIT


@pytest.mark.parametrize("probe", PROBES, ids=[probe["name"] for probe in PROBES])
def test_it_answers_as_it_was_taught(probe: dict[str, Any], server: LlamaServerProcess) -> None:
    body = {"messages": probe["messages"], "max_tokens": 300, "temperature": 0}
    if probe.get("tools"):
        body["tools"] = probe["tools"]
    _, answer = server.request("/v1/chat/completions", body)
    message = answer["choices"][0]["message"]
    expected = probe["expect"]
    if "tool_call" in expected:
        function = message["tool_calls"][0]["function"]
        assert function["name"] == expected["tool_call"]["name"]
        assert json.loads(function["arguments"]) == expected["tool_call"]["arguments"]
    else:
        assert message["content"] == expected["content"]
