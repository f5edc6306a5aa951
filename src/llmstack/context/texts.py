"""Long texts of a body, looked up when a rung wants to see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmstack.context.history import Api, ToolResult


class Texts(Protocol):
    """What the ladder may read of a body beside its sizes."""

    def result(self, result: ToolResult) -> str | None:
        """The text of a tool's result; None when it is more than one text."""

    def parts(self, item: int) -> Iterator[tuple[int | None, str]]:
        """Each text of a message with its block, None where the content is one text."""


class BodyTexts:
    """Texts of a body. Decodes it at the first look, which most requests never take."""

    def __init__(self, api: Api, body: bytes) -> None:
        self._list = "input" if api == "responses" else "messages"
        self._body = body
        self._items: Sequence[Any] | None = None

    def result(self, result: ToolResult) -> str | None:
        """The text of a tool's result; None when it is more than one text."""
        item = self._item(result.item)
        if result.block is not None:
            content = item.get("content")
            item = content[result.block] if isinstance(content, list) else {}
        return _only(item.get("output", item.get("content")))

    def parts(self, item: int) -> Iterator[tuple[int | None, str]]:
        """Each text of a message with its block."""
        found = self._at(item)
        content = found.get("content") if isinstance(found, dict) else found
        if isinstance(content, str):
            yield None, content
        elif isinstance(content, list):
            for block, part in enumerate(content):
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    yield block, part["text"]

    def _item(self, index: int) -> dict[str, Any]:
        item = self._at(index)
        return item if isinstance(item, dict) else {}

    def _at(self, index: int) -> Any:
        if self._items is None:
            self._items = _items(self._body, self._list)
        return self._items[index] if index < len(self._items) else None


def _items(body: bytes, name: str) -> Sequence[Any]:
    try:
        found = msgspec.json.decode(body)[name]
    except (msgspec.DecodeError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    return found if isinstance(found, list) else ()


def _only(content: Any) -> str | None:
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0].get("text")
    return content if isinstance(content, str) else None
