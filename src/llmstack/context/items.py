"""Edits of a body's list of items, made on its raw pieces."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from llmstack.context.edits import CutText, Drop, Note, ReplaceResult
from llmstack.context.notes import put_notes
from llmstack.context.raw import is_text, member, read_text, written
from llmstack.dialects.layout import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstack.context.edits import Edit
    from llmstack.context.history import Api, History
    from llmstack.dialects.layout import Item, Layout


def edit_items(history: History, layout: Layout, edits: Sequence[Edit]) -> bool:
    """Make ``edits`` in the list that ``history`` was read from; whether it changed.

    Raises:
        ValueError: an edit names what is not there or would split a unit.
    """
    count = len(layout.items)
    bounds = {unit.start for unit in history.units} | {count}
    before = [item.value for item in layout.items]
    _edit_texts(history, layout, edits)
    dropped: set[int] = set()
    notes: list[Note] = []
    for edit in edits:
        if isinstance(edit, Drop):
            if not {edit.start, edit.end} <= bounds or edit.start > edit.end:
                raise ValueError(f"{edit} splits a unit")
            dropped.update(range(edit.start, edit.end))
        elif isinstance(edit, Note):
            if not 0 <= edit.before <= count:
                raise ValueError(f"{edit} is outside of the list")
            notes.append(edit)
    own = put_notes(history.api, layout.items, notes, dropped, bounds)
    items: list[Item] = []
    for index, item in enumerate(layout.items):
        items += own.get(index, ())
        if index not in dropped:
            items.append(item)
    items += own.get(count, ())
    changed = bool(dropped or own) or before != [item.value for item in layout.items]
    layout.items = items
    return changed


def shortened(text: str, edit: CutText) -> str:
    """The head and the tail of ``text`` around the marker, which stands on lines of its own.

    A text that has no more than that to give stays. A cut moves to the end of a line as long as
    half of what was asked for remains.
    """
    if len(text) <= edit.head + edit.tail + len(edit.marker):
        return text
    head, tail = text[: edit.head], text[len(text) - edit.tail :]
    line_end = head.rfind("\n") + 1
    if line_end > edit.head // 2:
        head = head[:line_end]
    line_start = tail.find("\n") + 1
    if 0 < line_start <= edit.tail // 2 and text[len(text) - edit.tail - 1] != "\n":
        tail = tail[line_start:]
    above = "" if not head or head.endswith("\n") else "\n"
    return f"{head}{above}{edit.marker}\n{tail}"


def _edit_texts(history: History, layout: Layout, edits: Sequence[Edit]) -> None:
    results = {(found.item, found.block) for unit in history.units for found in unit.results}
    opened: dict[int, _Content] = {}
    for edit in edits:
        if isinstance(edit, ReplaceResult):
            if (edit.item, edit.block) not in results:
                raise ValueError(f"there is no result at item {edit.item}, block {edit.block}")
        elif isinstance(edit, CutText):
            _check(history, edit)
        else:
            continue
        if edit.item not in opened:
            opened[edit.item] = _Content(history.api, layout.items[edit.item])
        opened[edit.item].edit(edit.block, _edit_of(edit))
    for content in opened.values():
        content.close()


def _check(history: History, edit: CutText) -> None:
    place = bisect_right(history.units, edit.item, key=lambda unit: unit.start) - 1
    unit = history.units[place] if history.units else None
    if unit is None or not unit.start <= edit.item < unit.end or unit.kind == "other":
        raise ValueError(f"item {edit.item} is nothing whose text may be cut")


def _edit_of(edit: ReplaceResult | CutText) -> Callable[[bytes], bytes]:
    if isinstance(edit, ReplaceResult):
        return lambda _: written(edit.text)
    return lambda raw: _shorten(raw, edit)


class _Content:
    """The content of one item, open while it is edited, since it may have thousands of blocks."""

    def __init__(self, api: Api, item: Item) -> None:
        names = ("output", "content") if api == "responses" else ("content",)
        self._item = item
        self._inner = None if is_text(item.value) else _layout(item.value)
        found = item
        if self._inner is not None:
            named = (member(self._inner, name) for name in names)
            content = next((one for one in named if one is not None), None)
            if content is None:
                raise ValueError("the item has no content")
            found = content
        self._content = found
        self._blocks: Layout | None = None

    def edit(self, block: int | None, edit: Callable[[bytes], bytes]) -> None:
        """Edit the content, or within it the text or content of one block."""
        if block is None:
            self._join()
            self._content.value = edit(self._content.value)
            return
        if self._blocks is None:
            self._blocks = _layout(self._content.value)
        blocks = self._blocks
        if blocks.is_object or not 0 <= block < len(blocks.items):
            raise ValueError(f"the item has no block {block}")
        content_block = blocks.items[block]
        if is_text(content_block.value):
            content_block.value = edit(content_block.value)
            return
        fields = _layout(content_block.value)
        text = member(fields, "text") or member(fields, "content")
        if text is None:
            raise ValueError(f"block {block} has no text")
        text.value = edit(text.value)
        content_block.value = fields.render()

    def close(self) -> None:
        """Put what was edited into the item."""
        self._join()
        if self._inner is not None:
            self._item.value = self._inner.render()

    def _join(self) -> None:
        if self._blocks is not None:
            self._content.value = self._blocks.render()
            self._blocks = None


def _shorten(raw: bytes, edit: CutText) -> bytes:
    """Shorten a text, or the longest one among parts."""
    if is_text(raw):
        text = read_text(raw)
        short = shortened(text, edit)
        return raw if short is text else written(short)
    if not raw.startswith(b"["):
        raise ValueError("there is no text to cut")
    parts = cut(raw)
    longest: tuple[Item, Layout | None, Item] | None = None
    for part in parts.items:
        fields = cut(part.value) if part.value.startswith(b"{") else None
        text_member = member(fields, "text") if fields is not None else part
        if text_member is None or not is_text(text_member.value):
            continue
        if longest is None or len(text_member.value) > len(longest[2].value):
            longest = (part, fields, text_member)
    if longest is None:
        raise ValueError("there is no text to cut")
    owner, fields, found = longest
    found.value = _shorten(found.value, edit)
    if fields is not None:
        owner.value = fields.render()
    return parts.render()


def _layout(raw: bytes) -> Layout:
    if not raw.startswith((b"{", b"[")):
        raise ValueError("neither an object nor an array")
    return cut(raw)
