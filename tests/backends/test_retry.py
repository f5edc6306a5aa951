"""When a request is sent again, and how long is waited before."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from llmstack.backends.retry import LONGEST_WAIT, PATIENCE, pause, retry_after_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_pauses_double_around_half_a_second() -> None:
    pauses = [pause(n, retries=9, spent=0, random=0.5) for n in range(1, 6)]
    assert pauses == [0.5, 1, 2, 4, 4]


def test_no_more_attempts_than_allowed() -> None:
    assert pause(1, retries=0, spent=0, random=0.5) is None
    assert pause(3, retries=2, spent=0, random=0.5) is None
    assert pause(2, retries=2, spent=0, random=0.5) is not None


def test_a_long_retry_after_is_not_waited_for() -> None:
    assert pause(1, retries=2, spent=0, random=0, retry_after=LONGEST_WAIT) == LONGEST_WAIT
    assert pause(1, retries=2, spent=0, random=0, retry_after=LONGEST_WAIT + 1) is None


@given(
    st.integers(1, 5000),
    st.floats(0, 20),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(0, 100),
)
def test_waiting_ends_within_patience_and_never_undercuts_what_was_asked(
    attempt: int, spent: float, random: float, retry_after: float | None
) -> None:
    seconds = pause(attempt, retries=5000, spent=spent, random=random, retry_after=retry_after)
    if seconds is not None:
        assert seconds >= (retry_after or 0)
        assert spent + seconds <= PATIENCE


def test_retry_after_is_a_number_or_a_date() -> None:
    now = NOW.timestamp()
    assert retry_after_of(b" 7 ", now) == 7
    assert retry_after_of(b"0.5", now) == 0.5
    assert retry_after_of(format_datetime(NOW, usegmt=True).encode(), now - 9) == 9
    assert retry_after_of(format_datetime(NOW, usegmt=True).encode(), now + 9) == 0
    assert retry_after_of(b"Fri, 02 Jan 2026 03:04:05 -0000", now - 1) == 1
    assert retry_after_of(b"-3", now) == 0
    for odd in (None, b"", b"soon", b"nan", b"inf", b"1e999", b"\xff", b"99999"):
        told = retry_after_of(odd, now)
        assert told == (99999 if odd == b"99999" else None)


@given(st.binary(max_size=60))
def test_any_header_is_survived(value: bytes) -> None:
    told = retry_after_of(value, NOW.timestamp())
    assert told is None or told >= 0
