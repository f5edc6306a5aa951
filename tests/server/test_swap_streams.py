"""Streams of a running ``llmstack swap``: its own log lines, and what happens."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.swaps import Swap, config, swapping
from tests.server.wire import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse
    from pathlib import Path

PROFILES = "profiles: {work: {pins: {new: a}}}"


@pytest.fixture(scope="module")
def swap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swap]:
    root: Path = tmp_path_factory.mktemp("streams")
    with swapping(root, config("a", more=PROFILES)) as swap:
        yield swap


@contextmanager
def stream(swap: Swap, path: str) -> Iterator[HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", swap.port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        yield connection.getresponse()
    finally:
        connection.close()


def until(answer: HTTPResponse, text: bytes) -> bytes:
    """What the stream says up to ``text``."""
    said = b""
    while text not in said:
        piece = answer.read1()
        assert piece, said
        said += piece
    return said


def switch(swap: Swap, name: str | None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", swap.port, timeout=PATIENCE)
    connection.request("PUT", "/api/profiles/active", json.dumps({"name": name}))
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.top40(29, "/logs/stream/proxy")
@pytest.mark.top40(29, "no-history")
def test_our_own_lines_can_be_followed(swap: Swap) -> None:
    """With the past first, unless ``no-history`` is asked for in whatever way."""
    swap.chat("nobody")
    for path, past in (
        ("/logs/stream/proxy", True),
        ("/logs/stream/proxy?no-history", False),
        ("/logs/stream/proxy?no-history=false", False),
        ("/logs/stream?no-history=", False),
    ):
        with stream(swap, path) as answer:
            assert answer.headers["content-type"].startswith("text/plain")
            assert answer.headers["x-accel-buffering"] == "no"
            assert answer.headers["x-content-type-options"] == "nosniff"
            swap.ask(f"/upstream/a/marked-{past}")
            said = until(answer, b"marked-%b" % str(past).encode())
            assert (b"listening on" in said) is past


@pytest.mark.top40(28, "profiles")
def test_a_switch_of_profiles_is_told(swap: Swap) -> None:
    """With the models, whose names it may change."""
    switch(swap, None)
    with stream(swap, "/api/events") as answer:
        until(answer, b'"type":"inflight"')
        switch(swap, "work")
        events: list[Any] = []
        while not any(event["type"] == "profileChanged" for event in events):
            line = answer.readline()
            assert line
            if line.startswith(b"data:"):
                events.append(json.loads(line[5:]))
    told = {event["type"]: json.loads(event["data"]) for event in events}
    assert told["profileChanged"] == {"active": "work"}
    assert [row["id"] for row in told["modelStatus"]] == ["a"]
