"""A connection that sends what one step of the event loop writes as one piece.

uvicorn writes the head of an answer and its body separately. For the short answers that most
requests get, that is two system calls (and two packets) where one does; on the machine that
``docs/performance.md`` was measured on, the second cost a seventh of the gateway's time.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CorkedTransport:
    """An asyncio transport whose writes leave at the end of the loop's present step.

    Everything else is the transport's own. Pending bytes leave before a close, never after.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._call_soon = asyncio.get_running_loop().call_soon
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Add ``data`` to what leaves next."""
        if not self._pending:
            self._call_soon(self.flush)
        self._pending.append(data)

    def flush(self) -> None:
        """Send what is pending now."""
        pending, self._pending = self._pending, []
        if not pending or self._transport.is_closing():
            return
        self._transport.write(pending[0] if len(pending) == 1 else b"".join(pending))

    def close(self) -> None:
        """Send what is pending, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a corked transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, with every write corked from here on."""
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport)))
