"""Events reach every client byte for byte; one that does not read harms nobody."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity import Events, encode_event
from llmstack.activity.events import QUEUED, QUEUED_BYTES

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@pytest.mark.parametrize(
    ("kind", "data", "frame"),
    [
        (
            "activity",
            {"id": 7},
            b'event:message\ndata:{"type":"activity","data":"{\\"id\\":7}"}\n\n',
        ),
        (
            "logData",
            {"source": "proxy", "data": 'a "b"\n'},
            rb'event:message|data:{"type":"logData","data":"{\"source\":\"proxy\",'
            rb'\"data\":\"a \\\"b\\\"\\n\"}"}||'.replace(b"|", b"\n"),
        ),
        ("modelStatus", [], b'event:message\ndata:{"type":"modelStatus","data":"[]"}\n\n'),
        (
            "profileChanged",
            {"active": None},
            b'event:message\ndata:{"type":"profileChanged","data":"{\\"active\\":null}"}\n\n',
        ),
        (
            "inflight",
            {"operation": "snapshot"},
            b'event:message\ndata:{"type":"inflight","data":"{\\"operation\\":\\"snapshot\\"}"}\n\n',
        ),
        ("x", "é漢", 'event:message\ndata:{"type":"x","data":"\\"é漢\\""}\n\n'.encode()),
        ("x", "\ud83d", b'event:message\ndata:{"type":"x","data":"\\"\\\\ud83d\\""}\n\n'),
    ],
)
def test_frames(kind: str, data: object, frame: bytes) -> None:
    assert encode_event(kind, data) == frame


def parsed(frames: bytes) -> list[tuple[str, Any]]:
    """Frames as a browser reads them."""
    found = []
    for frame in frames.decode().split("\n\n")[:-1]:
        event, line = frame.split("\n")
        assert event == "event:message"
        envelope = json.loads(line.removeprefix("data:"))
        found.append((envelope["type"], json.loads(envelope["data"])))
    return found


@given(JSON)
def test_any_value_arrives(data: Any) -> None:
    assert parsed(encode_event("x", data)) == [("x", data)]


def test_clients_get_their_initial_events_and_then_all_others() -> None:
    async def run() -> None:
        events = Events()
        assert not events.listening
        events.publish("lost", 0)
        with events.subscribe([("first", 1), ("second", 2)]) as client, events.subscribe() as other:
            assert events.listening
            events.publish("third", 3)
            assert parsed(await anext(client)) == [("first", 1), ("second", 2), ("third", 3)]
            assert parsed(await anext(other)) == [("third", 3)]
            later = asyncio.ensure_future(anext(client))
            await asyncio.sleep(0)
            assert not later.done()
            events.publish("fourth", 4)
            assert parsed(await later) == [("fourth", 4)]
        assert not events.listening

    asyncio.run(run())


def test_closing_ends_every_stream() -> None:
    async def run() -> None:
        events = Events()
        client = events.subscribe()
        waiting = asyncio.ensure_future(anext(client, b"end"))
        await asyncio.sleep(0)
        events.close()
        client.close()
        assert await waiting == b"end"
        assert [frame async for frame in client] == []

    asyncio.run(run())


@pytest.mark.parametrize(("count", "size"), [(QUEUED + 1, 1), (9, QUEUED_BYTES // 8)])
def test_a_client_that_does_not_read_gets_the_present_state_when_it_does(
    count: int, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        events = Events()
        state = ["before"]
        slow = events.subscribe([("log", "history")], lambda: [("state", state[0])])
        quick = events.subscribe()
        for number in range(count):
            events.publish("log", "x" * size)
            assert parsed(await anext(quick))
            assert len(slow._frames) <= QUEUED
            assert slow._size <= QUEUED_BYTES
            state[0] = f"after {number}"
        assert slow.lost >= count
        assert quick.lost == 0
        assert parsed(await anext(slow)) == [("state", f"after {count - 1}")]
        events.publish("log", "again")
        assert parsed(await anext(slow)) == [("log", "again")]

    asyncio.run(run())
    assert "does not keep up" in caplog.text
