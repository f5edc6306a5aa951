"""A stack is followed through its events, restarts included."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.activity.events import encode_event
from llmstack.client.overview import Live
from llmstack.client.watch import AGAIN, AGAIN_REFUSED, apply_inflight, ask, sightings, watch
from llmstack.errors import DaemonError
from tests.client.swap_server import SwapServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = "/api/events?overview=1"


def overview(*states: str) -> dict[str, Any]:
    """An overview of models in these states."""
    rows = [{"id": f"m{number}", "state": state} for number, state in enumerate(states)]
    return {"version": "9", "models": rows}


def stream(server: SwapServer, *events: tuple[str, object]) -> None:
    """Let the server tell these events, then end the stream."""
    frames = b"".join(encode_event(kind, data) for kind, data in events)
    server.answer(EVENTS, frames, content_type="text/event-stream")


@pytest.fixture
def stack(server: SwapServer) -> SwapServer:
    """A server with an overview."""
    server.answer("/api/overview", overview("ready"))
    return server


def test_every_overview_comes_with_the_requests_of_that_moment(stack: SwapServer) -> None:
    began = {"id": "1", "model": "m0", "elapsed_ms": 500, "phase": "queued"}
    stream(
        stack,
        ("logData", {"source": "proxy", "data": "not asked for"}),
        ("inflight", {"operation": "snapshot", "requests": [began]}),
        ("overview", overview("ready")),
        ("inflight", {"operation": "upsert", "request": {**began, "phase": "generating"}}),
        ("inflight", {"operation": "upsert", "request": {"id": "2", "elapsed_ms": 0}}),
        ("overview", overview("ready")),
        ("inflight", {"operation": "remove", "id": "1"}),
        ("overview", overview("ready")),
    )
    told = list(watch(stack.url, "secret", now=iter(range(100)).__next__))
    assert [[(one.id, one.phase) for one, _ in seen.live] for seen in told] == [
        [("1", "queued")],
        [("1", "generating"), ("2", None)],
        [("2", None)],
    ]
    ages = [seen.live[0][1] for seen in told[:2]]
    assert ages[0] > 0.5, "it is older than the first word of it"
    assert ages[1] > ages[0]
    assert {asked.bearer for asked in stack.asked} == {"Bearer secret"}


def test_the_served_context_is_asked_for_when_a_state_changes(stack: SwapServer) -> None:
    rows = [{"id": "m0", "context": {"served": 8192}}, {"id": "m1", "context": None}, {"id": 3}]
    stack.answer("/api/models", rows)
    same = ("overview", overview("ready"))
    stream(stack, same, same, ("overview", overview("stopped")))
    told = list(watch(stack.url))
    assert [seen.served for seen in told] == [{"m0": 8192.0}] * 3
    assert [asked.path for asked in stack.asked].count("/api/models") == 2


def test_a_server_without_an_overview_is_said_to_be_older(server: SwapServer) -> None:
    with pytest.raises(DaemonError, match="has no overview") as caught:
        ask(server.url)
    assert "llmstack restart" in caught.value.fix


@pytest.mark.parametrize(
    "event",
    [None, {"operation": "upsert"}, {"operation": "snapshot", "requests": [1]}],
)
def test_what_is_no_event_of_requests_is_refused(event: object) -> None:
    with pytest.raises(DaemonError):
        apply_inflight({}, event, 0.0)


def test_an_unknown_operation_changes_nothing() -> None:
    live = {"1": (Live("1"), 0.0)}
    assert apply_inflight(live, {"operation": "dance"}, 1.0) == live


@pytest.mark.parametrize("frame", [b"data:[]\n\n", b"data:{\n\n", b'data:{"type":"x"}\n\n'])
def test_a_stream_that_is_no_event_stream_is_an_error(stack: SwapServer, frame: bytes) -> None:
    stack.answer(EVENTS, frame, content_type="text/event-stream")
    with pytest.raises(DaemonError, match="does not answer any more"):
        list(watch(stack.url))


def test_an_ended_stream_is_told_and_taken_up_again_elsewhere(stack: SwapServer) -> None:
    """As after a restart: what was last seen stays, requests of the dead daemon do not."""
    entry = {"id": "1", "model": "m0"}
    snapshot = ("inflight", {"operation": "snapshot", "requests": [entry]})
    stream(stack, snapshot, ("overview", overview("ready")))
    with serving() as other:
        other.answer("/api/overview", overview("stopped"))
        stream(other, ("overview", overview("stopped")))
        pauses: list[float] = []
        addresses: Iterator[str] = iter((stack.url, "http://127.0.0.1:1", other.url))
        seen = sightings(lambda: (next(addresses), ""), pause=pauses.append, now=count().__next__)
        told = list(islice(seen, 4))
    first, ended, absent, back = told
    assert (first.trouble, len(first.live)) == (None, 1)
    assert "ended the stream" in str(ended.trouble)
    assert (ended.overview, ended.live) == (first.overview, ())
    assert "does not answer" in str(absent.trouble)
    assert 0 < ended.silent_s < absent.silent_s, "for so long nothing was seen"
    assert (back.trouble, back.gateway) == (None, other.url)
    assert pauses == [AGAIN, AGAIN]


def test_a_refused_key_is_shown_less_often(stack: SwapServer) -> None:
    stack.answer("/api/overview", {}, status=401)
    pauses: list[float] = []
    told = list(islice(sightings(lambda: (stack.url, ""), pause=pauses.append), 2))
    assert "LLMSTACK_API_KEY" in str(told[0].trouble)
    assert pauses == [AGAIN_REFUSED]
