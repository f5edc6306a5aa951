"""Where our visible notes go, so that turns alternate and results stay at the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.context.raw import after, before, is_text, member, written
from llmstack.dialects.layout import Item, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.context.edits import Note
    from llmstack.context.history import Api
    from llmstack.dialects.layout import Layout


def put_notes(
    api: Api,
    items: Sequence[Item],
    notes: Sequence[Note],
    dropped: set[int],
    bounds: set[int],
) -> dict[int, list[Item]]:
    """Merge ``notes`` into user's messages of ``items``; the others by the index they go before.

    Raises:
        ValueError: a note would stand between a call and its result.
    """
    texts: dict[int, list[str]] = {}
    answers: dict[int, list[Item]] = {}
    for note in notes:
        if note.answer:
            if note.before not in bounds:
                raise ValueError(f"a note before item {note.before} would split a unit")
            answer = b'{"role":"assistant","content":%b}' % written(note.text)
            answers.setdefault(note.before, []).append(Item(b"", None, answer, b""))
            continue
        place = note.before
        while place in dropped:
            place += 1
        texts.setdefault(place, []).append(note.text)
    own: dict[int, list[Item]] = {}
    for place, several in texts.items():
        text = "\n\n".join(several)
        previous = place - 1
        while previous in dropped:
            previous -= 1
        if place < len(items) and _merge(api, items[place], text, last=False):
            continue
        if previous >= 0 and _merge(api, items[previous], text, last=True):
            continue
        if place not in bounds:
            raise ValueError(f"a note before item {place} would split a unit")
        message = b'{"role":"user","content":%b}' % written(text)
        own[place] = [Item(b"", None, message, b"")]
    for place, messages in answers.items():
        own[place] = [*own.get(place, ()), *messages]
    return own


def _merge(api: Api, item: Item, text: str, *, last: bool) -> bool:
    """Put ``text`` into a user's message; whether it is one that can take it."""
    if api == "responses" and is_text(item.value):
        item.value = after(item.value, text) if last else before(item.value, text)
        return True
    if not item.value.startswith(b"{"):
        return False
    message = cut(item.value)
    role, content = member(message, "role"), member(message, "content")
    if role is None or role.value != b'"user"' or content is None:
        return False
    if is_text(content.value):
        content.value = after(content.value, text) if last else before(content.value, text)
    elif content.value.startswith(b"["):
        parts = cut(content.value)
        kind = b"input_text" if api == "responses" else b"text"
        part = b'{"type":"%b","text":%b}' % (kind, written(text))
        place = len(parts.items) if last else _front(api, parts)
        parts.items.insert(place, Item(b"", None, part, b""))
        content.value = parts.render()
    else:
        return False
    item.value = message.render()
    return True


def _front(api: Api, parts: Layout) -> int:
    """Where the first text of a message goes: results must stay first in theirs."""
    place = 0
    if api == "messages":
        for index, part in enumerate(parts.items):
            if part.value.startswith(b"{"):
                kind = member(cut(part.value), "type")
                if kind is not None and kind.value == b'"tool_result"':
                    place = index + 1
    return place
