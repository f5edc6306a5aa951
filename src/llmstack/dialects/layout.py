"""JSON objects and arrays cut into pieces that give the same bytes when joined.

One level is cut at a time, so that an edit of one member leaves all others as they were written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_OBJECT, _ARRAY, _COMMA = b"{[,"
_CLOSERS = b"}]"

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_elements = msgspec.json.Decoder(list[msgspec.Raw])
_decoder = json.JSONDecoder()


@dataclass(slots=True)
class Item:
    """A member or an element; ``key`` is None for the latter."""

    before: bytes  # white space, key and colon
    key: str | None
    value: bytes
    after: bytes  # white space


@dataclass(slots=True)
class Layout:
    """One object or array. Items may be changed, added and taken out."""

    opening: bytes
    items: list[Item]
    closing: bytes
    is_object: bool

    def render(self) -> bytes:
        """The bytes again."""
        pieces = [self.opening]
        for item in self.items:
            pieces += (item.before, item.value, item.after, b",")
        if self.items:
            pieces.pop()
        return b"".join((*pieces, self.closing))


class _Unlike(Exception):
    """The text does not hold what the decoder saw in its place: a key occurs twice."""


def cut(value: bytes) -> Layout:
    """The pieces of an object or array, in time linear in its size.

    Raises:
        ValueError: ``value`` is neither, or no JSON.
        RecursionError: it is nested too deeply.
    """
    start = _skip(value, 0)
    kind = value[start] if start < len(value) else 0
    try:
        if kind == _OBJECT:
            members = _members.decode(value)
            return _cut(value, lambda at, key: _matched(value, at, members[key or ""]))
        if kind == _ARRAY:
            elements = iter(_elements.decode(value))
            return _cut(value, lambda at, _: _matched(value, at, next(elements)))
    except (msgspec.DecodeError, KeyError, _Unlike):
        return _cut(value, _parsed(value))
    raise ValueError("neither an object nor an array")


def _matched(text: bytes, at: int, raw: msgspec.Raw) -> int:
    """Where the value at ``at`` ends, which the decoder saw as ``raw``."""
    seen = bytes(raw)
    end = at + len(seen)
    if not text.startswith(seen, at):
        raise _Unlike
    return end


def _parsed(text: bytes) -> Callable[[int, str | None], int]:
    """Finds ends by parsing each value: slower, but for names that occur twice and the like."""
    letters = text.decode("latin-1")  # one letter a byte, so that places are the same
    json.loads(letters)
    return lambda at, _: _decoder.raw_decode(letters, at)[1]


def _cut(text: bytes, value_end: Callable[[int, str | None], int]) -> Layout:
    at = _skip(text, 0)
    is_object = text[at] == _OBJECT
    at += 1
    opening = text[:at]
    items: list[Item] = []
    if text[_skip(text, at)] in _CLOSERS:
        return Layout(opening, items, text[at:], is_object)
    while True:
        before, key = at, None
        at = _skip(text, at)
        if is_object:
            found = _STRING.match(text, at)
            if not found:
                raise ValueError("a key is missing")
            key = _name(found[0])
            at = _skip(text, _skip(text, found.end()) + 1)
        end = value_end(at, key)
        after = _skip(text, end)
        items.append(Item(text[before:at], key, text[at:end], text[end:after]))
        if text[after] in _CLOSERS:
            return Layout(opening, items, text[after:], is_object)
        if text[after] != _COMMA:
            raise _Unlike
        at = after + 1


def _name(written: bytes) -> str:
    if b"\\" not in written:
        return written[1:-1].decode("utf-8", "surrogateescape")
    return str(json.loads(written.decode("utf-8", "surrogateescape")))


def _skip(text: bytes, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
