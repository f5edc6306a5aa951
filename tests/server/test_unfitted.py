"""What is only asked about, or has no history, goes to its model as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llmstack.server.summaries import REASON
from tests.server.test_fitting import Model, conversation, house_with
from tests.server.wire import ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Anything(Model):
    """Takes every POST, and says that it had so many tokens."""

    def __init__(self, window: int, answer: bytes) -> None:
        super().__init__(window)
        self.said = answer

    async def __call__(self, peer: Peer, request: RawRequest) -> None:
        if request.target == "/props":
            await super().__call__(peer, request)
            return
        self.asked.append(request.body)
        await peer.reply(self.said, JSON)


async def test_a_question_for_the_number_of_tokens_is_about_the_whole_request(
    tmp_path: Path,
) -> None:
    """A client that is told the number of the shortened one never compacts its history."""
    model = Anything(2048, b'{"input_tokens": 12345}')
    body = json.dumps(conversation(40), indent=2).encode()
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", "/v1/messages/count_tokens", body)
    assert got.json() == {"input_tokens": 12345}
    assert model.asked == [body]


async def test_a_text_without_a_history_is_not_said_to_be_too_long(tmp_path: Path) -> None:
    model = Anything(2048, b'{"object": "response", "output": []}')
    body = {"model": "raw", "input": "word " * 4000}
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", "/v1/responses", body)
        latest = await ask(house.gateway, "GET", "/api/model/raw/prompt-optimization/latest")
    assert got.status == 200
    assert got.all("x-llmstack-context") == []
    assert latest.status == 404


async def test_a_body_that_only_its_model_can_read_is_recorded_with_its_tokens(
    tmp_path: Path,
) -> None:
    """So that what it costs is counted."""
    usage = b'{"prompt_tokens": 900, "completion_tokens": 1, "total_tokens": 901}'
    model = Anything(8192, b'{"choices": [], "usage": %b}' % usage)
    body = b'{"model":"raw","messages":[{"role":"user","content":"hi","x":1e400}]}'
    async with house_with(tmp_path, model) as (house, _):
        assert (await ask(house.door, "POST", "/v1/chat/completions", body)).status == 200
        (row,) = (await ask(house.gateway, "GET", "/api/metrics/activity")).json()["data"]
    assert row["tokens"]["input_tokens"] == 900


async def test_a_summary_is_recorded_since_it_costs_what_answers_cost(tmp_path: Path) -> None:
    model = Model(2048)
    body = conversation(0)
    body["messages"] += [
        {"role": ("assistant", "user")[number % 2], "content": f"{number} of many words. " * 40}
        for number in range(12)
    ]
    body["model"] = "auto"
    headers = [("X-LLMStack-Context", "llm_assisted")]
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", "/v1/chat/completions", body, headers)
        rows = (await ask(house.gateway, "GET", "/api/metrics/activity")).json()["data"]
        opened = {
            row["metadata"]["reason"]: (
                await ask(house.gateway, "GET", f"/api/metrics/activity/{row['id']}")
            ).json()
            for row in rows
        }
    assert "summary failed" in got.header("x-llmstack-context")
    assert len(model.asked) == len(rows) == 2
    assert [row["metadata"]["reason"] for row in rows].count(REASON) == 1
    assert all(row["tokens"]["input_tokens"] > 0 for row in rows)
    summary = opened.pop(REASON)
    (request,) = opened.values()
    assert (summary["decision"], summary["context"]) == (None, None), "those are the request's"
    assert request["decision"]["model"] == "raw"
    assert request["context"]["summary"] == "failed"


async def test_off_leaves_the_front_of_a_prompt_as_it_is_too(tmp_path: Path) -> None:
    model = Model(8192)
    body = conversation(1)
    body["messages"][0]["content"] = "You are a coder.\nCurrent date: 2026-11-21 19:32:20"
    sent = json.dumps(body).encode()
    async with house_with(tmp_path, model) as (house, _):
        headers = [("X-LLMStack-Context", "off")]
        got = await ask(house.gateway, "POST", "/v1/chat/completions", sent, headers)
    assert got.status == 200
    assert model.asked == [sent]
