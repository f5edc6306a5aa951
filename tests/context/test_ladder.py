"""The rungs, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.context.body import apply, read_history
from llmstack.context.checkpoint import Checkpoint
from llmstack.context.compaction import Compaction, Overflow
from llmstack.context.edits import CutText, Drop, Note, ReplaceResult
from llmstack.context.ladder import compact
from llmstack.context.room import begins_at, free_output, room_of
from llmstack.context.settings import ContextSettings, Room
from llmstack.context.texts import BodyTexts
from llmstack.routing.ladder import Rung

from .bodies import PATHS, Turn, Use, body, measure

SETTINGS = ContextSettings(margin=0)


def step(
    turns: list[Turn],
    prompt: int,
    settings: ContextSettings = SETTINGS,
    *,
    prior: Checkpoint | None = None,
    summary: str = "",
) -> Compaction | Overflow:
    request = body("chat", turns)
    history = read_history(PATHS["chat"], request)
    assert history
    counted = measure(history)
    return compact(
        history,
        counted.units,
        counted.front,
        Room(prompt * 4 // 3, prompt, prompt // 3),
        settings,
        texts=BodyTexts("chat", request),
        prior=prior,
        summary=summary,
    )


def fits(result: Compaction | Overflow) -> Compaction:
    assert isinstance(result, Compaction)
    return result


def read(number: int, size: int = 4000) -> Turn:
    return ("round", (Use(f"{number:04}" * (size // 4), path=f"file{number}.py"),))


def test_old_results_go_first_and_only_until_the_target_is_met() -> None:
    turns: list[Turn] = [("user", "task"), *(read(number) for number in range(10))]
    result = fits(step(turns, 9300))
    items = [edit.item for edit in result.edits if isinstance(edit, ReplaceResult)]
    assert items == [2, 4, 6, 8, 10]
    assert len(result.edits) == 5
    assert result.tokens <= 0.6 * 9300
    first = result.edits[0]
    assert isinstance(first, ReplaceResult)
    assert "file0.py" in first.text
    assert "4000 characters" in first.text
    assert [action.rung for action in result.actions] == ["cleared"]


def test_recent_results_and_recent_errors_stay() -> None:
    failed: Turn = ("round", (Use("Traceback (most recent call last):\n" + "e " * 2000),))
    turns: list[Turn] = [read(0), ("user", "task"), failed, *(read(n) for n in range(1, 8))]
    result = fits(step([("user", "before"), *turns], 6000))
    replaced = [edit.item for edit in result.edits if isinstance(edit, ReplaceResult)]
    assert 2 in replaced
    assert 5 not in replaced
    assert not {14, 16, 18, 20} & set(replaced)


def test_little_that_could_be_cleared_is_not_worth_the_cache() -> None:
    talk: list[Turn] = [("assistant", "words " * 300), ("user", "words " * 300)] * 8
    turns: list[Turn] = [("user", "task"), read(0, 800), *talk]
    result = fits(step(turns, 7000))
    assert not any(isinstance(edit, ReplaceResult) for edit in result.edits)
    assert any(isinstance(edit, Drop) for edit in result.edits)


def test_a_step_that_frees_next_to_nothing_waits_until_it_must() -> None:
    always = replace(SETTINGS, policy="always")
    turns: list[Turn] = [("user", "task " * 5500), read(0, 1000), *(read(n, 40) for n in range(4))]
    stays = fits(step(turns, 7800, always))
    assert stays.tokens > begins_at(Room(10_400, 7800, 2600), always)
    assert stays.edits == ()
    assert not stays.changed
    must = fits(step(turns, 7100, always))
    assert must.changed


def test_what_is_dropped_is_told_in_one_note_at_the_gap() -> None:
    talk: list[Turn] = [("assistant", "words " * 300), ("user", "words " * 300)] * 8
    result = fits(step([("user", "task"), *talk], 6000))
    notes = [edit for edit in result.edits if isinstance(edit, Note)]
    drops = [edit for edit in result.edits if isinstance(edit, Drop)]
    assert len(notes) == len(drops) == 1
    assert notes[0].before == drops[0].start == 1
    assert f"{drops[0].end - drops[0].start} messages removed" in notes[0].text


def test_after_a_gap_turns_still_alternate() -> None:
    talk: list[Turn] = [("assistant", "words " * 300), ("user", "words " * 300)] * 8
    turns: list[Turn] = [("user", "task"), *talk]
    for prompt in range(4000, 7000, 150):
        result = fits(step(turns, prompt))
        gone = [drop for drop in result.edits if isinstance(drop, Drop)]
        assert all(turns[drop.end][0] == "assistant" for drop in gone)


def test_an_open_call_is_never_touched() -> None:
    open_: Turn = ("round", (Use("x" * 4000), Use(None)))
    turns: list[Turn] = [("user", "task"), open_, *(read(number) for number in range(9))]
    result = fits(step(turns, 6000))
    assert not any(isinstance(e, ReplaceResult | CutText) and e.item < 3 for e in result.edits)
    assert not any(isinstance(edit, Drop) and edit.start < 3 for edit in result.edits)


def test_a_giant_is_cut_before_the_history_is_dropped_for_it() -> None:
    talk: list[Turn] = [("assistant", "words " * 100), ("user", "words " * 100)] * 4
    turns: list[Turn] = [("user", "task"), *talk, read(1, 80_000)]
    result = fits(step(turns, 6000))
    assert [type(edit) for edit in result.edits] == [CutText]
    assert result.tokens <= 0.6 * 6000


def test_a_pasted_text_keeps_the_words_around_it() -> None:
    pasted = "please fix this:\n" + "log line\n" * 5000 + "thank you"
    request = body("chat", [("user", pasted)])
    result = fits(step([("user", pasted)], 3000))
    cut = apply(PATHS["chat"], request, result.edits)
    assert b"please fix this:" in cut
    assert b"thank you" in cut
    assert b"characters cut out here" in cut


def test_strict_refuses_at_the_budget_and_not_before() -> None:
    strict = replace(SETTINGS, truncation="strict_error")
    turns: list[Turn] = [("user", "task"), *(read(number) for number in range(4))]
    fitting = fits(step(turns, 4200, strict))
    assert fitting.edits == ()
    refused = step(turns, 4000, strict)
    assert isinstance(refused, Overflow)
    assert refused.tokens > 4000


def test_off_does_nothing_and_strict_does_not_change_that() -> None:
    off = replace(SETTINGS, policy="off", truncation="strict_error")
    assert fits(step([("user", "task"), read(0)], 10, off)).edits == ()


def test_limit_only_waits_for_the_budget_and_always_for_its_trigger() -> None:
    turns: list[Turn] = [("user", "task"), *(read(number) for number in range(9))]
    assert fits(step(turns, 10_000)).edits == ()
    assert fits(step(turns, 10_000, replace(SETTINGS, policy="always"))).edits
    room = Room(20_000, 10_000, 5_000)
    assert begins_at(room, SETTINGS) == 10_000
    assert begins_at(room, replace(SETTINGS, policy="llm_assisted")) == 10_000


def test_a_summary_takes_the_place_of_what_is_dropped_and_of_the_summary_before() -> None:
    assisted = replace(SETTINGS, policy="llm_assisted")
    talk: list[Turn] = [("assistant", "words " * 300), ("user", "words " * 300)] * 8
    turns: list[Turn] = [("user", "task"), *talk]
    without = fits(step(turns, 7000, assisted))
    assert without.wants
    told = fits(step(turns, 7000, assisted, summary="all that was said"))
    assert told.wants is None
    assert told.summary == "all that was said"
    spans = [edit for edit in told.edits if isinstance(edit, Drop)]
    assert spans == [edit for edit in without.edits if isinstance(edit, Drop)]
    prior = Checkpoint(len(turns), "d", told.edits, told.summary)
    later = [*turns, *talk]
    again = fits(step(later, 7000, assisted, prior=prior, summary="all and more"))
    notes = [edit.text for edit in again.edits if isinstance(edit, Note)]
    assert len(notes) == 1
    assert "all and more" in notes[0]
    assert "all that was said" not in notes[0]
    failed = fits(step(later, 7000, assisted, prior=prior))
    assert "all that was said" in str(failed.edits)


def test_a_reference_never_points_at_what_is_gone() -> None:
    always = replace(SETTINGS, policy="always")
    same: Turn = ("round", (Use("same words\n" * 3 + "x" * 4000, path="a.py"),))
    turns: list[Turn] = [("user", "task"), same, *(read(n) for n in range(8)), same]
    before = fits(step(turns, 20_000, always))
    assert [edit.item for edit in before.edits if isinstance(edit, ReplaceResult)] == [20]
    after = fits(step(turns, 9000, always))
    texts = {edit.item: edit.text for edit in after.edits if isinstance(edit, ReplaceResult)}
    assert "cleared" in texts[2]
    assert 20 not in texts


@pytest.mark.parametrize(
    ("window", "asked", "prompt", "output"),
    [(8192, None, 7168, 1024), (8192, 32_000, 6144, 2048), (8192, 100, 8092, 100), (2, 9, 2, 0)],
)
def test_the_room_is_what_routing_says_that_fits(
    window: int, asked: int | None, prompt: int, output: int
) -> None:
    room = room_of(window, asked, SETTINGS)
    assert room == Room(window, prompt, output)
    assert Rung("m", window).fits(prompt, asked)
    assert not Rung("m", window).fits(prompt + 1, asked)
    assert free_output(room, prompt, SETTINGS) >= max(1, output)


def test_a_margin_is_a_small_part_of_a_small_window() -> None:
    assert room_of(160, 10, ContextSettings(margin=64)).prompt == 140
