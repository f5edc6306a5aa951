"""Finds a few members of a JSON document that arrives in pieces, without keeping the document.

For answers too large to hold: a megabyte of generated text in one event, or embeddings, whose
``usage`` llama-server writes before them. Strings and brackets are all that is looked at, so a
document that is no valid JSON elsewhere still gives what can be found.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]"]', re.DOTALL)
_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_QUOTE, _OBJECT, _ARRAY, _CLOSERS = ord('"'), ord("{"), ord("["), b"}]"
#: Longest key that matters, quotes included.
_KEY = 32
#: Largest value kept, in bytes. A usage object has some hundred.
_VALUE = 16 * 1024
#: A value is wanted when it is an object at one of these places.
_WANTED = {
    (b"usage",): "usage",
    (b"timings",): "timings",
    (b"metrics",): "metrics",
    (b"response", b"usage"): "response.usage",
    (b"message", b"usage"): "message.usage",
}


class MemberScanner:
    """Keeps the last ``usage``, ``timings`` and ``metrics`` of the document it is fed.

    ``found`` maps ``usage``, ``timings``, ``metrics``, ``response.usage`` and ``message.usage`` to
    the raw JSON of each. In an array the last element's ``timings`` count if ``arrays`` says so,
    else nothing does.
    """

    __slots__ = (
        "_arrays",
        "_depth",
        "_in_string",
        "_kinds",
        "_name",
        "_names",
        "_place",
        "_tail",
        "_value",
        "found",
    )

    def __init__(self, *, arrays: bool = False) -> None:
        self._arrays = arrays
        self.found: dict[str, bytes] = {}
        self._tail = b""
        self._in_string = False
        self._depth = 0
        self._name = b""
        # Kind and name of the containers that are open, by depth; deeper ones do not matter.
        self._kinds = [0, 0, 0, 0]
        self._names = [b"", b"", b"", b""]
        self._place = ("", 0)
        self._value: bytearray | None = None

    @property
    def held(self) -> int:
        """Bytes held between pieces."""
        return len(self._tail) + len(self._value or b"")

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        data = self._tail + piece if self._tail else piece
        self._tail = b""
        at = 0
        if self._in_string:
            at = self._string_end(data, 0)
            if self._in_string:
                self._keep(data, 0, len(data) - len(self._tail))
                return
        kept = 0
        for token in _TOKEN.finditer(data, at):
            start, end = token.span()
            first = data[start]
            if first == _QUOTE:
                if end - start > 1:
                    self._name = data[start + 1 : end - 1] if end - start <= _KEY else b""
                    continue
                # A quote without its partner: a short text is looked at again with the next piece.
                if len(data) - start <= _KEY:
                    self._tail = data[start:]
                else:
                    self._name = b""
                    self._in_string = True
                    self._string_end(data, start + 1)
                break
            if first in _CLOSERS:
                if self._value is not None and self._depth == self._place[1]:
                    self._keep(data, kept, end)
                    self.found[self._place[0]] = bytes(self._value)
                    self._value = None
                self._depth -= 1
            else:
                self._open(first)
                if self._value is not None and self._depth == self._place[1]:
                    kept = start
        self._keep(data, kept, len(data) - len(self._tail))

    def _string_end(self, data: bytes, at: int) -> int:
        """Go on inside a string from ``at``; where it ended, if it did."""
        rest = _REST.match(data, at)
        assert rest
        end = rest.end()
        if end < len(data) and data[end] == _QUOTE:
            self._in_string = False
            return end + 1
        self._tail = data[end:]  # nothing, or a backslash whose partner is still to come
        return end

    def _open(self, kind: int) -> None:
        depth = self._depth = self._depth + 1
        if not 0 < depth <= 3:
            return
        inside = self._kinds[depth - 1]
        self._names[depth] = self._name if inside == _OBJECT else b""
        self._kinds[depth] = kind
        if inside == _ARRAY and depth == 2:
            self.found.pop("timings", None)
        if kind == _OBJECT and inside == _OBJECT and self._value is None:
            if self._kinds[1] == _OBJECT:
                place = _WANTED.get(tuple(self._names[2 : depth + 1]))
            else:
                last = self._arrays and depth == 3 and self._names[3] == b"timings"
                place = "timings" if last else None
            if place:
                self._place = (place, depth)
                self._value = bytearray()

    def _keep(self, data: bytes, start: int, end: int) -> None:
        if self._value is None:
            return
        self._value += data[start:end]
        if len(self._value) > _VALUE:
            self._value = None
