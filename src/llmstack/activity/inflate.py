"""Decodes compressed answers piece by piece, holding one bounded piece at a time."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Largest decoded piece in bytes.
PIECE = 64 * 1024
_GZIP, _ZLIB, _RAW = 31, 15, -15


class Inflate:
    """Decodes ``gzip`` or ``deflate`` (with a zlib head or, as some servers send it, without).

    ``problem`` says what is wrong once something is; the rest is then ignored.
    """

    __slots__ = ("_decoder", "_encoding", "_head", "problem")

    def __init__(self, encoding: str) -> None:
        self.problem = ""
        self._encoding = encoding
        self._head = b""
        self._decoder = zlib.decompressobj(_GZIP) if encoding == "gzip" else None

    @classmethod
    def of(cls, encoding: str | None) -> Inflate | None:
        """For a Content-Encoding; None for those that are passed on as they are."""
        name = (encoding or "").strip().lower().removeprefix("x-")
        return cls(name) if name in ("gzip", "deflate") else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of ``data``."""
        if self._decoder is None:
            self._head += data
            if len(self._head) < 2:
                return
            data, self._head = self._head, b""
            self._decoder = zlib.decompressobj(_ZLIB if _has_zlib_head(data) else _RAW)
        while not self.problem:
            try:
                piece = self._decoder.decompress(data, PIECE)
            except zlib.error as error:
                self.problem = f"cannot decode the {self._encoding} answer: {error}"
                return
            if piece:
                yield piece
            data = self._decoder.unconsumed_tail
            if self._decoder.eof:
                data = self._decoder.unused_data
                if not data or self._encoding != "gzip":
                    return
                self._decoder = zlib.decompressobj(_GZIP)  # gzip files may follow one another
            elif not data and len(piece) < PIECE:
                return

    def finish(self) -> str:
        """What is wrong with the whole, if anything."""
        if not self.problem and not (self._decoder and self._decoder.eof):
            return f"cannot decode the {self._encoding} answer: it ends early"
        return self.problem


def _has_zlib_head(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
