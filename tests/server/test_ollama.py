"""Ollama's chat and generate on the wire: streams, faults, and the way of every other request."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.house import fake, one_at_a_time, release, running
from tests.server.raw_upstream import JSON_HEAD, OK, SSE_HEAD, Peer, RawRequest
from tests.server.wire import Answer, Wire, ask, chat, eventually, within

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/api/chat"
GENERATE = "/api/generate"


def lines(answer: Answer) -> list[dict[str, Any]]:
    """The lines of a stream, which has come to its end."""
    assert answer.complete
    assert answer.header("content-type") == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def delta(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


async def test_a_chat_is_streamed_as_lines(house: House) -> None:
    """Better than llama-swap, number 10."""
    for port in (house.gateway, house.door):
        got = await ask(port, "POST", CHAT, chat("smart"))
        told = lines(got)
        assert [line["message"]["content"] for line in told] == ["tok0", " tok1", " tok2", ""]
        assert [line["done"] for line in told] == [False, False, False, True]
        assert {line["model"] for line in told} == {"smart"}
        assert told[-1]["done_reason"] == "stop"
        assert (told[-1]["prompt_eval_count"], told[-1]["eval_count"]) == (7, 3)
        assert told[-1]["total_duration"] > 0
        assert got.header("x-llmstack-model") == "smart"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat("smart", stream=False)),
        (GENERATE, {"model": "smart", "prompt": "hi", "stream": False}),
        (GENERATE, {"model": "smart", "prompt": "hi", "stream": False, "raw": True}),
    ],
)
async def test_an_answer_may_come_whole(house: House, path: str, body: dict[str, Any]) -> None:
    got = await ask(house.gateway, "POST", path, body)
    assert got.header("content-type") == "application/json; charset=utf-8"
    told = got.json()
    said = told["message"]["content"] if path == CHAT else told["response"]
    assert (said, told["done"], told["eval_count"]) == ("tok0 tok1 tok2", True, 3)


@pytest.mark.parametrize("name", ["auto", "auto:latest", "", None])
async def test_auto_chooses_for_ollamas_clients_too(house: House, name: str | None) -> None:
    got = await ask(house.gateway, "POST", CHAT, chat(name))
    assert lines(got)[-1]["done"]
    assert got.header("x-llmstack-model") == "smart"
    assert "tokens" in got.header("x-llmstack-reason")


async def test_a_line_leaves_before_the_next_event_exists(house: House, raw: RawUpstream) -> None:
    received = asyncio.Semaphore(0)

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await received.acquire()
        for word in ("a", "b"):
            whole = delta(word)
            await peer.chunk(whole[:30])
            await peer.chunk(whole[30:])
            await received.acquire()
        await peer.chunk(delta("", "stop") + b"data: [DONE]\n\n")
        await peer.chunk(b"")

    async with raw.play(answer), Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), json.dumps(chat("raw")).encode())
        got = await wire.head()
        received.release()
        for word in ("a", "b"):
            line = json.loads(await wire.piece(got))
            assert line["message"]["content"] == word
            received.release()
        assert json.loads(await wire.piece(got))["done"] is True
        assert await wire.piece(got) == b""


async def test_the_model_gets_an_openai_request(house: House, raw: RawUpstream) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.reply(b'{"choices": [{"message": {"content": "ok"}}]}')

    wish = chat("raw:latest", stream=False, options={"temperature": 1, "num_ctx": 9}, think=True)
    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT + "?odd=1", wish, [("X-Mine", "kept")])
        (request,) = raw.requests
    assert request.target == "/v1/chat/completions"
    assert json.loads(request.body) == {
        "model": "raw",
        "messages": wish["messages"],
        "stream": False,
        "temperature": 1,
        "chat_template_kwargs": {"enable_thinking": True},
    }
    assert request.all(b"content-type") == [b"application/json"]
    assert request.all(b"x-mine") == [b"kept"]
    assert got.header("x-llmstack-ignored") == "options.num_ctx"
    assert got.json()["model"] == "raw:latest"


async def test_an_error_of_the_model_keeps_its_status(house: House, raw: RawUpstream) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        head = JSON_HEAD.replace(b"200 OK", b"400 Bad Request")
        await peer.reply(b'{"error": {"code": 400, "message": "too long"}}', head)

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert (got.status, got.json()) == (400, {"error": "too long"})


async def test_a_stream_that_breaks_off_ends_in_an_error_line(
    house: House, raw: RawUpstream
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(delta("a") + delta("lost")[:20])
        peer.abort()

    async with raw.play(answer):
        told = lines(await ask(house.gateway, "POST", CHAT, chat("raw")))
    assert told[0]["message"]["content"] == "a"
    assert told[1].keys() == {"error"}
    assert "broke off" in told[1]["error"]


@pytest.mark.parametrize(
    "sent",
    [
        JSON_HEAD + b"Content-Length: 100\r\n\r\n{",
        JSON_HEAD + b"Content-Length: 2\r\n\r\n[]",
        OK + b"Content-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    ],
)
async def test_what_is_no_answer_is_a_bad_gateway(
    house: House, raw: RawUpstream, sent: bytes
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(sent)
        peer.close()

    async with raw.play(answer):
        for stream in (True, False):
            got = await ask(house.gateway, "POST", CHAT, chat("raw", stream=stream))
            assert got.complete
            assert got.status == 502
            assert got.json().keys() == {"error"}


async def test_a_client_that_leaves_ends_the_generation(house: House, raw: RawUpstream) -> None:
    gone = asyncio.Event()

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(delta("a"))
        await peer.gone()
        gone.set()

    async with raw.play(answer):
        async with Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, (), json.dumps(chat("raw")).encode())
            await wire.piece(await wire.head())
        await within(gone.wait())
        await house.freed()


async def test_who_asks_for_a_load_and_leaves_leaves_the_queue(
    tmp_path: Path, two_ports: tuple[int, int]
) -> None:
    one, two = two_ports
    swap = one_at_a_time(fake("one", one), fake("two", two))
    async with running(tmp_path, swap) as house, Wire(house.door) as first:
        await first.request("POST", CHAT, (), json.dumps(chat("one", stream=False)).encode())
        assert (await first.answer()).status == 200
        await first.request(
            "POST", "/v1/chat/completions", (), json.dumps(chat("one", paced=True)).encode()
        )
        await eventually(lambda: house.in_flight("one") == 1)
        async with Wire(house.door) as wire:
            await wire.request("POST", CHAT, (), b'{"model": "two"}')
            await eventually(lambda: house.engine.queue_position(swap.models["two"]))
        await eventually(lambda: house.engine.queue_position(swap.models["two"]) is None)
        await release(one, 3)
        assert (await first.answer()).status == 200
        assert house.state("two") == "stopped"


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (CHAT, chat("nobody"), 404, "model 'nobody' not found"),
        (CHAT, chat("nobody", messages=[]), 404, "model 'nobody' not found"),
        ("/api/show", {"model": "nobody"}, 404, "model 'nobody' not found"),
        ("/api/show", {}, 400, "model is required"),
        (CHAT, b"", 400, "missing request body"),
        (GENERATE, {"model": "smart", "prompt": 3}, 400, "the request cannot be understood"),
        (CHAT, chat("broken"), 503, "unspecific error: broken: upstream command exited"),
    ],
)
async def test_errors_are_in_ollamas_form(
    house: House, path: str, body: Any, status: int, message: str
) -> None:
    for port in (house.gateway, house.door):
        got = await ask(port, "POST", path, body)
        as_llama_swap = status == 503 and port == house.door
        assert got.status == (500 if as_llama_swap else status)
        assert got.json().keys() == {"error"}
        assert got.json()["error"].startswith(message)


async def test_a_wrong_method_is_named(house: House) -> None:
    got = await ask(house.door, "GET", CHAT)
    assert (got.status, got.header("allow")) == (405, "POST")


async def test_a_full_model_says_how_many_it_admits(tmp_path: Path, free_port: int) -> None:
    swap = one_at_a_time(fake("busy", free_port, concurrency_limit=1))
    async with running(tmp_path, swap) as house, Wire(house.door) as wire:
        body = json.dumps(chat("busy", paced=True)).encode()
        await wire.request("POST", "/v1/chat/completions", (), body)
        await eventually(lambda: house.state("busy") == "ready")
        got = await ask(house.door, "POST", CHAT, chat("busy"))
        assert (got.status, got.header("retry-after")) == (429, "1")
        assert "busy admits 1 requests at once" in got.json()["error"]
        await release(free_port, 3)
        assert (await wire.answer()).status == 200


async def test_loading_is_told_as_thinking(tmp_path: Path, free_port: int) -> None:
    slow = fake("slow", free_port, "--slow-start", "1", send_loading_state=True)
    async with running(tmp_path, one_at_a_time(slow)) as house:
        told = lines(await ask(house.door, "POST", CHAT, chat("slow")))
    assert "loading model: slow" in told[0]["message"]["thinking"]
    assert "".join(line["message"]["content"] for line in told) == "tok0 tok1 tok2"
