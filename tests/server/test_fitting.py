"""Requests that do not fit their model's window are made to, on their way through the gateway."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.swap import SwapConfig
from tests.server.house import error_of, running, tier
from tests.server.wire import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House
    from tests.server.raw_upstream import Peer, RawRequest, RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
COUNT = "/v1/chat/completions/input_tokens"
#: Bytes that this tokenizer makes a token of.
PER_TOKEN = 4


class Model:
    """Plays llama-server with a window; a token is four bytes of the messages."""

    def __init__(self, window: int, *, tells: bool = True) -> None:
        self.window = window
        self.tells = tells
        self.asked: list[bytes] = []

    async def __call__(self, peer: Peer, request: RawRequest) -> None:
        path = request.target.partition("?")[0]
        if path == "/props":
            told = {"default_generation_settings": {"n_ctx": self.window}} if self.tells else {}
            await peer.reply(json.dumps(told).encode())
        elif path == COUNT and self.tells:
            await peer.reply(json.dumps({"input_tokens": tokens(request.body)}).encode())
        elif path == CHAT:
            self.asked.append(request.body)
            await self.answer(peer, tokens(request.body))
        else:
            await peer.reply(b'{"error": "none"}', b"HTTP/1.1 404 Not Found\r\n")

    async def answer(self, peer: Peer, prompt: int) -> None:
        if prompt > self.window:
            error = {
                "code": 400,
                "type": "exceed_context_size_error",
                "message": f"request ({prompt} tokens) exceeds the available context size",
                "n_prompt_tokens": prompt,
                "n_ctx": self.window,
            }
            body = json.dumps({"error": error}).encode()
            await peer.reply(
                body, b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
            )
            return
        usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
        message = {"role": "assistant", "content": "ok"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        await peer.reply(json.dumps({"choices": [choice], "usage": usage}).encode())


def tokens(body: bytes) -> int:
    return len(json.dumps(json.loads(body)["messages"])) // PER_TOKEN


def conversation(rounds: int, words: int = 40) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are a coder."},
        {"role": "user", "content": "Mend the parser in src/parse.py."},
    ]
    for number in range(rounds):
        arguments = json.dumps({"path": f"src/file{number}.py"})
        call = {"name": "read", "arguments": arguments}
        messages += [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"c{number}", "type": "function", "function": call}],
            },
            {
                "role": "tool",
                "tool_call_id": f"c{number}",
                "content": f"    line of {number}\n" * words,
            },
        ]
    messages.append({"role": "user", "content": "What is next?"})
    return {"model": "raw", "seed": 12345678901234567890, "messages": messages}


@asynccontextmanager
async def house_with(root: Path, model: Model) -> AsyncIterator[tuple[House, RawUpstream]]:
    tiers = [tier("raw", "agent")]
    swap = SwapConfig(source="test")
    async with (
        running(root, swap, tiers=tiers, raw=["raw"]) as house,
        house.raw["raw"].play(model),
    ):
        yield house, house.raw["raw"]


def files_below(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def check_pairs(messages: list[dict[str, Any]]) -> None:
    calls = [call["id"] for one in messages for call in one.get("tool_calls", ())]
    results = [one["tool_call_id"] for one in messages if one["role"] == "tool"]
    assert calls == results


async def test_what_fits_is_sent_byte_for_byte(tmp_path: Path) -> None:
    model = Model(8192)
    body = json.dumps(conversation(3), indent=3).encode()
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", CHAT, body)
    assert got.status == 200
    assert model.asked == [body]
    assert got.header("x-llamaswap-prompt-optimized") == "false"


async def test_what_does_not_fit_is_shortened_and_says_so(tmp_path: Path) -> None:
    """Old results go first; the first task and the last turn stay, and so does every pair."""
    model = Model(2048)
    wanted = conversation(20)
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", CHAT, wanted)
        (row,) = (await ask(house.gateway, "GET", "/api/metrics/activity")).json()["data"]
    assert got.status == 200
    (sent,) = model.asked
    assert tokens(sent) <= 2048 * 3 // 4
    messages = json.loads(sent)["messages"]
    assert messages[0] == wanted["messages"][0]
    assert messages[1]["content"].startswith("Mend the parser in src/parse.py.")
    assert messages[-1] == wanted["messages"][-1]
    check_pairs(messages)
    assert b"12345678901234567890" in sent
    told = got.header("x-llmstack-context")
    assert told.startswith("limit_only; ")
    assert "cleared" in told
    assert got.header("x-llamaswap-prompt-optimized") == "true"
    assert row["resp_status_code"] == 200


async def test_between_two_steps_the_prompt_only_grows(tmp_path: Path) -> None:
    """So that the model server's cache of the prompt keeps hitting."""
    model = Model(2048)
    async with house_with(tmp_path, model) as (house, _):
        for rounds in range(14, 20):
            assert (await ask(house.gateway, "POST", CHAT, conversation(rounds))).status == 200
    sent = [json.loads(body)["messages"] for body in model.asked]
    grown = [after[: len(before) - 1] == before[:-1] for before, after in pairwise(sent)]
    assert grown.count(False) <= 1
    assert any("cleared" in json.dumps(messages) for messages in sent)


async def test_a_window_that_only_the_server_knew_is_learned_from_its_error(
    tmp_path: Path,
) -> None:
    """The request is made shorter and sent once more; the next one fits at once."""
    model = Model(2048, tells=False)
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", CHAT, conversation(20))
        assert got.status == 200
        assert len(model.asked) == 2
        assert (await ask(house.gateway, "POST", CHAT, conversation(21))).status == 200
        assert len(model.asked) == 3


async def test_what_cannot_be_made_to_fit_is_an_error_that_agents_know(tmp_path: Path) -> None:
    model = Model(512)
    body = conversation(0)
    body["messages"][0]["content"] = "rule\n" * 5000
    async with house_with(tmp_path, model) as (house, _):
        status, message = error_of(got := await ask(house.gateway, "POST", CHAT, body))
    assert status == 400
    assert got.json()["error"]["code"] == "context_length_exceeded"
    assert "maximum context length is 512 tokens" in message
    assert not model.asked


async def test_another_error_of_the_model_passes_as_it_is(tmp_path: Path) -> None:
    class Strict(Model):
        async def answer(self, peer: Peer, prompt: int) -> None:
            await peer.reply(
                b'{"error": {"message": "no such grammar", "code": 400}}',
                b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nX-Its-Own: 1\r\n",
            )

    model = Strict(2048)
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", CHAT, conversation(1))
    assert (got.status, got.json()["error"]["message"]) == (400, "no such grammar")
    assert got.header("x-its-own") == "1"
    assert len(model.asked) == 1


async def test_a_record_says_where_a_prompt_differs_from_the_one_before(tmp_path: Path) -> None:
    """This server never has anything cached."""
    model = Model(8192)
    first, longer, other = conversation(6), conversation(7), conversation(7)
    other["messages"][3]["content"] = "another result"
    headers = [("X-Session-Id", "one")]
    async with house_with(tmp_path, model) as (house, _):
        for body in (first, longer, other):
            assert (await ask(house.gateway, "POST", CHAT, body, headers)).status == 200
        rows = (await ask(house.gateway, "GET", "/api/metrics/activity")).json()["data"]
    differ = [row.get("metadata", {}).get("prefix_differs_at") for row in reversed(rows)]
    assert differ == [None, "messages[14]", "messages[3]"]


async def test_the_front_of_a_prompt_is_made_steady(tmp_path: Path) -> None:
    model = Model(8192)
    body = conversation(1)
    body["messages"][0]["content"] = "You are a coder.\nCurrent date: 2026-11-21 19:32:20"
    async with house_with(tmp_path, model) as (house, _):
        assert (await ask(house.gateway, "POST", CHAT, body)).status == 200
        (row,) = (await ask(house.gateway, "GET", "/api/metrics/activity")).json()["data"]
    (sent,) = model.asked
    assert b"19:32" not in sent
    assert b"2026-11-21" in sent
    assert row["metadata"]["steadied"] == "time of day"


async def test_a_very_large_body_is_made_to_fit_as_well(tmp_path: Path) -> None:
    model = Model(2048)
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", CHAT, conversation(20, words=2000))
    assert got.status == 200
    (sent,) = model.asked
    assert tokens(sent) <= 2048 * 3 // 4
    check_pairs(json.loads(sent)["messages"])


async def test_an_estimate_that_nothing_has_proved_cuts_nothing(tmp_path: Path) -> None:
    """Nobody here can count, and the first guess of a tokenizer is a careful one."""

    class Silent(Model):
        async def __call__(self, peer: Peer, request: RawRequest) -> None:
            if request.target.startswith(COUNT) or "template" in request.target:
                await peer.reply(b"{}", b"HTTP/1.1 404 Not Found\r\n")
            else:
                await super().__call__(peer, request)

    model = Silent(2048)
    body = conversation(7)
    assert tokens(json.dumps(body).encode()) < 2048 * 3 // 4 < len(json.dumps(body)) // 2
    async with house_with(tmp_path, model) as (house, _):
        got = await ask(house.gateway, "POST", CHAT, body)
    assert got.status == 200
    (sent,) = model.asked
    assert json.loads(sent)["messages"] == body["messages"]


async def test_nothing_of_a_shortened_prompt_is_written_to_disk(tmp_path: Path) -> None:
    """Prompts are not stored unless asked: what stands for removed results names files too."""
    model = Model(2048)
    async with house_with(tmp_path, model) as (house, _):
        assert (await ask(house.gateway, "POST", CHAT, conversation(20))).status == 200
    assert b"src/file" in model.asked[0]
    written = files_below(tmp_path)
    assert "activity.db" in written
    for name, kept in written.items():
        assert b"src/file" not in kept, name
        assert b"Mend the parser" not in kept, name
