"""The live table tells of every request, and not too often."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.activity import Events, Inflight, InflightTable
from llmstack.activity import inflight as module


class Heard(Events):
    """Keeps what is published."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []
        self.anybody = True

    @property
    def listening(self) -> bool:
        return self.anybody

    def publish(self, kind: str, data: object) -> None:
        assert kind == "inflight"
        self.heard.append(data)


class House:
    """A table with a clock that is turned by hand."""

    def __init__(self) -> None:
        self.clock = 100.0
        self.events = Heard()
        self.table = InflightTable(self.events, now=lambda: self.clock, wall=lambda: 0)
        self.cancelled = 0

    def start(self, **more: Any) -> Inflight:
        def cancel() -> None:
            self.cancelled += 1

        return self.table.start(
            model="m",
            req_path="/v1/chat/completions",
            method="POST",
            headers=[(b"x-api-key", b"k"), (b"user-agent", b"curl")],
            remote_ip="127.0.0.1",
            cancel=cancel,
            **more,
        )


@pytest.fixture
def house() -> House:
    return House()


def test_an_entry_has_exactly_the_documented_shape(house: House) -> None:
    request = house.start(metadata={"selector": "s"})
    request.head([(b"content-type", b"text/event-stream"), (b"set-cookie", b"x")])
    request.passed(10)
    house.clock += 1.5
    assert house.table.snapshot() == {
        "operation": "snapshot",
        "requests": [
            {
                "id": "1",
                "timestamp": "1970-01-01T00:00:00Z",
                "model": "m",
                "req_path": "/v1/chat/completions",
                "method": "POST",
                "req_headers": {"X-Api-Key": "[REDACTED]", "User-Agent": "curl"},
                "remote_ip": "127.0.0.1",
                "resp_headers": {"Content-Type": "text/event-stream", "Set-Cookie": "[REDACTED]"},
                "resp_bytes": 10,
                "elapsed_ms": 1500,
                "metadata": {"selector": "s"},
            }
        ],
    }


def test_an_empty_snapshot_has_no_requests_member(house: House) -> None:
    with house.start():
        assert len(house.table) == 1
    assert house.table.snapshot() == {"operation": "snapshot"}


def test_start_head_and_end_are_told(house: House) -> None:
    with house.start() as request:
        request.head([])
    request.end()
    operations = [(event["operation"], event.get("id")) for event in house.events.heard]
    assert operations == [("upsert", None), ("upsert", None), ("remove", "1")]
    assert "metadata" not in house.events.heard[0]["request"]


def test_flowing_bytes_are_told_at_most_every_quarter_second(house: House) -> None:
    request = house.start()
    request.head([])
    house.events.heard.clear()
    for _ in range(1000):
        house.clock += 0.01
        request.passed(5)
    told = [event["request"]["resp_bytes"] for event in house.events.heard]
    assert 38 <= len(told) <= 10 / module.EVERY
    assert told == sorted(told)
    assert request.resp_bytes == 5000


def test_nothing_is_made_when_nobody_listens(house: House) -> None:
    house.events.anybody = False
    with house.start() as request:
        house.clock += 10
        request.passed(5)
        assert house.events.heard == []


def test_cancel_reaches_the_request_while_it_is_there(house: House) -> None:
    first = house.start()
    house.start()
    assert house.table.cancel("1")
    assert house.cancelled == 1
    first.end()
    assert not house.table.cancel("1")
    assert not house.table.cancel("x")
    assert house.table.cancel("2")
    assert house.cancelled == 2
