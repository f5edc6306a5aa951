"""What an answer cost is in its row, and budgets know of it at once."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.hosted import Budget
from llmstack.config.stack import Prices
from llmstack.dialects.translation.reply import Usage
from tests.server.activity_house import watched
from tests.server.raw_upstream import SSE_HEAD
from tests.server.test_activity import CHAT, NOTHING
from tests.server.wire import Wire, ask, chat

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from llmstack.backends.protocol import Headers
    from tests.server.activity_house import Watched
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

MILLION = 1_000_000
PRICES = Prices(input=1.0, output=2.0, cache_read=0.1)
TOLD = {
    "prompt_tokens": MILLION,
    "completion_tokens": MILLION,
    "prompt_tokens_details": {"cached_tokens": 500_000},
    "completion_tokens_details": {"reasoning_tokens": 9},
}
COST = 0.5 + 0.05 + 2


async def told(peer: Peer, _: RawRequest) -> None:
    await peer.reply(json.dumps({"usage": TOLD}).encode())


def priced(**more: Any) -> AbstractAsyncContextManager[Watched]:
    prices = {"one": PRICES, "free": Prices()}
    values = {"tiers": {"one"}, "prices": prices, "zone": UTC, "now": lambda: 43_200.0}
    return watched(NOTHING, **{"raw": ["one"], **values, **more})


async def test_a_row_tells_what_the_answer_cost() -> None:
    async with priced(raw=["one", "free"]) as house:
        async with house.raw["one"].play(told), house.raw["free"].play(told):
            await ask(house.port, "POST", CHAT, chat("one"))
            await ask(house.port, "POST", CHAT, chat("free"))
        free, one = await house.rows()
        assert [row["model"] for row in await house.rows(sort="cost")] == ["one", "free"]
        counted = await house.metrics()
    assert float(one["metadata"]["cost_usd"]) == COST
    assert one["metadata"]["reasoning_tokens"] == "9"
    assert one["tokens"]["input_tokens"] == MILLION
    assert "estimated" not in one["metadata"]
    assert "cost_usd" not in free["metadata"]
    assert counted['llmstack_model_cost_usd_total{model="one"}'] == COST
    assert 'llmstack_model_cost_usd_total{model="free"}' not in counted


async def test_anthropics_prompt_without_its_cached_part_costs_the_same() -> None:
    usage = {
        "input_tokens": 500_000, "cache_read_input_tokens": 500_000, "output_tokens": MILLION,
    }  # fmt: skip

    async def told(peer: Peer, _: RawRequest) -> None:
        await peer.reply(json.dumps({"type": "message", "usage": usage}).encode())

    async with priced() as house, house.raw["one"].play(told):
        await ask(house.port, "POST", "/v1/messages", chat("one"))
        row = await house.row()
    assert float(row["metadata"]["cost_usd"]) == COST
    assert row["tokens"]["input_tokens"] == 500_000


async def test_a_budget_knows_what_has_just_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are made of many requests at once, a moment later; budgets do not wait for that."""
    monkeypatch.setattr("llmstack.server.activity.SOON", 3600)
    now = [0.0]
    budgets = {"one": Budget(per_day=2 * COST), "free": Budget()}
    async with priced(budgets=budgets, now=lambda: now[0]) as house, house.raw["one"].play(told):
        monkeypatch.setattr("time.time", lambda: 43_200.0)
        now[0] = 43_200.0
        known = house.activity.budgets
        await ask(house.port, "POST", CHAT, chat("one"))
        assert known.exceeded("one") is None
        await ask(house.port, "POST", CHAT, chat("one"))
        exceeded = known.exceeded("one")
        assert exceeded
        assert exceeded.why == "over its budget_usd_per_day"
        assert exceeded.retry_in == 43_200
        assert known.over() == {"one": exceeded}
        assert known.exceeded("free") is None
        assert house.activity.spending() == [
            {
                "tier": "one",
                "today_usd": 2 * COST,
                "month_usd": 2 * COST,
                "budget_usd_per_day": 2 * COST,
                "budget_usd_per_month": None,
                "over": "budget_usd_per_day",
            }
        ]
        counted = await house.metrics()
        now[0] += 43_200
        assert known.over() == {}
    assert counted['llmstack_tier_spent_usd{tier="one",period="month"}'] == 2 * COST
    assert counted['llmstack_tier_budget_usd{tier="one",period="day"}'] == 2 * COST
    assert 'llmstack_tier_budget_usd{tier="one",period="month"}' not in counted


async def test_a_client_that_leaves_pays_for_what_was_written() -> None:
    gone = asyncio.Event()

    async def endless(peer: Peer, _: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        event = {"choices": [{"delta": {"content": "x" * 400}}]}
        await peer.chunk(f"data: {json.dumps(event)}\n\n".encode())
        await peer.gone()
        gone.set()

    body = json.dumps(chat("one", stream=True)).encode()
    async with priced() as house, house.raw["one"].play(endless):
        async with Wire(house.port) as wire:
            await wire.request("POST", CHAT, body=body)
            await wire.piece(await wire.head())
        await asyncio.wait_for(gone.wait(), 30)
        row = await house.row()
    assert row["resp_status_code"] == 499
    assert row["metadata"]["estimated"] == "input and output"
    prompt = -(-len(body) // 4)
    assert float(row["metadata"]["cost_usd"]) == pytest.approx((prompt + 2 * 100) / MILLION)
    assert row["tokens"]["output_tokens"] == 0, "what nobody said is not told as tokens"


async def test_an_answer_without_words_and_tokens_has_no_cost() -> None:
    async def counted(peer: Peer, _: RawRequest) -> None:
        await peer.reply(b'{"input_tokens":5}')

    async def failed(peer: Peer, _: RawRequest) -> None:
        await peer.reply(b'{"error":{"text":"words"}}', b"HTTP/1.1 500 Oh\r\n")

    async with priced() as house:
        for script in (counted, failed):
            async with house.raw["one"].play(script):
                await ask(house.port, "POST", "/v1/messages/count_tokens", chat("one"))
        for row in await house.rows():
            assert "cost_usd" not in row["metadata"]


class Known:
    """An answer whose backend knows its tokens."""

    def __init__(self, usage: Usage | None, problem: str = "", exhausted: bool = True) -> None:
        self.usage, self.problem, self.exhausted = usage, problem, exhausted
        self.status = 200
        self.headers: Headers = [(b"content-type", b"text/event-stream")]

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    async def read(self) -> bytes:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


async def row_of(answer: Known, body: bytes, **left: str | int) -> dict[str, Any]:
    """The row of a request that ``answer`` answered, with what doors ``left`` in its scope."""
    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": [], **left}
    async with priced() as house:
        meter = house.activity.begin(scope, "one", b"{}", None, lambda: None)
        assert meter
        meter.answer(answer, answer.headers)
        meter.feed(body)
        meter.finish(200)
        return await house.row()


async def test_what_the_backend_knows_wins_over_what_the_bytes_say() -> None:
    usage = Usage(MILLION, 10, cached=MILLION, cache_written=0, reasoning=3)
    body = b'data: {"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'
    row = await row_of(
        Known(usage), body, **{"llmstack.backend": "bedrock", "llmstack.instead_of": "two"}
    )
    assert row["tokens"] | {"prompt_per_second": 0, "tokens_per_second": 0} == {
        "cache_tokens": MILLION,
        "draft_tokens": -1,
        "draft_acc_tokens": -1,
        "input_tokens": MILLION,
        "output_tokens": 10,
        "prompt_per_second": 0,
        "tokens_per_second": 0,
    }
    assert row["metadata"] | {"ttft_ms": "0"} == {
        "ttft_ms": "0",
        "tier": "one",
        "backend": "bedrock",
        "instead_of": "two",
        "reasoning_tokens": "3",
        "cost_usd": "0.10002",
    }


async def test_an_answer_that_broke_off_says_why_and_costs_what_it_wrote() -> None:
    body = b'data: {"delta":{"text":"' + b"x" * 400 + b'"}}\n\n'
    row = await row_of(Known(None, "throttled", False), body, **{"llmstack.tokens": 1000})
    assert row["error_msg"] == "throttled"
    assert float(row["metadata"]["cost_usd"]) == pytest.approx((1000 + 2 * 100) / MILLION)
    row = await row_of(Known(Usage(5000, 1), "", False), body)
    assert row["metadata"]["estimated"] == "output"
    assert float(row["metadata"]["cost_usd"]) == pytest.approx((5000 + 2 * 100) / MILLION)
    row = await row_of(Known(Usage(5000, 1)), body)
    assert float(row["metadata"]["cost_usd"]) == pytest.approx(5002 / MILLION)


async def test_a_client_that_leaves_after_the_tokens_were_told_pays_for_these() -> None:
    body = b'data: {"delta":{"text":"' + b"x" * 400 + b'"}}\n\n'
    row = await row_of(Known(Usage(5000, 60), exhausted=False), body)
    assert "estimated" not in row["metadata"]
    assert float(row["metadata"]["cost_usd"]) == pytest.approx(5120 / MILLION)


@pytest.mark.parametrize(("problem", "exhausted"), [("", False), ("", True), ("throttled", True)])
async def test_zeros_at_the_beginning_of_a_message_are_not_what_it_cost(
    problem: str, exhausted: bool
) -> None:
    start = b'data: {"message":{"usage":{"input_tokens":0,"output_tokens":0}}}\n\n'
    body = start + b'data: {"delta":{"text":"' + b"x" * 400 + b'"}}\n\n'
    answer = Known(None, problem, exhausted)
    row = await row_of(answer, body, **{"llmstack.tokens": 1000})
    assert row["metadata"]["estimated"] == "input and output"
    assert float(row["metadata"]["cost_usd"]) == pytest.approx(1200 / MILLION)


async def test_spend_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    for times in (1, 2):
        async with priced(fallback=tmp_path / "a.db", now=time.time) as house:
            async with house.raw["one"].play(told):
                await ask(house.port, "POST", CHAT, chat("one"))
            (spent,) = house.activity.spending()
        assert spent["month_usd"] == pytest.approx(times * COST)
