"""A stack keeps one activity log for both of its doors, and no prompts in it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.server.stack import RunningStack
from tests.server.activity_house import events
from tests.server.conftest import free_ports
from tests.server.house import fake, plan_for, running, side_by_side, tier
from tests.server.raw_upstream import SSE_HEAD
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def stack(root: Path) -> AsyncIterator[House]:
    """The tiers ``smart`` and ``fast``, and the model ``raw``, which is none."""
    smart, fast = free_ports(2)
    swap = side_by_side(fake("smart", smart, aliases=("clever",)), fake("fast", fast))
    tiers = (tier("smart", "agent", 20_000), tier("fast", "fast", 200_000))
    async with running(root, swap, tiers=tiers, raw=["raw"]) as house:
        yield house


async def rows(port: int) -> list[dict[str, Any]]:
    """Finished requests, the oldest first."""
    got = await ask(port, "GET", "/api/metrics/activity?order=asc")
    assert got.status == 200
    data: list[dict[str, Any]] = got.json()["data"]
    return data


def holding(root: Path, text: bytes) -> list[Path]:
    """Files that contain ``text``."""
    return [path for path in root.rglob("*") if path.is_file() and text in path.read_bytes()]


async def test_requests_to_both_doors_have_rows_with_tier_reason_and_session(
    tmp_path: Path,
) -> None:
    session = [("X-Session-ID", "s-1")]
    async with stack(tmp_path) as house:
        await ask(house.gateway, "POST", CHAT, chat("auto"), session)
        await ask(house.gateway, "POST", CHAT, chat("clever"))
        await ask(house.door, "POST", CHAT, chat("fast"))
        await ask(house.gateway, "POST", CHAT, chat("nobody"))
        kept = await rows(house.door)
        assert await rows(house.gateway) == kept
    assert [(row["model"], row["resp_status_code"]) for row in kept] == [
        ("smart", 200),
        ("smart", 200),
        ("fast", 200),
        ("nobody", 404),
    ]
    auto, named, direct, unknown = (row["metadata"] for row in kept)
    assert auto["tier"] == "smart"
    assert re.fullmatch("[0-9a-f]{8}", auto["session"]), "a client's own name is kept nowhere"
    assert "tokens" in auto["reason"]
    assert (named["tier"], named["reason"]) == ("smart", "named by the client")
    assert direct["tier"] == "fast"
    assert "reason" not in direct
    assert "tier" not in unknown


async def test_neither_prompts_nor_answers_are_stored(tmp_path: Path) -> None:
    """Promise 7: prompts are not stored unless asked."""
    async with stack(tmp_path) as house:
        await ask(house.gateway, "POST", CHAT, chat("smart", "the secret of my heart"))
        (row,) = await rows(house.door)
        capture = await ask(house.door, "GET", "/api/captures/1")
    assert row["has_capture"] is False
    assert capture.status == 404
    assert not holding(tmp_path, b"the secret of my heart")


async def test_rows_survive_a_restart(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        await ask(house.gateway, "POST", CHAT, chat("smart"))
        first = await rows(house.door)
    async with stack(tmp_path) as house:
        assert await rows(house.door) == first
        await ask(house.gateway, "POST", CHAT, chat("smart"))
        assert [row["id"] for row in await rows(house.door)] == [1, 2]


async def test_a_broken_file_costs_no_request_and_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ".llmstack" / "activity.db"
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    async with stack(tmp_path) as house:
        got = await ask(house.gateway, "POST", CHAT, chat("smart"))
        kept = await rows(house.door)
    assert got.status == 200
    assert len(kept) == 1
    assert "kept in memory only" in caplog.text
    assert path.read_bytes() == b"no database" * 1000


async def test_an_unreadable_store_is_said_to_be_and_requests_go_on(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        store = house.stack._activity.store
        store._submit(lambda c: c.execute("DROP TABLE activity")).result()
        got = await ask(house.gateway, "POST", CHAT, chat("smart"))
        page = await ask(house.door, "GET", "/api/metrics/activity")
        stats = await ask(house.door, "GET", "/api/metrics/stats")
    assert got.status == 200
    assert (page.status, stats.status) == (503, 503)
    assert "cannot be read" in page.json()["error"]["message"]


async def test_a_request_at_the_gateway_is_told_and_cancelled_at_the_engines_door(
    tmp_path: Path,
) -> None:
    gone = asyncio.Event()

    async def endless(peer: Peer, _: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"data: {}\n\n")
        await peer.gone()
        gone.set()

    body = json.dumps(chat("raw", stream=True)).encode()
    async with (
        stack(tmp_path) as house,
        house.raw["raw"].play(endless),
        events(house.door) as reader,
    ):
        await reader.until("inflight", operation="snapshot")
        async with Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, body=body)
            began = await reader.until("inflight", operation="upsert")
            await wire.piece(await wire.head())
            number = began["request"]["id"]
            assert (await ask(house.door, "POST", f"/api/inflight/{number}/cancel")).status == 200
            await asyncio.wait_for(gone.wait(), 30)
        assert await reader.until("inflight", operation="remove") == {
            "operation": "remove",
            "id": number,
        }
        assert await reader.until("activity") == {"id": 1}
        (row,) = await rows(house.door)
    assert row["resp_status_code"] == 499


async def test_the_engines_door_has_the_metrics_of_every_request(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        await ask(house.gateway, "POST", CHAT, chat("auto"))
        await ask(house.door, "POST", CHAT, chat("smart"))
        got = await ask(house.door, "GET", "/metrics")
    assert b'llmstack_model_requests_total{model="smart",status="200"} 2\n' in got.body


async def test_our_own_lines_are_told_as_events_once_each(tmp_path: Path) -> None:
    log = logging.getLogger("llmstack.test")
    async with stack(tmp_path) as house:
        log.warning("before %s", "anybody")
        async with events(house.door) as reader:
            assert "before anybody" in (await reader.until("logData", source="proxy"))["data"]
            await reader.until("inflight", operation="snapshot")
            log.warning("meanwhile")
            told = (await reader.until("logData", source="proxy"))["data"]
        assert told == "[WARN] meanwhile\n"
        await eventually(lambda: not house.stack._activity.events.listening)
        log.warning("afterwards")
        async with events(house.door) as reader:
            past = (await reader.until("logData", source="proxy"))["data"]
    assert [past.count(word) for word in ("before", "meanwhile", "afterwards")] == [1, 1, 1]


async def test_prompts_are_kept_in_memory_when_models_ini_asks_for_it(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    plan = plan_for(tmp_path, side_by_side(fake("smart", port)))
    settings = replace(plan.stack.settings, capture_buffer=1)
    stack = RunningStack(replace(plan, stack=replace(plan.stack, settings=settings)))
    await stack.start()
    try:
        gateway = int(stack.gateway.rpartition(":")[2])
        await ask(gateway, "POST", CHAT, chat("smart", "the secret of my heart"))
        (row,) = await rows(gateway)
        got = (await ask(gateway, "GET", f"/api/captures/{row['id']}")).json()
    finally:
        await stack.stop()
    assert row["has_capture"] is True
    assert b"the secret of my heart" in base64.b64decode(got["req_body"])
    assert not holding(tmp_path, b"the secret of my heart")
