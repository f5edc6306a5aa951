"""A connection without a socket: a test hands it bytes in exactly the pieces it wants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmstack.http1.connection import Connection

if TYPE_CHECKING:
    from llmstack.http1 import Response


class Wire(asyncio.Transport):
    """What a connection did with its transport."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self._reading = True
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.aborted
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def reads(self) -> bool:
        """Whether reading is not paused."""
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.abort()


def wired() -> tuple[Connection, Wire]:
    """A connection that has just been made."""
    connection = Connection(lambda _: None)
    wire = Wire()
    connection.connection_made(wire)
    return connection, wire


async def answered(
    connection: Connection, *pieces: bytes, end: bool = False, bodiless: bool = False
) -> Response:
    """Send a request and hand over its answer, with the end of the connection if asked to."""
    asked = asyncio.ensure_future(
        connection.request(b"GET / HTTP/1.1\r\n\r\n", b"", bodiless=bodiless)
    )
    await asyncio.sleep(0)
    for piece in pieces:
        if not connection.closed:
            connection.data_received(piece)
    if end and not connection.closed:
        connection.eof_received()
    if connection.closed:
        connection.connection_lost(None)
    async with asyncio.timeout(1):
        return await asked
