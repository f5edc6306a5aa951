"""What is told of requests while they run: the live table, its cancelling, the event stream."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack.activity import events as event_queue
from tests.server.activity_house import events, watched
from tests.server.conftest import free_ports
from tests.server.house import fake, one_at_a_time, release
from tests.server.raw_upstream import SSE_HEAD
from tests.server.test_activity import CHAT, NOTHING, ok, quiet
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

INITIAL = ["logData", "logData", "modelStatus", "uiConfig", "profileChanged", "inflight"]


async def test_cancelling_a_stream_ends_it_at_both_ends() -> None:
    gone = asyncio.Event()

    async def endless(peer: Peer, _: RawRequest) -> None:
        await peer.send(SSE_HEAD + b"\r\n")
        await peer.chunk(b"data: {}\n\n")
        await peer.gone()
        gone.set()

    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(endless):
        async with Wire(house.port) as wire:
            await wire.request("POST", CHAT, body=json.dumps(chat("one", stream=True)).encode())
            answer = await wire.head()
            await wire.piece(answer)
            cancelled = await ask(house.port, "POST", "/api/inflight/1/cancel")
            await wire.finish(answer)
        await asyncio.wait_for(gone.wait(), 30)
        again = await ask(house.port, "POST", "/api/inflight/1/cancel")
        row = await house.row()
    assert cancelled.json() == {"msg": "ok"}
    assert not answer.complete
    assert (row["resp_status_code"], "cancelled" in row["error_msg"]) == (499, True)
    assert (again.status, again.json()["error"]["message"]) == (404, "inflight request not found")


async def test_cancelling_a_load_answers_its_client_and_frees_its_place() -> None:
    (port,) = free_ports(1)
    swap = quiet(one_at_a_time(fake("slow", port, "--slow-start", "600")))
    async with watched(swap) as house, Wire(house.port) as wire:
        await wire.request("POST", CHAT, body=json.dumps(chat("slow")).encode())
        await eventually(lambda: str(house.engine.state("slow")) == "starting")
        await ask(house.port, "POST", "/api/inflight/1/cancel")
        answer = await wire.answer()
        row = await house.row()
        assert not any(status.in_flight for status in house.engine.status())
    assert (answer.status, row["resp_status_code"]) == (499, 499)
    assert answer.json()["error"]["code"] == "request_cancelled"


async def test_cancelling_a_queued_request_never_loads_its_model() -> None:
    one, two = free_ports(2)
    async with watched(quiet(one_at_a_time(fake("one", one), fake("two", two)))) as house:
        async with Wire(house.port) as busy, Wire(house.port) as queued:
            await busy.request("POST", CHAT, body=json.dumps(chat("one", paced=True)).encode())
            await eventually(lambda: str(house.engine.state("one")) == "ready")
            await queued.request("POST", CHAT, body=json.dumps(chat("two")).encode())
            await eventually(lambda: len(house.activity.inflight) == 2)
            await ask(house.port, "POST", "/api/inflight/2/cancel")
            assert (await queued.answer()).status == 499
            await release(one, 10)
            assert (await busy.answer()).status == 200
        assert str(house.engine.state("two")) == "stopped"
        assert [row["model"] for row in await house.rows()] == ["one", "two"]


@pytest.mark.top40(28, "envelope and initial order")
async def test_the_event_stream_begins_with_the_present_state_byte_for_byte() -> None:
    swap = replace(NOTHING, session_headers=("x-session-id",))
    async with watched(swap, raw=["one"]) as house, events(house.port) as reader:
        frames = [await reader.frame() for _ in INITIAL]
        assert reader.head.header("content-type") == "text/event-stream"
        assert reader.head.header("cache-control") == "no-cache"
        assert reader.head.header("x-content-type-options") == "nosniff"
        assert reader.head.header("x-accel-buffering") == "no"
    assert [json.loads(f.split(b"\n")[1][5:])["type"] for f in frames] == INITIAL
    proxy, upstream, models, *rest = frames
    assert json.loads(json.loads(proxy.split(b"\n")[1][5:])["data"])["source"] == "proxy"
    assert upstream == (
        b"event:message\n"
        b'data:{"type":"logData","data":"{\\"source\\":\\"upstream\\",\\"data\\":\\"\\"}"}\n\n'
    )
    assert models == (
        b'event:message\ndata:{"type":"modelStatus","data":"[{\\"id\\":\\"one\\",\\"name\\":\\"\\",'
        b'\\"description\\":\\"\\",\\"state\\":\\"ready\\",\\"unlisted\\":false,'
        b'\\"peerID\\":\\"\\"}]"}\n\n'
    )
    settings = (
        b'event:message\ndata:{"type":"uiConfig",'
        b'"data":"{\\"activity\\":{\\"session_id\\":[\\"x-session-id\\"]}}"}\n\n'
    )
    assert rest == [
        settings,
        b'event:message\ndata:{"type":"profileChanged","data":"{\\"active\\":null}"}\n\n',
        b'event:message\ndata:{"type":"inflight","data":"{\\"operation\\":\\"snapshot\\"}"}\n\n',
    ]


@pytest.mark.top40(28, "requests are told")
async def test_a_request_is_told_from_its_arrival_to_its_row() -> None:
    async with (
        watched(NOTHING, raw=["one"]) as house,
        house.raw["one"].play(ok),
        events(house.port) as reader,
    ):
        await reader.until("inflight", operation="snapshot")
        await ask(house.port, "POST", CHAT, chat("one"), [("Authorization", "Bearer sk-1")])
        began = (await reader.until("inflight", operation="upsert"))["request"]
        answered = (await reader.until("inflight", operation="upsert"))["request"]
        removed = await reader.until("inflight", operation="remove")
        told = await reader.until("activity")
    assert (began["id"], began["model"], began["method"]) == ("1", "one", "POST")
    assert began["req_headers"]["Authorization"] == "[REDACTED]"
    assert began["remote_ip"] == "127.0.0.1"
    assert answered["resp_headers"]["Content-Type"] == "application/json"
    assert removed == {"operation": "remove", "id": "1"}
    assert told == {"id": 1}


@pytest.mark.top40(28, "states and logs are told")
async def test_states_and_logs_are_told_as_they_change() -> None:
    (port,) = free_ports(1)
    model = fake("one", port, "--print", "weights are read")
    async with watched(quiet(one_at_a_time(model))) as house, events(house.port) as reader:
        await reader.until("inflight", operation="snapshot")
        await ask(house.port, "POST", CHAT, chat("one"))
        seen: list[str] = []
        said = ""
        while "ready" not in seen or "weights are read" not in said:
            kind, data = await reader.event()
            if kind == "modelStatus":
                seen.append(data[0]["state"])
            elif kind == "logData" and data["source"] == "upstream":
                said += data["data"]
        logging.getLogger("llmstack.test").info("our own line")
        lines = ""
        while "[INFO] our own line\n" not in lines:
            lines += (await reader.until("logData", source="proxy"))["data"]
        async with events(house.port) as late:
            assert "our own line" in (await late.until("logData", source="proxy"))["data"]
            past = (await late.until("logData", source="upstream"))["data"]
    assert seen[:2] == ["starting", "ready"]
    assert past.count("weights are read") == 1


async def test_a_slow_reader_loses_messages_and_gets_the_present_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_queue, "QUEUED", 8)
    async with watched(NOTHING, raw=["one"]) as house, events(house.port) as reader:
        await reader.until("inflight", operation="snapshot")
        for number in range(50):  # nobody can read between two of these
            house.activity.events.publish("activity", {"id": number})
        assert await reader.until("modelStatus")
        assert await reader.until("inflight", operation="snapshot")


@pytest.mark.top40(40, "streams are closed")
async def test_a_stopping_server_ends_event_streams() -> None:
    async with watched(NOTHING) as house, events(house.port) as reader:
        for _ in INITIAL:
            await reader.frame()
        house.activity.retire()
        assert await reader._wire.piece(reader.head) == b""
        late = await ask(house.port, "GET", "/api/events")
    assert (late.complete, late.body) == (True, b"")
