"""An upstream whose every byte a test controls: the faults that a well-made server never shows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.server.wire import within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OK = b"HTTP/1.1 200 OK\r\n"
JSON_HEAD = OK + b"Content-Type: application/json\r\n"
SSE_HEAD = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class RawRequest:
    """A request as it arrived. ``headers`` are pairs of bytes, names as they were sent."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    connection: int

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]


class Peer:
    """The upstream's end of one connection. ``number`` counts from 1 within one play."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number

    @property
    def closed(self) -> bool:
        """Whether this end has been closed."""
        return self.writer.is_closing()

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while the gateway does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked body; an empty one ends it."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def reply(self, body: bytes = b"{}", head: bytes = JSON_HEAD) -> None:
        """Send a whole answer."""
        await self.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def close(self) -> None:
        """Send what is written, then close."""
        self.writer.close()

    def abort(self) -> None:
        """Close at once, with a reset where the system allows it."""
        linger = b"\1\0\0\0\0\0\0\0"
        with suppress(OSError):
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the gateway closes its end."""
        with suppress(ConnectionError):
            await within(self.reader.read())

    async def receive(self) -> RawRequest | None:
        """The next request, None when the gateway closes."""
        try:
            raw = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = raw.split(b"\r\n")[:-2]
            method, target, _ = first.decode("latin-1").split(" ")
            headers = [(name, value) for name, _, value in (li.partition(b": ") for li in lines)]
            sizes = [int(value) for name, value in headers if name.lower() == b"content-length"]
            body = await self.reader.readexactly(sizes[0]) if sizes else b""
        except (EOFError, ConnectionError):
            return None
        return RawRequest(method, target, headers, body, self.number)


Handler = Callable[[Peer, RawRequest], Awaitable[None]]


class RawUpstream:
    """Listens where a stand-in model is said to listen.

    The port is bound when it is made, but refuses connections until ``listen``: the engine wants
    a free port when it starts a model. What ``play`` is given answers every request.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[RawRequest] = []
        self.peers: list[Peer] = []
        self._handler: Handler | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []

    async def listen(self) -> None:
        """Accept connections from now on."""
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def close(self) -> None:
        """Stop listening."""
        self._server.close()
        await self._end()

    @asynccontextmanager
    async def play(self, handler: Handler) -> AsyncIterator[RawUpstream]:
        """Answer with ``handler`` inside the block; its assertions fail the test."""
        await self._end()
        self.requests.clear()
        self.peers.clear()
        self._failures.clear()
        self._handler = handler
        try:
            yield self
        finally:
            await self._end()
            self._handler = None
        for failure in self._failures:
            raise failure

    @property
    def connections(self) -> int:
        """Connections made in this play."""
        return len(self.peers)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self.peers:
            # A gateway that kept the connection must have seen it close before the next play.
            if not peer.closed:
                with suppress(OSError):
                    peer.writer.write_eof()
                await peer.gone()
            peer.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, len(self.peers) + 1)
        self.peers.append(peer)
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            while not peer.closed and (request := await peer.receive()):
                self.requests.append(request)
                assert self._handler, "nobody plays"
                await self._handler(peer, request)
        except (ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as failure:  # noqa: BLE001  the test is to fail with it
            self._failures.append(failure)
            peer.abort()
        finally:
            self._tasks.discard(task)
