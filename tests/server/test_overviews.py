"""The overview of a running daemon, asked for and followed."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from llmstack.config.hosted import Budget
from llmstack.config.stack import Prices
from tests.server.activity_house import events, watched
from tests.server.conftest import free_ports
from tests.server.house import fake, one_at_a_time, release, running, side_by_side, tier
from tests.server.raw_upstream import SSE_HEAD
from tests.server.test_activity import CHAT, NOTHING, ok, quiet
from tests.server.test_activity_live import INITIAL
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

OVERVIEW = "/api/overview"


async def test_a_stack_tells_its_models_memory_queue_and_sums(tmp_path: Path) -> None:
    smart, fast = free_ports(2)
    swap = side_by_side(fake("smart", smart, ttl=600), fake("fast", fast))
    async with running(tmp_path, swap, tiers=(tier("smart", "agent", 20_000),)) as house:
        before = (await ask(house.gateway, "GET", OVERVIEW)).json()
        await ask(house.gateway, "POST", CHAT, chat("smart"))
        told = (await ask(house.door, "GET", OVERVIEW)).json()
    assert (told["kind"], told["channel"], told["auto"]) == ("stack", "current", True)
    assert abs(told["time"] - time.time()) < 60
    assert [model["state"] for model in before["models"]] == ["stopped", "stopped"]
    loaded, stopped = told["models"]
    assert (loaded["id"], loaded["state"], loaded["provider"]) == ("smart", "ready", "local")
    assert loaded["memory"] > 0, "a process that has come is measured at once"
    assert 0 < loaded["ttl_left"] <= 600
    assert (stopped["memory"], stopped["ttl_left"]) == (None, None)
    host = told["devices"][0]
    assert (host["id"], host["total"] > host["used"] > 0) == ("host", True)
    assert host["models"] == [{"id": "smart", "bytes": loaded["memory"], "estimated": False}]
    assert told["queue"] == {"waiting": 0, "in_flight": 0, "loading": []}
    assert told["budgets"] == []


async def test_today_has_the_sums_of_the_rows_and_what_swaps_took() -> None:
    one, two = free_ports(2)
    swap = quiet(one_at_a_time(fake("one", one), fake("two", two)))
    async with watched(swap) as house:
        for name in ("one", "two", "nobody"):
            await ask(house.port, "POST", CHAT, chat(name))
        today = (await ask(house.port, "GET", OVERVIEW)).json()["today"]
        rows = await house.rows()
    assert (today["requests"], today["errors"], today["swaps"]) == (3, 1, 1)
    assert today["swap_s"] > 0
    assert today["output_tokens"] == sum(row["tokens"]["output_tokens"] for row in rows) > 0
    assert today["cost_usd"] is None


async def test_today_begins_at_midnight_where_the_daemon_is() -> None:
    zone = timezone(timedelta(hours=5, minutes=45))
    noon = datetime(2026, 3, 4, 12, tzinfo=zone).timestamp()
    async with watched(NOTHING, zone=zone, now=lambda: noon) as house:
        house.activity.overviews._began = 0.0  # as if it had run since before midnight
        told = (await ask(house.port, "GET", OVERVIEW)).json()
    assert told["today"]["since"] == datetime(2026, 3, 4, tzinfo=zone).timestamp()


async def test_a_log_in_memory_says_that_its_sums_begin_with_the_process() -> None:
    async with watched(NOTHING) as house:
        since = (await ask(house.port, "GET", OVERVIEW)).json()["today"]["since"]
    assert abs(since - time.time()) < 60


async def test_what_was_spent_is_told_against_its_budget() -> None:
    accounts = {
        "tiers": ("one",),
        "prices": {"one": Prices(input=1_000_000.0)},
        "budgets": {"one": Budget(per_day=100.0)},
    }
    async with watched(NOTHING, raw=["one"], **accounts) as house, house.raw["one"].play(ok):
        await ask(house.port, "POST", CHAT, chat("one"))
        told = (await ask(house.port, "GET", OVERVIEW)).json()
    assert told["today"]["cost_usd"] == 7.0
    assert told["budgets"] == [
        {"tier": "one", "period": "day", "spent_usd": 7.0, "budget_usd": 100.0}
    ]


async def test_only_those_who_ask_get_the_event_and_get_it_again_and_again() -> None:
    async with (
        watched(NOTHING, raw=["one"]) as house,
        house.raw["one"].play(ok),
        events(house.port, "?overview=1") as asking,
        events(house.port) as plain,
    ):
        seen = [await asking.until("overview") for _ in range(2)]
        await ask(house.port, "POST", CHAT, chat("one"))
        kinds: list[str] = []
        while "activity" not in kinds:
            kinds.append((await plain.event())[0])
        overviews = house.activity.overviews
    await eventually(lambda: overviews._ticking is None, "somebody is still told")
    assert {"models", "devices", "queue", "today", "budgets"} <= seen[0].keys()
    assert seen[1]["time"] > seen[0]["time"]
    assert kinds[: len(INITIAL)] == INITIAL
    assert "overview" not in kinds


async def test_a_stream_that_flows_is_told_with_its_speed() -> None:
    go_on = asyncio.Event()

    async def writing(peer: Peer, _: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        while not go_on.is_set():
            event = {"choices": [{"delta": {"content": "word " * 40}}]}
            await peer.chunk(b"data: %b\n\n" % json.dumps(event).encode())
            await asyncio.sleep(0.01)
        await peer.chunk(b"data: [DONE]\n\n")
        await peer.chunk(b"")

    async with (
        watched(NOTHING, raw=["one"]) as house,
        house.raw["one"].play(writing),
        events(house.port, "?overview=1") as reader,
        Wire(house.port) as wire,
    ):
        await wire.request("POST", CHAT, body=json.dumps(chat("one", stream=True)).encode())
        answer = await wire.head()
        while not (told := await reader.until("overview"))["tokens_per_second"]:
            await wire.piece(answer)
        go_on.set()
        await wire.finish(answer)
    (model,) = told["models"]
    assert model["tokens_per_second"] == told["tokens_per_second"] > 0
    assert (model["in_flight"], told["queue"]["in_flight"]) == (1, 1)


async def test_a_model_that_loads_and_those_who_wait_for_it_are_told() -> None:
    one, two = free_ports(2)
    swap = quiet(one_at_a_time(fake("one", one), fake("two", two)))
    async with watched(swap) as house, Wire(house.port) as busy, Wire(house.port) as queued:
        await busy.request("POST", CHAT, body=json.dumps(chat("one", paced=True)).encode())
        await eventually(lambda: str(house.engine.state("one")) == "ready")
        await queued.request("POST", CHAT, body=json.dumps(chat("two")).encode())
        await eventually(lambda: len(house.activity.inflight) == 2)
        told = (await ask(house.port, "GET", OVERVIEW)).json()
        await release(one, 10)
        await busy.answer()
        await queued.answer()
    assert told["queue"] == {"waiting": 1, "in_flight": 1, "loading": []}
