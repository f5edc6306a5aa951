"""Takes the chunk with the number of tokens out of a chat stream whose client did not ask for it.

Every other byte passes as it came. No more than the line that is arriving is held back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llmstack.dialects.ollama_piece import error_text
from llmstack.dialects.translation.chat_told import usage_of

if TYPE_CHECKING:
    from llmstack.dialects.translation.reply import Usage

#: Longer lines are no chunk of tokens: they pass as they come.
_LONGEST = 64 * 1024

_decoder = msgspec.json.Decoder()


class UsageFilter:
    """Feed it the pieces of a stream; ``usage`` is what the last chunk about tokens told.

    ``problem`` is the error that the stream tells. With ``keep`` nothing is taken out and nothing
    held back from the client.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.usage: Usage | None = None
        self.problem = ""
        self._keep = keep
        self._line = b""
        self._long = False  # within a line that is too long to be looked at
        self._dropped = False  # the line before was taken out, and so is the blank one behind it

    def feed(self, data: bytes) -> bytes:
        """What of ``data``, and of what was held, is the client's now."""
        *lines, rest = (self._line + data).split(b"\n")
        out = []
        for line in lines:
            out.append(self._judged(line + b"\n"))
            self._long = False
        if self._long or len(rest) > _LONGEST:
            self._long = True
            out.append(rest)
            rest = b""
        self._line = rest
        return data if self._keep else b"".join(out)

    def end(self) -> bytes:
        """What is still held when the stream ends."""
        line, self._line = self._line, b""
        told = self._judged(line) if line else b""
        return b"" if self._keep else told

    def _judged(self, line: bytes) -> bytes:
        if self._dropped:
            self._dropped = False
            if not line.strip():
                return b""
        counts, fails = b'"usage"' in line, b'"error"' in line
        if self._long or not line.startswith(b"data:") or not (counts or fails):
            return line
        try:
            told = _decoder.decode(line[5:])
        except (msgspec.DecodeError, ValueError, RecursionError):
            return line
        if not isinstance(told, dict):
            return line
        if error := told.get("error"):
            self.problem = self.problem or error_text(error) or "the upstream failed"
        usage = usage_of(told)
        self.usage = usage or self.usage
        if usage is None or error or told.get("choices") != []:
            return line
        self._dropped = True
        return b""
