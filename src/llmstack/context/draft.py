"""A compaction in the making: what is shortened or gone, and what is left in tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmstack.context.edits import CutText, Drop, Note, ReplaceResult
from llmstack.context.phrases import answered, gap, is_same, same, summed_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmstack.context.edits import Edit
    from llmstack.context.history import History, ToolResult
    from llmstack.context.texts import Texts

#: A place of a text: the item and the block within it.
Place = tuple[int, int | None]
#: Results that say the same, oldest first.
_Copies = OrderedDict[Place, "tuple[int, ToolResult]"]

#: Results shorter than this are not worth a reference.
_SAME_CHARS = 400
#: Characters per token of the words that we write, on the safe side.
_OUR_RATE = 3


@dataclass(slots=True)
class Draft:
    """All sizes are the ruler's tokens. Items and units are those of the client's own body.

    ``tokens`` has one number per unit, ``front`` is all that is not in a unit. ``summary`` is of
    all that was dropped so far.
    """

    history: History
    tokens: Sequence[float]
    front: float
    dropped: set[int] = field(default_factory=set)
    replaced: dict[Place, str] = field(default_factory=dict)
    cuts: dict[Place, CutText] = field(default_factory=dict)
    summary: str = ""
    total: float = 0.0
    _saved: dict[Place, float] = field(default_factory=dict)
    _note: float = 0.0
    _saved_of: dict[int, float] = field(default_factory=dict)
    _groups: dict[str, _Copies] = field(default_factory=dict)
    _retell: set[str] = field(default_factory=set)
    _share: dict[Place, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = self.front + sum(self.tokens)

    def load(self, edits: Sequence[Edit], summary: str, texts: Texts, *, references: bool) -> None:
        """Take over what an earlier compaction did; its references only if asked to."""
        spans = [range(edit.start, edit.end) for edit in edits if isinstance(edit, Drop)]
        gone = {item for span in spans for item in span}
        for index, unit in enumerate(self.history.units):
            if unit.start in gone:
                self.drop(index)
        places = {(result.item, result.block): (i, result) for i, result in self.results()}
        for edit in edits:
            if isinstance(edit, ReplaceResult) and (edit.item, edit.block) in places:
                if references or not is_same(edit.text):
                    self.replace(*places[edit.item, edit.block], edit.text)
            elif isinstance(edit, CutText) and (edit.item, edit.block) in places:
                self.cut_result(*places[edit.item, edit.block], edit)
            elif isinstance(edit, CutText):
                self._load_cut(edit, texts)
        if summary:
            self.set_summary(summary)

    def results(self) -> Iterator[tuple[int, ToolResult]]:
        """All tool results of units that are still there, oldest first."""
        for index, unit in enumerate(self.history.units):
            if index not in self.dropped:
                for result in unit.results:
                    yield index, result

    def share(self, index: int, result: ToolResult) -> float:
        """The part of its unit's tokens that a result has now."""
        place = result.item, result.block
        return self._whole(index, result) - self._saved.get(place, 0.0)

    def rate(self, index: int) -> float:
        """Tokens per character of a unit's text."""
        unit = self.history.units[index]
        rate = self.tokens[index] / max(1, unit.text_chars + unit.other_chars)
        return min(rate, 0.5) if unit.images else rate

    def gain(self, index: int, result: ToolResult, text: str) -> float:
        """What is freed when ``text`` stands in the place of a result."""
        return self.share(index, result) - cost(text)

    def replace(self, index: int, result: ToolResult, text: str) -> None:
        """Put ``text`` in the place of a result; later copies refer to another one then."""
        place = result.item, result.block
        self.cuts.pop(place, None)
        self.replaced[place] = text
        self._save(index, place, self._whole(index, result) - cost(text))
        self._orphan(result)

    def cut_result(self, index: int, result: ToolResult, edit: CutText) -> None:
        """Shorten a result to what ``edit`` leaves of it. What refers to it says so of the rest."""
        self.cut(index, self._whole(index, result), edit)

    def cut(self, index: int, whole: float, edit: CutText) -> None:
        """Shorten a text of ``whole`` tokens to what ``edit`` leaves of it."""
        place = edit.item, edit.block
        self.cuts[place] = edit
        left = (edit.head + edit.tail) * self.rate(index) + cost(edit.marker)
        self._save(index, place, max(0.0, whole - left))

    def drop(self, index: int) -> None:
        """Take out a whole unit."""
        if index in self.dropped:
            return
        unit = self.history.units[index]
        for result in unit.results:
            self._orphan(result)
        self.dropped.add(index)
        self.total -= self.size(index)
        self._renote()

    def keep(self, index: int) -> None:
        """Take a unit in again that was dropped."""
        self.dropped.discard(index)
        self.total += self.size(index)
        self._renote()

    def size(self, index: int) -> float:
        """What a unit has now."""
        return self.tokens[index] - self._saved_of.get(index, 0.0)

    def set_summary(self, summary: str) -> None:
        """What was dropped is told in these words."""
        self.summary = summary
        self._renote()

    def refer(self, since: int = 0) -> list[float]:
        """From item ``since`` on, let results that repeat an earlier one refer to it.

        The oldest copy stays, so that what is already in a server's cache stays too. One that was
        cut is no copy: a newcomer may be there because somebody wanted all of it. Gives what each
        reference frees.
        """
        freed: list[float] = []
        self._tell_again()
        self._groups = {}
        for index, result in self.results():
            place = result.item, result.block
            if not self._repeatable(index, result) or place in self.replaced or place in self.cuts:
                continue
            copies = self._groups.setdefault(result.sha, OrderedDict())
            copies[place] = index, result
            if len(copies) > 1 and result.item >= since:
                text = same(result, _oldest(copies)[1])
                # By characters: tokens are measured anew each time, and this must not waver.
                if result.chars >= 2 * len(text):
                    gain = self.gain(index, result, text)
                    self.replaced[place] = text
                    self._save(index, place, gain)
                    freed.append(gain)
        return freed

    def edits(self) -> tuple[Edit, ...]:
        """Everything as edits of the client's own body."""
        self._tell_again()
        units = self.history.units
        found: list[Edit] = []
        if self.dropped:
            found.append(Note(units[min(self.dropped)].start, self._told()))
        for index in sorted(self.dropped):
            start, end = units[index].start, units[index].end
            if found and isinstance(found[-1], Drop) and found[-1].end == start:
                found[-1] = Drop(found[-1].start, end)
            else:
                found.append(Drop(start, end))
        found += [Note(units[index].start, answered(), answer=True) for index in self._unanswered()]
        gone = {item for i in self.dropped for item in range(units[i].start, units[i].end)}
        texts = [ReplaceResult(*place, text) for place, text in self.replaced.items()]
        shortened: list[ReplaceResult | CutText] = [*texts, *self.cuts.values()]
        shortened = [edit for edit in shortened if edit.item not in gone]
        shortened.sort(key=lambda edit: (edit.item, edit.block or 0))
        return (*found, *shortened)

    def _unanswered(self) -> list[int]:
        """Users' turns that now follow one whose answers are all gone.

        Many templates refuse two in a row, whatever calls stand between them.
        """
        found: list[int] = []
        waiting, lost = False, False
        for index, unit in enumerate(self.history.units):
            if unit.kind == "assistant":
                lost = index in self.dropped
                waiting = waiting and lost
            elif unit.kind == "user" and index not in self.dropped:
                if waiting and lost:
                    found.append(index)
                waiting, lost = True, False
        return found

    def _told(self) -> str:
        units = [self.history.units[index] for index in self.dropped]
        messages = sum(unit.end - unit.start for unit in units)
        calls = sum(len(unit.results) for unit in units)
        if self.summary:
            return summed_up(messages, calls, self.summary)
        return gap(messages, calls)

    def _renote(self) -> None:
        self.total -= self._note
        self._note = cost(gap(1000, 1000)) + cost(self.summary) if self.dropped else 0.0
        self.total += self._note

    def _whole(self, index: int, result: ToolResult) -> float:
        place = result.item, result.block
        if place not in self._share:
            unit = self.history.units[index]
            if unit.images and len(unit.results) == 1:
                rest = unit.text_chars + unit.other_chars - result.chars
                share = self.tokens[index] - rest * self.rate(index)
            else:
                share = self.rate(index) * result.chars
            self._share[place] = max(0.0, share)
        return self._share[place]

    def _save(self, index: int, place: Place, tokens: float) -> None:
        more = tokens - self._saved.get(place, 0.0)
        self.total -= more
        self._saved[place] = tokens
        self._saved_of[index] = self._saved_of.get(index, 0.0) + more

    def _repeatable(self, index: int, result: ToolResult) -> bool:
        unit = self.history.units[index]
        plain = not (result.error or result.cleared or unit.images)
        return plain and result.chars >= _SAME_CHARS

    def _orphan(self, result: ToolResult) -> None:
        """A copy is gone: if others refer to it, the oldest of them is whole again."""
        copies = self._groups.get(result.sha)
        place = result.item, result.block
        if not copies or place not in copies:
            return
        was_first = next(iter(copies)) == place
        del copies[place]
        if not was_first or not copies:
            return
        heir, (of, _) = next(iter(copies.items()))
        if is_same(self.replaced.get(heir, "")):
            del self.replaced[heir]
            self._save(of, heir, 0.0)
        # At the end and not now: who drops a thousand copies does not write a million references.
        self._retell.add(result.sha)

    def _tell_again(self) -> None:
        """Let references to what is gone name the oldest copy that is left."""
        for sha in self._retell:
            copies = self._groups[sha]
            for place, (_, copy) in copies.items():
                if is_same(self.replaced.get(place, "")):
                    self.replaced[place] = same(copy, _oldest(copies)[1])
        self._retell.clear()

    def _load_cut(self, edit: CutText, texts: Texts) -> None:
        index = bisect_right(self.history.units, edit.item, key=lambda unit: unit.start) - 1
        if index in self.dropped:
            return
        for block, text in texts.parts(edit.item):
            if block == edit.block:
                self.cut(index, len(text) * self.rate(index), edit)


def cost(text: str) -> float:
    """Tokens of words that we write; of a summary too."""
    return len(text.encode()) / _OUR_RATE


def _oldest(copies: _Copies) -> tuple[int, ToolResult]:
    return next(iter(copies.values()))
