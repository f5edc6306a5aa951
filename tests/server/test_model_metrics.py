"""Improvement 7: what ``/metrics`` says of each model, after real requests through a door."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.server.activity_house import watched
from tests.server.conftest import free_ports
from tests.server.house import fake, one_at_a_time, release, side_by_side
from tests.server.raw_upstream import SSE_HEAD
from tests.server.test_activity import CHAT, NOTHING, ok, quiet
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

TIMED = {
    "usage": {"prompt_tokens": 30, "completion_tokens": 5},
    "timings": {
        "cache_n": 20,
        "prompt_n": 10,
        "predicted_n": 5,
        "prompt_per_second": 400.0,
        "predicted_per_second": 40.0,
    },
}


async def timed(peer: Peer, _: RawRequest) -> None:
    await peer.reply(json.dumps(TIMED).encode())


async def test_requests_are_counted_by_status() -> None:
    async def busy(peer: Peer, _: RawRequest) -> None:
        await peer.reply(b'{"error":"busy"}', b"HTTP/1.1 503 Busy\r\n")

    async with watched(NOTHING, raw=["one"]) as house:
        async with house.raw["one"].play(ok):
            for _ in range(3):
                await ask(house.port, "POST", CHAT, chat("one"))
        async with house.raw["one"].play(busy):
            await ask(house.port, "POST", CHAT, chat("one"))
        counted = await house.metrics()
    assert counted['llmstack_model_requests_total{model="one",status="200"}'] == 3
    assert counted['llmstack_model_requests_total{model="one",status="503"}'] == 1


async def test_tokens_and_speeds_are_those_that_the_model_reports() -> None:
    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(timed):
        for _ in range(2):
            await ask(house.port, "POST", CHAT, chat("one"))
        counted = await house.metrics()
    label = '{model="one"}'
    assert counted[f"llmstack_model_input_tokens_total{label}"] == 20
    assert counted[f"llmstack_model_output_tokens_total{label}"] == 10
    assert counted[f"llmstack_model_cached_tokens_total{label}"] == 40
    assert counted[f"llmstack_model_prompt_tokens_per_second_sum{label}"] == 800
    assert counted[f"llmstack_model_generation_tokens_per_second_sum{label}"] == 80
    bucket = 'llmstack_model_generation_tokens_per_second_bucket{model="one",le="%s"}'
    assert (counted[bucket % 30], counted[bucket % 50]) == (0, 2)


async def test_the_time_to_the_first_token_is_less_than_that_of_the_whole_answer() -> None:
    proceed = asyncio.Event()

    async def slow(peer: Peer, _: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"data: {}\n\n")
        await proceed.wait()
        await peer.chunk(b"data: [DONE]\n\n")
        await peer.chunk(b"")

    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(slow):
        async with Wire(house.port) as wire:
            await wire.request("POST", CHAT, body=json.dumps(chat("one", stream=True)).encode())
            answer = await wire.head()
            await wire.piece(answer)
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0.3)
            proceed.set()
            await wire.finish(answer)
            paused = asyncio.get_running_loop().time() - before
        row = await house.row()
        counted = await house.metrics()
    first = counted['llmstack_model_time_to_first_token_seconds_sum{model="one"}']
    assert counted['llmstack_model_time_to_first_token_seconds_count{model="one"}'] == 1
    assert 0 <= first <= row["duration_ms"] / 1000 - min(paused, 0.25)


async def test_queue_and_load_times_are_told_apart() -> None:
    one, two = free_ports(2)
    models = fake("one", one), fake("two", two, "--slow-start", "0.4")
    async with watched(quiet(one_at_a_time(*models))) as house, Wire(house.port) as busy:
        await busy.request("POST", CHAT, body=json.dumps(chat("one", paced=True)).encode())
        await eventually(lambda: house.engine.status()[0].in_flight)
        waiting = asyncio.ensure_future(ask(house.port, "POST", CHAT, chat("two")))
        await eventually(lambda: len(house.activity.inflight) == 2)
        await asyncio.sleep(0.3)  # what is to be measured
        await release(one, 10)
        await busy.answer()
        await waiting
        counted = await house.metrics()
        (row,) = await house.rows(model="two")
    queued = counted['llmstack_model_queue_seconds_sum{model="two"}']
    loaded = counted['llmstack_model_load_seconds_sum{model="two"}']
    assert counted['llmstack_model_load_seconds_count{model="two"}'] == 1
    assert queued >= 0.25
    assert loaded >= 0.4
    assert int(row["metadata"]["load_ms"]) >= 400
    assert abs(int(row["metadata"]["queue_ms"]) / 1000 - queued) < 0.002
    assert queued + loaded <= row["duration_ms"] / 1000 + 0.1


async def test_evictions_have_their_reason_and_swaps_their_newcomer() -> None:
    ports = free_ports(4)
    swap = replace(
        one_at_a_time(
            fake("one", ports[0]),
            fake("two", ports[1]),
            fake("idle", ports[2], ttl=1),
            fake("broken", ports[3], "--crash-on-start", "3"),
        )
    )
    async with watched(quiet(swap)) as house:
        await ask(house.port, "POST", CHAT, chat("one"))
        await ask(house.port, "POST", CHAT, chat("two"))
        await house.engine.unload("two")
        await ask(house.port, "POST", CHAT, chat("idle"))
        await eventually(lambda: str(house.engine.state("idle")) == "stopped")
        assert (await ask(house.port, "POST", CHAT, chat("broken"))).status >= 500
        counted = await house.metrics()
    name = 'llmstack_model_evictions_total{model="%s",reason="%s"}'
    for model, reason in (
        ("one", "swap"),
        ("two", "unload"),
        ("idle", "ttl"),
        ("broken", "failed"),
    ):
        assert counted[name % (model, reason)] == 1
    assert counted['llmstack_model_swaps_total{model="two"}'] == 1
    assert [key for key in counted if "swaps_total" in key] == [
        'llmstack_model_swaps_total{model="two"}'
    ]
    assert counted['llmstack_model_state{model="one",state="stopped"}'] == 1


async def test_hostile_names_are_escaped_and_unknown_ones_share_a_series() -> None:
    hostile = 'a"b\\c\nd} 7\nfake_metric 1'
    async with watched(NOTHING, raw=[hostile]) as house, house.raw[hostile].play(ok):
        await ask(house.port, "POST", CHAT, chat(hostile))
        for number in range(20):
            await ask(house.port, "POST", CHAT, chat(f"guess {number}"))
        text = (await ask(house.port, "GET", "/metrics")).body.decode()
    label = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
    line = re.compile(rf"[a-z_]+(\{{{label}(,{label})*\}})? \S+")
    assert all(line.fullmatch(found) for found in text.splitlines() if found[0] != "#"), text
    assert text.count("llmstack_model_requests_total{") == 2
    assert 'llmstack_model_requests_total{model="other",status="404"} 20\n' in text


async def test_what_no_client_can_read_is_kept_short() -> None:
    """A name of megabytes would be kept as often as there are rows."""
    async with watched(side_by_side()) as house:
        await ask(house.port, "POST", CHAT, chat("x" * 3_000_000), [("X-Session-ID", "s" * 5000)])
        row = await house.row()
    assert len(json.dumps(row)) < 2000
    assert row["model"] == "x" * 200
