"""Compaction: rung by rung from what costs nothing to what is lost, in one step down to the target.

Repetition and old tool results go first, then whole turns (a summary may take their place), then
the middle of single long texts. The system's text, the first task and the last user turn stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.context.compaction import Action, Compaction, Overflow, Span
from llmstack.context.draft import Draft
from llmstack.context.edits import ReplaceResult
from llmstack.context.phrases import is_same, partly
from llmstack.context.room import begins_at, summary_tokens
from llmstack.context.rungs import Reach, clear_old, collapse_old, cut_long, drop_old, droppable
from llmstack.context.texts import BodyTexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.context.checkpoint import Checkpoint
    from llmstack.context.history import History
    from llmstack.context.settings import ContextSettings, Room
    from llmstack.context.texts import Texts

#: What a step must free of the room, or it waits until it must: it costs the server's cache.
_WORTH = 0.05
#: Characters that a shortened text keeps, and what it keeps when nothing else helps.
_FLOOR, _LEAST = 1500, 80


def compact(
    history: History,
    tokens: Sequence[float],
    front: float,
    room: Room,
    settings: ContextSettings,
    *,
    texts: Texts | None = None,
    prior: Checkpoint | None = None,
    summary: str = "",
) -> Compaction | Overflow:
    """Fit a history of units with ``tokens`` each, and ``front`` beside them, into ``room``.

    ``prior`` is the checkpoint that the history begins with: its edits stay while that fits, and
    what is new only adds to them. ``summary`` is the text for the span that an earlier call with
    the same arguments asked for.
    """
    texts = texts or BodyTexts(history.api, b"")
    whole = front + sum(tokens)
    if settings.policy == "off":
        return Compaction((), whole)
    if settings.policy == "limit_only" and settings.truncation == "strict_error":
        return Overflow(whole, room, whole) if whole > room.prompt else Compaction((), whole)
    stay = stand(history, tokens, front, settings, texts=texts, prior=prior)
    if stay.tokens <= begins_at(room, settings):
        return stay
    tried = whole
    for keep, floor in ((settings.keep_recent, _FLOOR), (1, _LEAST)):
        draft = Draft(history, tokens, front)
        reach = Reach(settings.target * room.prompt, max(1, keep), floor, texts)
        found = _step(draft, reach, room, settings, prior, summary)
        if draft.total <= room.prompt:
            small = stay.tokens - draft.total < _WORTH * room.prompt
            return stay if small and stay.tokens <= room.prompt else found
        tried = min(tried, draft.total)
    return Overflow(whole, room, tried)


def stand(
    history: History,
    tokens: Sequence[float],
    front: float,
    settings: ContextSettings,
    *,
    texts: Texts,
    prior: Checkpoint | None = None,
) -> Compaction:
    """What is sent without a step down: the edits of ``prior``, and references of newcomers."""
    strict = settings.policy == "limit_only" and settings.truncation == "strict_error"
    draft = Draft(history, tokens, front)
    if settings.policy == "off" or strict:
        return Compaction((), draft.total)
    if prior:
        draft.load(prior.edits, prior.summary, texts, references=True)
    actions: list[Action] = []
    if settings.policy == "always":
        actions = _referred(draft.refer(prior.length if prior else 0))
    return Compaction(draft.edits(), draft.total, draft.summary, tuple(actions))


def _step(
    draft: Draft,
    reach: Reach,
    room: Room,
    settings: ContextSettings,
    prior: Checkpoint | None,
    summary: str,
) -> Compaction:
    """One step down to the target. ``draft`` is what is left after it."""
    edits = prior.edits if prior else ()
    if prior:
        draft.load(edits, prior.summary, reach.texts, references=False)
    actions: list[Action] = []
    always = settings.policy == "always"
    if always or any(isinstance(edit, ReplaceResult) and is_same(edit.text) for edit in edits):
        actions += _referred(draft.refer())
    if always:
        actions += collapse_old(draft, reach)
    if draft.total > reach.goal:
        actions += clear_old(draft, reach, _WORTH * room.prompt)
    if draft.total > reach.goal and not always:
        actions += _referred(draft.refer())
    wants = None
    if draft.total > reach.goal:
        actions += _shorten_giants(draft, reach, room)
    if draft.total > reach.goal:
        more, wants = _drop(draft, reach, room, settings, summary)
        actions += more
    if draft.total > room.prompt:
        actions += cut_long(draft, reach, 0)
    return Compaction(
        draft.edits(), draft.total, draft.summary, tuple(actions), changed=True, wants=wants
    )


def _shorten_giants(draft: Draft, reach: Reach, room: Room) -> list[Action]:
    """When dropping everything would not do, the giants pay before the rest of the history does."""
    least = draft.total - sum(draft.size(index) for index in droppable(draft, reach))
    return cut_long(draft, reach, reach.goal / 2) if least > room.prompt else []


def _drop(
    draft: Draft, reach: Reach, room: Room, settings: ContextSettings, summary: str
) -> tuple[list[Action], Span | None]:
    """Drop, and say what a summary could stand for. The same units go with and without one."""
    gone = set(draft.dropped)
    if settings.policy != "llm_assisted":
        actions = drop_old(draft, reach, _slack(reach, room, settings))
        _tell_more(draft, gone)
        return actions, None
    lower = Reach(reach.goal - summary_tokens(room), reach.keep, reach.floor, reach.texts)
    actions = drop_old(draft, lower, _slack(reach, room, settings) - summary_tokens(room))
    new = sorted(draft.dropped - gone)
    if not new:
        return actions, None
    if summary:
        draft.set_summary(summary)
        return [Action("summarised", action.count, action.freed) for action in actions], None
    _tell_more(draft, gone)
    units = draft.history.units
    return actions, Span(units[new[0]].start, units[new[-1]].end)


def _tell_more(draft: Draft, gone: set[int]) -> None:
    """A summary of what was ``gone`` before is none of what has gone since."""
    if draft.summary and not draft.dropped <= gone:
        draft.set_summary(partly(draft.summary))


def _slack(reach: Reach, room: Room, settings: ContextSettings) -> float:
    return (reach.goal + begins_at(room, settings)) / 2


def _referred(freed: list[float]) -> list[Action]:
    return [Action("referred", len(freed), round(sum(freed)))] if freed else []
