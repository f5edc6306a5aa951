"""One request opened: its timeline, how it was routed, what became of its prompt; exports."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.activity.export import FORMATS
from llmstack.server.activity_routes import _PAGE
from llmstack.server.details import MOST, Details
from tests.server.activity_house import events, watched
from tests.server.conftest import free_ports
from tests.server.house import fake, one_at_a_time, release, running, side_by_side, tier
from tests.server.test_activity import CHAT, NOTHING, ok, quiet
from tests.server.test_fitting import Model, conversation, house_with
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ROWS = "/api/metrics/activity"
SECRET = "the zebra merger"


async def opened(port: int, number: int = 1) -> dict[str, Any]:
    got = await ask(port, "GET", f"{ROWS}/{number}")
    assert got.status == 200, got.body
    told: dict[str, Any] = got.json()
    return told


async def test_a_routed_request_tells_every_rule_that_was_tried_and_no_word_of_the_prompt(
    tmp_path: Path,
) -> None:
    smart, fast = free_ports(2)
    swap = side_by_side(fake("smart", smart), fake("fast", fast))
    tiers = (tier("smart", "agent", 20_000), tier("fast", "fast", 200_000))
    said = f"please compare {SECRET} options, and design the architecture"
    body = {"model": "auto", "messages": [{"role": "user", "content": said}]}
    async with running(tmp_path, swap, tiers=tiers) as house:
        await ask(house.gateway, "POST", CHAT, body)
        route = (await ask(house.gateway, "POST", "/api/route", body)).json()
        told = await opened(house.door)
        kept = house.stack._activity.details._kept
        assert SECRET not in repr(kept)
        assert "architecture" not in repr(kept)
    decision = told["decision"]
    assert (told["row"]["model"], decision["model"]) == ("smart", "smart")
    assert decision.keys() == route.keys()
    assert any("plan words: yes, " in rule for rule in route["tried"])
    assert "plan words: yes" in decision["tried"]
    assert decision["session"] == told["row"]["metadata"]["session"]
    assert (told["context"], told["has_capture"]) == (None, False)
    assert "loading" in [phase["phase"] for phase in told["timeline"]]


async def test_a_prompt_that_was_shortened_tells_what_became_of_it(tmp_path: Path) -> None:
    async with house_with(tmp_path, Model(2048)) as (house, _):
        await ask(house.gateway, "POST", CHAT, conversation(20))
        told = await opened(house.door)
        latest = (await ask(house.door, "GET", "/api/model/raw/prompt-optimization/latest")).json()
        assert "parser" not in repr(house.stack._activity.details._kept)
    assert told["decision"] is None, "the client named its model"
    assert told["context"] == latest["report"]
    assert told["context"]["applied"] is True
    assert told["row"]["metadata"]["context"] == latest["note"]


async def test_a_prompt_that_was_refused_tells_why(tmp_path: Path) -> None:
    strict = {"truncationMode": "strict_error"}
    async with house_with(tmp_path, Model(2048)) as (house, _):
        await ask(house.door, "POST", "/api/model/raw/prompt-optimization", strict)
        answer = await ask(house.gateway, "POST", CHAT, conversation(20))
        told = await opened(house.door)
    assert (answer.status, told["row"]["resp_status_code"]) == (400, 400)
    assert told["context"]["original"] > 2048
    assert (told["context"]["sent"], told["context"]["applied"]) == (0, False)


async def test_a_row_of_an_earlier_run_has_a_timeline_and_no_decision() -> None:
    async with watched(NOTHING, raw=["one"], captures=True) as house, house.raw["one"].play(ok):
        await ask(house.port, "POST", CHAT, chat("one"))
        await eventually(lambda: house.activity.captures.has(1))
        told = await opened(house.port)
    assert told.keys() == {"row", "timeline", "decision", "context", "has_capture"}
    assert (told["decision"], told["context"], told["has_capture"]) == (None, None, True)
    assert told["row"]["has_capture"] is True


@pytest.mark.parametrize(
    ("number", "status"), [("7", 404), ("-1", 404), ("9" * 19, 404), ("x", 400), ("9" * 40, 400)]
)
async def test_an_id_that_is_none_is_a_clear_error(number: str, status: int) -> None:
    async with watched(NOTHING) as house:
        got = await ask(house.port, "GET", f"{ROWS}/{number}")
    assert got.status == status


def test_only_the_latest_requests_are_remembered() -> None:
    details = Details()
    decision = SimpleNamespace(tried=())
    choice = SimpleNamespace(routed=SimpleNamespace(decision=decision), report=lambda: {"x": 1})
    for number in range(MOST + 5):
        details.keep(number, {"llmstack.choice": choice})
    details.keep(10_000, {})
    assert details.decision(4) is None
    assert details.decision(5) == {"x": 1}
    assert len(details._kept) == MOST


@pytest.mark.parametrize("form", FORMATS)
async def test_an_export_has_all_rows_that_the_filters_leave_in_their_order(form: str) -> None:
    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(ok):
        for name in ("one", "=evil", "one"):
            await ask(house.port, "POST", CHAT, chat(name))
        got = await ask(house.port, "GET", f"{ROWS}/export?format={form}&order=asc&limit=1")
        failed = await ask(house.port, "GET", f"{ROWS}/export?format={form}&status=error")
    assert (got.status, got.header("cache-control")) == (200, "no-store")
    disposition = got.header("content-disposition") or ""
    assert disposition.startswith('attachment; filename="llmstack-activity-')
    assert disposition.endswith(f'.{form}"')
    if form == "json":
        assert [row["model"] for row in got.json()] == ["one", "=evil", "one"]
        assert [row["resp_status_code"] for row in failed.json()] == [404]
    else:
        assert got.header("content-type") == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(got.body.decode(), newline="")))
        assert [row["model_id"] for row in rows] == ["one", "'=evil", "one"]


async def test_an_export_of_many_rows_is_whole() -> None:
    async with watched(replace(NOTHING, metrics_max_in_memory=5000)) as house:
        for _ in range(_PAGE + 3):
            house.activity.refused(*refusal())
        got = await ask(house.port, "GET", f"{ROWS}/export?format=json")
    assert [row["id"] for row in got.json()] == list(range(_PAGE + 3, 0, -1))


async def test_an_export_in_another_format_is_refused() -> None:
    async with watched(NOTHING) as house:
        got = await ask(house.port, "GET", f"{ROWS}/export?format=xml")
    assert (got.status, got.json()["error"]["message"]) == (400, "format must be one of csv, json")


async def test_a_running_request_tells_its_phases_as_they_come() -> None:
    one, two = free_ports(2)
    swap = quiet(one_at_a_time(fake("one", one), fake("two", two)))
    async with (
        watched(swap) as house,
        Wire(house.port) as busy,
        Wire(house.port) as queued,
        events(house.port) as reader,
    ):
        await busy.request("POST", CHAT, body=json.dumps(chat("one", paced=True)).encode())
        await eventually(lambda: str(house.engine.state("one")) == "ready")
        await queued.request("POST", CHAT, body=json.dumps(chat("two")).encode())
        await eventually(lambda: len(house.activity.inflight) == 2)
        await release(one, 10)
        await busy.answer()
        await queued.answer()
        seen: list[str] = []
        while True:
            kind, data = await reader.event()
            if kind != "inflight" or data["operation"] == "snapshot":
                continue
            if data["operation"] == "remove" and data["id"] == "2":
                break
            entry = data.get("request", {})
            if entry.get("id") == "2" and entry["phase"] not in seen:
                seen.append(entry["phase"])
                assert entry["timeline"] == [] or entry["timeline"][-1]["phase"] == entry["phase"]
    assert seen[:3] == ["queued", "loading", "prefill"]
    assert entry["reason"] == "named by the client"


async def test_a_request_to_a_model_that_is_there_is_never_shown_as_queued() -> None:
    async with (
        watched(NOTHING, raw=["one"]) as house,
        house.raw["one"].play(ok),
        events(house.port) as reader,
    ):
        await ask(house.port, "POST", CHAT, chat("one"))
        began = (await reader.until("inflight", operation="upsert"))["request"]
        assert began["phase"] == "prefill"
        answered = (await reader.until("inflight", operation="upsert"))["request"]
        assert answered["phase"] in ("prefill", "generating")


def refusal() -> tuple[Any, str, Any]:
    from llmstack.errors import ModelNotFound

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    return scope, "nobody", ModelNotFound("model not found")
