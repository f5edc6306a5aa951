"""What the activity log keeps of requests."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap import SwapConfig, SwapModel
from tests.server.activity_house import QUIET, watched
from tests.server.conftest import free_ports
from tests.server.house import fake, one_at_a_time, release, side_by_side
from tests.server.raw_upstream import JSON_HEAD, OK, SSE_HEAD
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
NOTHING = SwapConfig(source="test", performance=QUIET)
ANSWER = {"usage": {"prompt_tokens": 7, "completion_tokens": 5}}


async def ok(peer: Peer, _: RawRequest) -> None:
    await peer.reply(json.dumps(ANSWER).encode())


def quiet(swap: SwapConfig) -> SwapConfig:
    return replace(swap, performance=QUIET, min_residency=0)


@pytest.fixture
def tinywords(tinywords_path: Path) -> SwapConfig:
    """The embedded llama-server with a real model."""
    pytest.importorskip("xllamacpp")
    (port,) = free_ports(1)
    argv = ["-m", str(tinywords_path), "--port", str(port), "-t", "1", "-c", "1024"]
    cmd = shlex.join([sys.executable, "-m", "llmstack.llama_server", *argv])
    model = SwapModel(id="tiny", cmd=cmd, proxy=f"http://127.0.0.1:{port}")
    return quiet(one_at_a_time(model))


async def test_the_tokens_of_a_real_model_are_counted_streamed_or_not(
    tinywords: SwapConfig,
) -> None:
    async with watched(tinywords) as house:
        whole = await ask(house.port, "POST", CHAT, chat("tiny", max_tokens=5, temperature=0))
        streamed = await ask(
            house.port, "POST", CHAT, chat("tiny", max_tokens=5, temperature=0, stream=True)
        )
        second, first = await house.rows()
        counted = await house.metrics()
    assert (whole.status, streamed.status) == (200, 200)
    timings = whole.json()["timings"]
    assert first["tokens"]["input_tokens"] == timings["prompt_n"] > 0
    assert first["tokens"]["output_tokens"] == timings["predicted_n"] > 0
    assert first["tokens"]["tokens_per_second"] == pytest.approx(timings["predicted_per_second"])
    assert first["resp_content_type"].startswith("application/json")
    assert second["tokens"]["output_tokens"] == first["tokens"]["output_tokens"]
    assert second["resp_content_type"].startswith("text/event-stream")
    assert (first["model"], first["req_path"], first["resp_status_code"]) == ("tiny", CHAT, 200)
    assert int(first["metadata"]["load_ms"]) > 0, "the first request loaded the model"
    assert "load_ms" not in second["metadata"]
    assert int(second["metadata"]["ttft_ms"]) <= second["duration_ms"] + 1
    assert counted['llmstack_model_requests_total{model="tiny",status="200"}'] == 2
    assert counted['llmstack_model_output_tokens_total{model="tiny"}'] > 0
    assert counted['llmstack_model_load_seconds_count{model="tiny"}'] == 1


async def test_signs_of_life_while_a_prompt_is_read_are_no_first_token() -> None:
    async def alive(peer: Peer, request: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b":\n\n")
        if b"speak" in request.body:
            await peer.chunk(b"data: {}\n\n")
        await peer.chunk(b"")

    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(alive):
        for said in ("speak", "hush"):
            assert (await ask(house.port, "POST", CHAT, chat("one", user=said))).status == 200
        hushed, spoke = await house.rows()
    assert "ttft_ms" in spoke["metadata"]
    assert "ttft_ms" not in hushed["metadata"]


@pytest.mark.top40(30, "pages and statistics")
async def test_rows_come_in_pages_and_statistics_add_them_up() -> None:
    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(ok):
        for _ in range(5):
            await ask(house.port, "POST", CHAT, chat("one"))
        page = await ask(house.port, "GET", "/api/metrics/activity?limit=2&page=2&order=asc")
        stats = await ask(house.port, "GET", "/api/metrics/stats?model=one")
        wrong = await ask(house.port, "GET", "/api/metrics/activity?limit=1000")
    got = page.json()
    assert [row["id"] for row in got.pop("data")] == [3, 4]
    assert got == {"page": 2, "limit": 2, "total": 5, "total_pages": 3}
    assert stats.json() == {
        "total_requests": 5,
        "total_input_tokens": 35,
        "total_output_tokens": 25,
        "total_cache_tokens": 0,
        "prompt_histogram": None,
        "gen_histogram": None,
    }
    assert wrong.status == 400
    assert wrong.json()["error"]["message"] == "limit must be between 1 and 999"


async def test_only_posts_on_model_routes_are_kept_also_behind_upstream() -> None:
    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(ok):
        await ask(house.port, "GET", "/props?model=one")
        await ask(house.port, "GET", "/upstream/one/v1/chat/completions")
        await ask(house.port, "POST", "/upstream/one/tokenize", {"content": "x"})
        assert await house.rows() == []
        await ask(house.port, "POST", f"/upstream/one{CHAT}", chat("one"))
        row = await house.row()
    assert row["req_path"] == CHAT
    assert row["tokens"]["output_tokens"] == 5


async def test_prompts_are_not_stored_unless_asked() -> None:
    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(ok):
        await ask(house.port, "POST", CHAT, chat("one"))
        row = await house.row()
        got = await ask(house.port, "GET", f"/api/captures/{row['id']}")
        wrong = await ask(house.port, "GET", "/api/captures/first")
    assert row["has_capture"] is False
    assert (got.status, got.json()["error"]["message"]) == (404, "capture not found")
    assert (wrong.status, wrong.json()["error"]["message"]) == (400, "invalid capture ID")


@pytest.mark.top40(30, "captures")
async def test_captures_hold_both_bodies_and_no_secrets() -> None:
    async with watched(NOTHING, raw=["one"], captures=True) as house, house.raw["one"].play(ok):
        secret = [("Authorization", "Bearer sk-1"), ("X-Api-Key", "sk-2"), ("X-Session-Id", "s")]
        body = json.dumps(chat("one", "keep this")).encode()
        await ask(house.port, "POST", CHAT, body, secret)
        await eventually(lambda: house.activity.captures.has(1))
        row = await house.row()
        got = (await ask(house.port, "GET", "/api/captures/1")).json()
    assert row["has_capture"] is True
    assert got["id"] == 1
    assert got["req_path"] == CHAT
    assert base64.b64decode(got["req_body"]) == body
    assert json.loads(base64.b64decode(got["resp_body"])) == ANSWER
    assert got["req_headers"]["Authorization"] == got["req_headers"]["X-Api-Key"] == "[REDACTED]"
    assert got["req_headers"]["X-Session-Id"] == "s"
    assert got["resp_headers"]["Content-Type"] == "application/json"


async def test_a_client_that_leaves_has_a_row_with_status_499() -> None:
    async def endless(peer: Peer, _: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"data: {}\n\n")
        await peer.gone()

    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(endless):
        async with Wire(house.port) as wire:
            await wire.request("POST", CHAT, body=json.dumps(chat("one", stream=True)).encode())
            await wire.piece(await wire.head())
        await eventually(lambda: not len(house.activity.inflight))
        row = await house.row()
        counted = await house.metrics()
    assert row["resp_status_code"] == 499
    assert "left" in row["error_msg"]
    assert counted['llmstack_model_requests_total{model="one",status="499"}'] == 1


async def test_an_unknown_model_has_a_row_under_the_name_that_was_asked_for() -> None:
    async with watched(NOTHING) as house:
        got = await ask(house.port, "POST", CHAT, chat("nobody"))
        row = await house.row()
        counted = await house.metrics()
    assert got.status == 404
    assert (row["model"], row["resp_status_code"], row["req_path"]) == ("nobody", 404, CHAT)
    assert row["error_msg"]
    assert counted['llmstack_model_requests_total{model="other",status="404"}'] == 1


async def test_a_request_over_the_limit_has_a_row_with_status_429() -> None:
    (port,) = free_ports(1)
    swap = quiet(one_at_a_time(fake("one", port, concurrency_limit=1)))
    async with watched(swap) as house, Wire(house.port) as wire:
        await wire.request("POST", CHAT, body=json.dumps(chat("one", paced=True)).encode())
        await eventually(lambda: len(house.activity.inflight) == 1)
        await eventually(lambda: str(house.engine.state("one")) == "ready")
        got = await ask(house.port, "POST", CHAT, chat("one"))
        row = await house.row()
        await release(port, 10)
        await wire.answer()
    assert got.status == 429
    assert row["resp_status_code"] == 429
    assert row["error_msg"]
    assert row["tokens"]["input_tokens"] == 0


async def test_an_upstreams_error_is_told_in_its_own_words() -> None:
    async def refuse(peer: Peer, _: RawRequest) -> None:
        head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
        await peer.reply(b'{"error":{"message":"context is full"}}', head)

    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(refuse):
        await ask(house.port, "POST", CHAT, chat("one"))
        row = await house.row()
    assert (row["resp_status_code"], row["error_msg"]) == (400, "context is full")


async def test_an_answer_that_breaks_off_has_a_row_with_status_502() -> None:
    async def half(peer: Peer, _: RawRequest) -> None:
        await peer.send(JSON_HEAD + b"Content-Length: 100\r\n\r\n{")
        peer.abort()

    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(half):
        await ask(house.port, "POST", CHAT, chat("one"))
        row = await house.row()
    assert row["resp_status_code"] == 502


async def test_only_encodings_that_the_log_can_read_are_asked_for() -> None:
    async def packed(peer: Peer, _: RawRequest) -> None:
        head = OK + b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
        await peer.reply(gzip.compress(json.dumps(ANSWER).encode()), head)

    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(packed) as upstream:
        await ask(
            house.port, "POST", CHAT, chat("one"), [("Accept-Encoding", "br, gzip;q=1, zstd")]
        )
        row = await house.row()
    assert upstream.requests[0].all(b"accept-encoding") == [b"gzip;q=1"]
    assert row["tokens"]["output_tokens"] == 5


async def test_swaps_and_evictions_are_counted_by_reason() -> None:
    one, two = free_ports(2)
    async with watched(quiet(one_at_a_time(fake("one", one), fake("two", two)))) as house:
        await ask(house.port, "POST", CHAT, chat("one"))
        await ask(house.port, "POST", CHAT, chat("two"))
        await house.engine.unload("two")
        counted = await house.metrics()
    assert counted['llmstack_model_swaps_total{model="two"}'] == 1
    assert counted['llmstack_model_evictions_total{model="one",reason="swap"}'] == 1
    assert counted['llmstack_model_evictions_total{model="two",reason="unload"}'] == 1
    assert counted['llmstack_model_state{model="one",state="stopped"}'] == 1


@pytest.mark.top40(30, "performance and hardware")
async def test_metrics_performance_and_hardware_have_llama_swaps_names() -> None:
    swap = replace(side_by_side(), performance=replace(QUIET, disabled=False, every=3600))
    async with watched(swap) as house:
        sampler = house.activity.sampler
        assert sampler
        await eventually(lambda: sampler.latest)
        counted = await house.metrics()
        kind = (await ask(house.port, "GET", "/metrics")).header("content-type")
        told = (await ask(house.port, "GET", "/api/performance")).json()
        hardware = (await ask(house.port, "GET", "/api/hardware")).json()
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert counted["llamaswap_memory_total_bytes"] > 0
    assert 'llamaswap_load_average{interval="1m"}' in counted
    assert told["enabled"] is True
    assert told["sys_stats"][0]["mem_total_mb"] > 0
    assert hardware["schema_version"] == 1


async def test_a_disabled_monitor_says_so() -> None:
    async with watched(NOTHING) as house:
        got = await ask(house.port, "GET", "/api/performance")
    assert (got.status, got.json()) == (503, {"enabled": False})
