"""How fast answers flow now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.flow import USUAL, WATCHED, WINDOW, Flow, Flowing


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_steady_stream_is_told_with_its_speed_once_a_token_has_a_size() -> None:
    clock = Clock()
    flow = Flow(clock)
    flow.learn("m", size=1000, tokens=10)  # 100 bytes each
    began, rates = clock.now, {}
    for _ in range(6):
        clock.now += 1
        rates = flow.look([Flowing(2, "m", int((clock.now - began) * 2000), began)])
    assert rates == {"m": pytest.approx(20)}


def test_the_first_look_takes_the_mean_speed_of_an_answer_so_far() -> None:
    clock = Clock()
    flow = Flow(clock)
    answer = Flowing(1, "m", int(100 * USUAL), clock.now - 10)
    assert flow.look([answer]) == {"m": pytest.approx(10)}


def test_an_answer_in_one_piece_counts_when_it_has_come() -> None:
    clock = Clock()
    flow = Flow(clock)
    assert flow.look([]) == {}
    clock.now += 1
    flow.ended(1, "m", tokens=90, seconds=0.5)
    assert flow.look([]) == {"m": pytest.approx(90 / WINDOW)}
    clock.now += WINDOW
    assert flow.look([]) == {}, "what is past is no speed now"


def test_what_ended_before_anybody_looked_is_not_kept() -> None:
    clock = Clock()
    flow = Flow(clock)
    assert not flow.watched
    flow.look([])
    assert flow.watched
    clock.now += WATCHED + 1
    flow.ended(1, "m", tokens=90, seconds=0.5)
    assert not flow._written
    assert not flow.watched


def test_the_end_of_a_stream_adds_only_what_was_not_counted() -> None:
    clock = Clock()
    flow = Flow(clock)
    flow.learn("m", size=100, tokens=1)
    flow.look([Flowing(1, "m", 1000, clock.now - 1)])
    flow.ended(1, "m", tokens=15, seconds=1.5)
    assert flow.look([]) == {"m": pytest.approx(15 / WINDOW)}


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 5), st.integers(0, 10**6), st.integers(0, 10**5), st.floats(0, 100)
        ),
        max_size=20,
    )
)
def test_no_order_of_events_makes_a_speed_negative_or_infinite(
    steps: list[tuple[float, int, int, float]],
) -> None:
    clock = Clock()
    flow = Flow(clock)
    for number, (wait, size, tokens, seconds) in enumerate(steps):
        clock.now += wait
        rates = flow.look([Flowing(number // 3, "m", size, clock.now - seconds)])
        assert all(0 <= rate < float("inf") for rate in rates.values())
        if tokens:
            flow.learn("m", size, tokens)
        flow.ended(number // 2, "m", tokens, seconds)
