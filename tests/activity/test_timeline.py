"""What a request did when, in phases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.record import ActivityRow
from llmstack.activity.timeline import phases, timeline

some = st.none() | st.floats(0, 1000)


def row(**numbers: int | str) -> ActivityRow:
    return ActivityRow("m", "/", 200, 5, **numbers)  # type: ignore[arg-type]


def test_a_request_that_loaded_its_model_has_all_four_phases() -> None:
    told = timeline(row(queue_ms=10, load_ms=500, ttft_ms=700, duration_ms=1000))
    assert told == [
        {"phase": "queued", "start_ms": 0, "ms": 10},
        {"phase": "loading", "start_ms": 10, "ms": 500},
        {"phase": "prefill", "start_ms": 510, "ms": 190},
        {"phase": "generating", "start_ms": 700, "ms": 300},
    ]


def test_a_model_that_is_there_has_neither_queue_nor_load() -> None:
    told = timeline(row(queue_ms=0, ttft_ms=70, duration_ms=100))
    assert [one["phase"] for one in told] == ["prefill", "generating"]


def test_what_others_host_is_not_queued_here() -> None:
    told = timeline(row(backend="openai", duration_ms=100))
    assert told == [{"phase": "prefill", "start_ms": 0, "ms": 100}]


def test_a_client_that_left_the_queue_was_queued_all_the_time() -> None:
    told = timeline(row(duration_ms=100))
    assert told == [{"phase": "queued", "start_ms": 0, "ms": 100}]


def test_a_request_that_was_refused_at_once_has_no_phases() -> None:
    assert timeline(row()) == []


@given(st.floats(0, 1000), some, some, some)
def test_phases_follow_each_other_without_gaps_and_end_with_the_request(
    end: float, queued: float | None, loading: float | None, first: float | None
) -> None:
    at = 0.0
    for _, start, length in phases(end, queued, loading, first):
        assert start == at
        assert length > 0
        at = start + length
    assert abs(at - end) < 1e-6
