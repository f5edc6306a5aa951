"""Prompt tokens that were read although the session's earlier prompt had them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.record import ActivityRow
from llmstack.activity.reprefill import MOST, Rereading
from llmstack.activity.tally import Usage


def row(prompt: int, cached: int, session: str = "s", **more: Any) -> ActivityRow:
    """An answer as llama-server's timings tell it."""
    usage = Usage(
        input_tokens=prompt - max(cached, 0),
        apart_tokens=max(cached, 0),
        cache_tokens=cached,
        found=True,
    )
    about = {"metadata": {"session": session} if session else {}, "backend": "local", **more}
    return ActivityRow("m", "/v1/chat/completions", 200, 5, usage=usage, **about)


def test_a_conversation_that_stays_in_the_cache_reads_nothing_again() -> None:
    rereading = Rereading()
    assert [rereading.of(row(*turn)) for turn in ((100, 0), (150, 100), (200, 150))] == [0, 0, 0]


def test_a_model_that_was_unloaded_in_between_reads_the_earlier_prompt_again() -> None:
    rereading = Rereading()
    rereading.of(row(1000, 0))
    assert rereading.of(row(1200, 0)) == 1000


def test_what_is_left_of_the_cache_was_not_read_again() -> None:
    rereading = Rereading()
    rereading.of(row(1000, 0))
    assert rereading.of(row(1200, 300)) == 700


def test_another_model_of_the_session_reads_it_all_again() -> None:
    rereading = Rereading()
    rereading.of(row(1000, 0))
    moved = ActivityRow(
        "other",
        "/v1/messages",
        200,
        6,
        usage=Usage(input_tokens=1100, cache_tokens=0, found=True),
        metadata={"session": "s"},
    )
    assert rereading.of(moved) == 1000


def test_what_is_not_known_or_not_ours_counts_as_nothing() -> None:
    """No session, no word about the cache, others' machines, failures: nothing is guessed."""
    rereading = Rereading()
    rereading.of(row(1000, 0))
    assert rereading.of(row(1000, -1)) == 0
    assert rereading.of(row(1000, 0, session="")) == 0
    assert rereading.of(row(1000, 0, backend="openai")) == 0
    failed = ActivityRow("m", "/", 500, 5, usage=Usage(input_tokens=9, found=True))
    assert rereading.of(failed) == 0


def test_a_title_in_the_name_of_the_session_continues_nothing_and_hides_nothing() -> None:
    """A small prompt of its own between two turns is not the end of what was read before."""
    rereading = Rereading()
    assert [rereading.of(row(*turn)) for turn in ((20_000, 0), (300, 0), (21_000, 0))] == [
        0,
        0,
        20_000,
    ]


def test_what_a_compaction_has_left_was_not_read_before() -> None:
    rereading = Rereading()
    assert [rereading.of(row(*turn)) for turn in ((20_000, 0), (8000, 0), (8500, 8000))] == [0] * 3


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-1, 10**6), st.sampled_from("abc"))))
def test_never_more_than_either_prompt_had(turns: list[tuple[int, int, str]]) -> None:
    rereading, before = Rereading(), dict.fromkeys("abc", 0)
    for prompt, cached, session in turns:
        again = rereading.of(row(prompt, min(cached, prompt), session))
        assert 0 <= again <= min(prompt, before[session])
        before[session] = max(prompt, before[session])


def test_only_so_many_sessions_are_remembered() -> None:
    rereading = Rereading()
    for number in range(MOST + 5):
        rereading.of(row(10, 0, str(number)))
    assert rereading.of(row(10, 0, "0")) == 0
    assert rereading.of(row(10, 0, str(MOST))) == 10
