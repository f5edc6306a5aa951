"""How much a model has written, for answers that do not say (a client left, an upstream is silent).

An estimate in whole tokens, four bytes each. It is only made for answers that cost something.
"""

from __future__ import annotations

import re
from typing import Final

#: Bytes of a token, about.
PER_TOKEN: Final = 4
_REST = rb'([^"\\]*(?:\\.[^"\\]*)*)("?)'
#: Every API's members that hold what a model writes: words, thoughts and arguments of calls.
_MEMBER = re.compile(
    rb'"(?:content|text|delta|reasoning_content|reasoning|thinking|refusal|arguments|partial_json)"'
    rb'\s*:\s*"' + _REST,
    re.DOTALL,
)
_CONTINUED = re.compile(_REST, re.DOTALL)


class TextLength:
    """Counts the bytes of what a model writes, in the body of any API, whole or streamed."""

    __slots__ = ("_open", "length")

    def __init__(self) -> None:
        self.length = 0
        self._open = False  # the last piece ended within a text

    @property
    def tokens(self) -> int:
        """About so many."""
        return -(-self.length // PER_TOKEN)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        at = 0
        if self._open and (rest := _CONTINUED.match(piece)):
            at = self._take(rest)
        for found in _MEMBER.finditer(piece, at):
            self._take(found)

    def _take(self, found: re.Match[bytes]) -> int:
        self.length += found.end(1) - found.start(1)
        self._open = not found[2]
        return found.end()
