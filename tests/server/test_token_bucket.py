"""A rate is kept whatever the clock does, and nobody waits longer than they are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.server.token_bucket import TokenBucket


def test_a_minutes_requests_may_come_at_once_and_then_evenly() -> None:
    bucket = TokenBucket(6, 0.0)
    assert [bucket.take(0.0) for _ in range(6)] == [0.0] * 6
    assert bucket.take(0.0) == pytest.approx(10.0)
    assert bucket.take(9.0) == pytest.approx(1.0)
    assert bucket.take(10.001) == 0.0
    assert bucket.take(10.001) > 9


@given(st.integers(1, 100), st.lists(st.floats(-5, 60), max_size=200))
def test_never_more_than_the_rate_passes(rate: int, steps: list[float]) -> None:
    """Its share of the time, and a full bucket; a clock that goes back gives nothing."""
    now = latest = 0.0
    bucket = TokenBucket(rate, now)
    passed = 0
    for step in steps:
        now += step
        latest = max(latest, now)
        wait = bucket.take(now)
        assert wait >= 0
        passed += wait == 0.0
    assert passed <= rate + latest * rate / 60 + 1e-6


@given(st.integers(1, 1000), st.integers(0, 50))
def test_who_waits_as_told_passes(rate: int, before: int) -> None:
    bucket = TokenBucket(rate, 0.0)
    for _ in range(before):
        bucket.take(0.0)
    wait = bucket.take(0.0)
    assert wait == 0.0 or bucket.take(wait + 1e-6) == 0.0
