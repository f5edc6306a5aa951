"""The rungs of the ladder, each a step down: what may go, oldest first, until the goal is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.context import phrases
from llmstack.context.collapse import collapse
from llmstack.context.compaction import Action
from llmstack.context.draft import cost
from llmstack.context.edits import CutText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.context.compaction import Rung
    from llmstack.context.draft import Draft
    from llmstack.context.history import History, ToolResult
    from llmstack.context.texts import Texts

#: A result is cleared when that frees so many tokens, no less.
_CLEAR_TOKENS = 50
#: A text is collapsed when it gets so many characters shorter.
_COLLAPSE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a rung may go: the last ``keep`` units stay, no text gets shorter than ``floor``."""

    goal: float
    keep: int
    floor: int
    texts: Texts

    def recent(self, history: History) -> int:
        """The first unit that is recent."""
        return max(0, len(history.units) - self.keep)


def collapse_old(draft: Draft, reach: Reach) -> list[Action]:
    """Tell runs of equal lines once, in results that are not recent."""
    freed: list[float] = []
    for index, result in _old(draft, reach):
        text = None if _place(result) in draft.replaced else reach.texts.result(result)
        short = collapse(text) if text else text
        if text and short and len(text) - len(short) >= _COLLAPSE_CHARS:
            before = draft.total
            draft.replace(index, result, short)
            freed.append(before - draft.total)
    return _action("collapsed", freed)


def clear_old(draft: Draft, reach: Reach, worth: float) -> list[Action]:
    """Clear old results, if all of them are worth it or enough of them meet the goal.

    An error in the turns since the last user's one is what the model works on, and stays.
    """
    found: list[tuple[int, ToolResult, str]] = []
    possible = 0.0
    for index, result in _old(draft, reach):
        if result.error and index > (draft.history.last_user or 0):
            continue
        old = draft.replaced.get(_place(result), "")
        if old.startswith(phrases.MARK) and not phrases.is_same(old):
            continue
        text = reach.texts.result(result)
        words = phrases.cleared(result, None if text is None else text.count("\n") + 1)
        gain = draft.gain(index, result, words)
        if gain >= _CLEAR_TOKENS:
            found.append((index, result, words))
            possible += gain
    if possible < min(worth, draft.total - reach.goal):
        return []
    freed: list[float] = []
    for index, result, words in found:
        if draft.total <= reach.goal:
            break
        before = draft.total
        draft.replace(index, result, words)
        freed.append(before - draft.total)
    return _action("cleared", freed)


def drop_old(draft: Draft, reach: Reach, slack: float) -> list[Action]:
    """Drop whole units, oldest first.

    Where two users' turns would then meet, the answer before the second one is taken in again, if
    that stays below ``slack``: some templates insist that turns alternate.
    """
    before = draft.total
    dropped: list[int] = []
    for index in droppable(draft, reach):
        if draft.total <= reach.goal:
            break
        draft.drop(index)
        dropped.append(index)
    units = draft.history.units
    for index in dropped:
        after = index + 1
        if after in draft.dropped or after >= len(units) or units[after].kind != "user":
            continue
        if units[index].kind == "user" or draft.total + draft.size(index) > slack:
            continue
        if len(dropped) > 1:
            draft.keep(index)
            dropped.remove(index)
            break
    return _action("dropped", [before - draft.total] if dropped else [], len(dropped))


def droppable(draft: Draft, reach: Reach) -> list[int]:
    """Units that may go, oldest first.

    No system text, no first task, no last user turn, nothing that is open, nothing recent.
    """
    history = draft.history
    always = {history.first_task, history.last_user}
    return [
        index
        for index in range(reach.recent(history))
        if index not in draft.dropped
        and index not in always
        and history.units[index].kind != "system"
        and not history.units[index].open
    ]


def cut_long(draft: Draft, reach: Reach, longest: float) -> list[Action]:
    """Shorten single texts, tool results before users' words, each to ``longest`` tokens at least.

    Head and tail stay, so that an instruction before or after something pasted does.
    """
    freed: list[float] = []
    for index, whole, chars, place, result in _cuttable(draft, reach):
        if draft.total <= reach.goal:
            break
        rate = draft.rate(index)
        now = whole if place not in draft.cuts else _left(draft, index, draft.cuts[place])
        marker = phrases.cut(10**6)
        need = now - (draft.total - reach.goal)
        keep = int((max(need, longest, reach.floor * rate) - cost(marker)) / rate)
        keep = max(keep, reach.floor // 2)
        if keep + 2 * len(marker) >= chars or now - keep * rate < _CLEAR_TOKENS / 2:
            continue
        head = keep * 2 // 3
        edit = CutText(*place, head, keep - head, phrases.cut(_round(chars - keep)))
        before = draft.total
        if result is None:
            draft.cut(index, whole, edit)
        else:
            draft.cut_result(index, result, edit)
        freed.append(before - draft.total)
    return _action("cut", freed)


def _cuttable(
    draft: Draft, reach: Reach
) -> Iterator[tuple[int, float, int, tuple[int, int | None], ToolResult | None]]:
    """Unit, tokens, characters, place of texts that may be shortened, the longest first."""
    results = [
        (index, draft.rate(index) * result.chars, result.chars, _place(result), result)
        for index, result in draft.results()
        if _place(result) not in draft.replaced and not result.cleared
    ]
    yield from sorted(results, key=lambda found: -found[1])
    words = [
        (index, len(text) * draft.rate(index), len(text), (item, block), None)
        for index, unit in enumerate(draft.history.units)
        if unit.kind == "user" and index not in draft.dropped
        for item in range(unit.start, unit.end)
        for block, text in reach.texts.parts(item)
    ]
    yield from sorted(words, key=lambda found: -found[1])


def _left(draft: Draft, index: int, edit: CutText) -> float:
    return (edit.head + edit.tail) * draft.rate(index)


def _old(draft: Draft, reach: Reach) -> list[tuple[int, ToolResult]]:
    recent = reach.recent(draft.history)
    units = draft.history.units
    return [
        (index, result)
        for index, result in draft.results()
        if index < recent and not units[index].open and not result.cleared
    ]


def _place(result: ToolResult) -> tuple[int, int | None]:
    return result.item, result.block


def _round(chars: int) -> int:
    """To two digits: the words say about how many."""
    unit = int(10 ** max(0, len(str(chars)) - 2))
    return max(1, chars // unit) * unit


def _action(rung: Rung, freed: list[float], count: int | None = None) -> list[Action]:
    if not freed:
        return []
    return [Action(rung, len(freed) if count is None else count, round(sum(freed)))]
