"""An answer that is there in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.backends.protocol import Headers
    from llmstack.dialects.translation.reply import Usage

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class WholeAnswer:
    """``body`` with ``status`` and ``headers``, whose length is mended."""

    problem = ""

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        self.status = status
        self.headers: Headers = [pair for pair in headers if pair[0] not in _FRAMING]
        self.headers.append((b"content-length", b"%d" % len(body)))
        self.usage: Usage | None = None
        self.exhausted = not body
        self._body = body

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case ``name``), or None."""
        return next((value for key, value in self.headers if key == name), None)

    async def read(self) -> bytes:
        """All of the body, then nothing."""
        body, self._body = self._body, b""
        self.exhausted = True
        return body

    def close(self) -> None:
        """Nothing is held."""
