"""What others host is in the overview too, with what of it is in flight and what it has cost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from llmstack.config.hosted import Budget
from llmstack.config.stack import Prices
from tests.server.test_hosted import CHAT, answers, house_with, pytestmark
from tests.server.wire import Wire, ask, chat

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.server.raw_upstream import Peer, RawRequest

__all__ = ["pytestmark"]


async def test_a_hosted_tier_is_told_with_its_provider_and_what_it_answers_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(peer: Peer, request: RawRequest) -> None:
        asked.set()
        await go_on.wait()
        await answers(peer, request)

    more = {"prices": Prices(input=1000.0, output=0.0), "budget": Budget(per_month=5.0)}
    async with house_with(tmp_path, monkeypatch, free_tcp_port, **more) as (house, upstream):
        async with upstream.play(slowly), Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, body=json.dumps(chat("best")).encode())
            await asked.wait()
            during = (await ask(house.gateway, "GET", "/api/overview")).json()
            go_on.set()
            await wire.answer()
        house.stack._activity.overviews._summed_at = float("-inf")  # some seconds later
        after = (await ask(house.door, "GET", "/api/overview")).json()
    near, best = during["models"]
    assert (near["id"], near["provider"], near["in_flight"]) == ("near", "local", 0)
    assert (best["id"], best["provider"], best["in_flight"]) == ("best", "openai", 1)
    assert (best["memory"], best["ttl_left"], best["waiting"]) == (None, None, 0)
    assert during["queue"] == {"waiting": 0, "in_flight": 1, "loading": []}
    assert after["models"][1]["in_flight"] == 0
    assert (after["today"]["requests"], after["today"]["cost_usd"]) == (1, 1.0)
    assert after["budgets"] == [
        {"tier": "best", "period": "month", "spent_usd": 1.0, "budget_usd": 5.0}
    ]


async def test_the_row_of_a_hosted_answer_was_never_queued_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        async with upstream.play(answers):
            await ask(house.gateway, "POST", CHAT, chat("best"))
        told = (await ask(house.gateway, "GET", "/api/metrics/activity/1")).json()
    assert "queued" not in [phase["phase"] for phase in told["timeline"]]
