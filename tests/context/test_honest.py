"""What is said of what was removed is true, and nothing is removed that need not be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack.context.body import apply, read_history
from llmstack.context.checkpoint import Checkpoint
from llmstack.context.checkpoints import Checkpoints
from llmstack.context.edits import CutText, Note, ReplaceResult
from llmstack.context.needs import Fitted
from llmstack.context.phrases import partly, same
from llmstack.context.settings import ContextSettings
from llmstack.dialects.layout import Layout

from .bodies import PATHS, Turn, Use, body
from .driven import SUMMARY, Server, asked
from .test_fit import ASSISTED, LONG, TALK, chat_answer
from .test_ladder import SETTINGS, fits, step

if TYPE_CHECKING:
    from llmstack.context.compaction import Compaction
    from llmstack.context.history import ToolResult
    from llmstack.context.settings import Policy

MORE = "more was removed after this was written"


def _notes(found: Compaction) -> str:
    return "".join(edit.text for edit in found.edits if isinstance(edit, Note))


@pytest.mark.parametrize("policy", ["limit_only", "llm_assisted"])
def test_a_summary_does_not_stand_for_what_was_removed_after_it(policy: Policy) -> None:
    """Where none can be had for that, or nobody asks for one; and it is said once."""
    assisted = replace(SETTINGS, policy="llm_assisted")
    told = fits(step(LONG, 7000, assisted, summary="all that was said"))
    assert MORE not in _notes(told)
    turns, settings = LONG, replace(SETTINGS, policy=policy)
    for _ in range(2):
        prior = Checkpoint(len(turns), "d", told.edits, told.summary)
        turns = [*turns, *TALK]
        told = fits(step(turns, 7000, settings, prior=prior))
        assert _notes(told).count(MORE) == 1
        assert told.summary == partly("all that was said")
    prior = Checkpoint(len(turns), "d", told.edits, told.summary)
    assert fits(step(turns, 7000, settings, prior=prior)).edits == told.edits
    written = fits(step([*turns, *TALK], 7000, assisted, prior=prior, summary="all of it"))
    assert MORE not in _notes(written)


def test_a_further_step_that_removes_more_than_was_summed_up_says_so() -> None:
    """The ruler and the server may disagree on what is left."""

    class Disagreeing(Server):
        def tokens(self, path: str, body: bytes) -> float:
            return super().tokens(path, body) * (1.0 if body == request.body else 2.7)

    request = asked("chat", body("chat", LONG), 8000, ASSISTED)
    server = Disagreeing(answer=chat_answer(SUMMARY))
    result = server.fit(request)
    assert isinstance(result, Fitted)
    assert len(server.summaries) == 1
    assert result.report.rounds > 1
    assert result.report.original == 7279  # as it was counted, whatever was found later
    assert result.checkpoint
    assert result.checkpoint.summary == partly(SUMMARY)
    assert MORE in result.body.decode()


def test_a_conversation_that_fits_into_a_grown_window_is_whole_again() -> None:
    store = Checkpoints()
    first = Server().fit(asked("chat", body("chat", LONG), 5000, store=store))
    assert isinstance(first, Fitted)
    assert first.checkpoint
    store.add("m", first.checkpoint)
    for kept in (store, Checkpoints.loads(store.dumps())):
        request = asked("chat", body("chat", LONG), 50_000, store=kept)
        assert request.prior
        whole = Server().fit(request)
        assert isinstance(whole, Fitted)
        assert whole.body is request.body
        assert not whole.report.applied
        assert not whole.report.checkpoint
        small = Server().fit(asked("chat", body("chat", LONG), 5000, store=kept))
        assert isinstance(small, Fitted)
        assert small.body == first.body


def test_a_log_of_ours_is_no_placeholder_and_can_be_removed() -> None:
    log = "[12:00:01 INFO llmstack.requests] POST /v1/chat/completions\n" * 400
    turns: list[Turn] = [("user", "task"), ("round", (Use(log, path="a.log"),))]
    result = Server().fit(asked("chat", body("chat", turns), 4000))
    assert isinstance(result, Fitted)
    assert "characters cut out here" in result.body.decode()


def test_the_work_on_many_copies_grows_as_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    count, written = 400, 0

    def counted(result: ToolResult, earlier: ToolResult) -> str:
        nonlocal written
        written += 1
        return same(result, earlier)

    monkeypatch.setattr("llmstack.context.draft.same", counted)
    copies: list[Turn] = [("round", (Use("same words\n" * 100, path="a.py"),))] * count
    always = ContextSettings(policy="always", margin=0)
    result = Server().fit(asked("chat", body("chat", [("user", "task"), *copies]), 9000, always))
    assert isinstance(result, Fitted)
    assert {action.rung for action in result.report.actions} >= {"referred", "dropped"}
    assert written < 10 * count


def test_the_latest_checkpoints_are_written_as_far_as_they_can_be_read_again() -> None:
    store = Checkpoints()
    for number in range(100):
        edit = CutText(number, None, 1, 1, "marker " * 100)
        store.add("m", Checkpoint(1, f"{number:032}", (edit,), window=4096))
    whole, part = store.dumps(), store.dumps(20_000)
    assert len(part) <= 20_000 < len(whole)
    assert len(Checkpoints.loads(whole)) == 100
    read = Checkpoints.loads(part)
    assert 0 < len(read) < 100
    assert read.find("m", [f"{99:032}"]) == store.find("m", [f"{99:032}"])
    assert read.find("m", [f"{0:032}"]) is None


def test_a_history_knows_a_placeholder_from_a_text_that_begins_like_one() -> None:
    for text, cleared in (("[llmstack: gone]", True), ("[llmstack: gone]" + "x" * 2000, False)):
        request = body("chat", [("user", "task"), ("round", (Use(text),))])
        history = read_history(PATHS["chat"], request)
        assert history
        assert [one.cleared for unit in history.units for one in unit.results] == [cleared]


def test_every_block_of_one_message_is_edited_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    count, rendered = 200, 0
    plain = Layout.render

    def counted(layout: Layout) -> bytes:
        nonlocal rendered
        rendered += len(layout.items) == count
        return plain(layout)

    request = body("messages", [("user", "task"), ("round", (Use("x" * 40),) * count)])
    monkeypatch.setattr(Layout, "render", counted)
    edits = [ReplaceResult(2, block, "[llmstack: gone]") for block in range(count)]
    edited = apply(PATHS["messages"], request, edits)
    assert edited.count(b"[llmstack: gone]") == count
    assert rendered == 1
