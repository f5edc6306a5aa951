"""What the embedded server answers, with a real model."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.llama_server.process import LlamaServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("xllamacpp")

CHAT = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0}


@pytest.fixture(scope="module")
def server(tinywords_path: Path) -> Iterator[LlamaServerProcess]:
    argv = ("-m", str(tinywords_path), "--port", "0", "-t", "1", "-c", "4096", "-a", "two,one")
    with LlamaServerProcess(*argv, "--metrics") as running:
        yield running.wait_until_ready()


def test_a_chat_answer_ends_by_itself_and_is_deterministic(server: LlamaServerProcess) -> None:
    status, first = server.request("/v1/chat/completions", CHAT)
    _, second = server.request("/v1/chat/completions", CHAT)
    assert status == 200
    assert first["choices"][0]["finish_reason"] == "stop"
    assert first["choices"][0]["message"] == second["choices"][0]["message"]
    assert first["choices"][0]["message"]["content"].isascii()


def test_a_stream_ends_with_done_and_counts_tokens(server: LlamaServerProcess) -> None:
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    with server.open("/v1/chat/completions", body) as answer:
        events = [line[6:].strip() for line in answer if line.startswith(b"data: ")]
    assert events[-1] == b"[DONE]"
    usage = json.loads(events[-2])["usage"]
    assert usage["completion_tokens"] > 0


def test_messages_and_responses_and_infill_are_served(server: LlamaServerProcess) -> None:
    status, message = server.request("/v1/messages", {**CHAT, "max_tokens": 5})
    assert (status, message["type"]) == (200, "message")
    status, response = server.request("/v1/responses", {"input": "hello", "max_output_tokens": 5})
    assert (status, response["object"]) == (200, "response")
    body = {"input_prefix": "def", "input_suffix": "x", "n_predict": 4}
    status, infill = server.request("/infill", body)
    assert status == 200
    assert infill["content"]


def test_every_alias_is_known_and_the_first_in_order_is_the_id(server: LlamaServerProcess) -> None:
    _, models = server.request("/v1/models")
    assert models["data"][0]["id"] == "one"
    assert models["data"][0]["aliases"] == ["one", "two"]


def test_by_default_four_slots_share_the_whole_context(server: LlamaServerProcess) -> None:
    _, slots = server.request("/slots")
    assert [slot["n_ctx"] for slot in slots] == [4096] * 4


def test_slots_answer_at_the_same_time(server: LlamaServerProcess) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: server.request("/v1/chat/completions", CHAT), range(8)))
    assert {status for status, _ in answers} == {200}


def test_a_number_of_slots_divides_the_context(tinywords_path: Path) -> None:
    argv = ("-m", str(tinywords_path), "--port", "0", "-t", "1", "-c", "4096", "-np", "2")
    with LlamaServerProcess(*argv) as running:
        _, slots = running.wait_until_ready().request("/slots")
    assert [slot["n_ctx"] for slot in slots] == [2048] * 2


def test_a_request_beyond_the_context_is_400_in_llama_cpps_words(
    server: LlamaServerProcess,
) -> None:
    body = {"messages": [{"role": "user", "content": "xyz " * 5000}]}
    status, answer = server.request("/v1/chat/completions", body)
    assert status == 400
    assert "exceeds the available context size" in answer["error"]["message"]


def test_embeddings_are_refused_unless_asked_for(server: LlamaServerProcess) -> None:
    assert server.request("/v1/embeddings", {"input": "house"})[0] == 501


def test_embeddings_have_the_width_of_the_model(tinywords_path: Path) -> None:
    argv = ("-m", str(tinywords_path), "--port", "0", "-t", "1", "-c", "512")
    with LlamaServerProcess(*argv, "--embeddings", "--pooling", "mean") as running:
        running.wait_until_ready()
        status, answer = running.request("/v1/embeddings", {"input": ["house work", "night"]})
    assert status == 200
    first, second = (item["embedding"] for item in answer["data"])
    assert len(first) == len(second) == 64
    assert sum(x * x for x in first) == pytest.approx(1.0)
    assert first != second


def test_reranking_scores_every_document(tinywords_path: Path) -> None:
    argv = ("-m", str(tinywords_path), "--port", "0", "-t", "1", "-c", "512", "--reranking")
    with LlamaServerProcess(*argv) as running:
        body = {"query": "house", "documents": ["house", "night"]}
        status, answer = running.wait_until_ready().request("/v1/rerank", body)
    assert status == 200
    assert sorted(result["index"] for result in answer["results"]) == [0, 1]


def test_without_the_key_a_request_is_401(tinywords_path: Path) -> None:
    argv = ("-m", str(tinywords_path), "--port", "0", "-t", "1", "-c", "512", "--api-key", "k")
    with LlamaServerProcess(*argv) as running:
        assert running.wait_until_ready().request("/v1/chat/completions", CHAT)[0] == 401
        bearer = {"Authorization": "Bearer k"}
        assert running.request("/v1/chat/completions", CHAT, bearer)[0] == 200


def test_a_quantised_cache_works(tinywords_path: Path) -> None:
    argv = ("-m", str(tinywords_path), "--port", "0", "-t", "1", "-c", "512")
    with LlamaServerProcess(*argv, "-ctk", "q8_0", "-ctv", "q8_0", "-fa", "on") as running:
        assert running.wait_until_ready().request("/v1/chat/completions", CHAT)[0] == 200
