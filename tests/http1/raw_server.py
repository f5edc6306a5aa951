"""A server whose every byte a test controls."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from llmstack.http1 import Pool, Response

#: Seconds after which a test that waits has failed.
PATIENCE = 10.0

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def sized(body: bytes, *lines: bytes, first: bytes = OK) -> bytes:
    """A whole answer with a Content-Length; ``lines`` are more headers."""
    head = first + b"".join(line + b"\r\n" for line in lines)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; an empty one ends it."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def until(true: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  what is awaited has no event
            await asyncio.sleep(0.002)


@dataclass(frozen=True)
class Request:
    """A request as it arrived: raw first line and header lines, body."""

    line: bytes
    lines: tuple[bytes, ...]
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a header, in order."""
        pairs = (line.partition(b": ") for line in self.lines)
        return [value for key, _, value in pairs if key.lower() == name]


class Peer:
    """The server's end of one connection. ``number`` counts from 1."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number
        self.requests: list[Request] = []
        self.ended = False  # its play is over, because the client left or of its own

    async def receive(self) -> Request:
        """The next request; raises EOFError or ConnectionError when the client has left."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")[:-2]
        request = Request(line, tuple(lines), b"")
        if sizes := request.all(b"content-length"):
            body = await self.reader.readexactly(int(sizes[0]))
            request = Request(line, tuple(lines), body)
        self.requests.append(request)
        return request

    async def incoming(self) -> AsyncIterator[Request]:
        """Requests until the client leaves."""
        with suppress(EOFError, ConnectionError):
            while True:
                yield await self.receive()

    async def send(self, *pieces: bytes) -> None:
        """Send bytes; waits while the client does not read."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    def close(self) -> None:
        """Send what is written, then close."""
        self.writer.close()

    def shut(self) -> None:
        """Close both directions within this very call, before the client's loop can notice."""
        fd = self.writer.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(fd)) as double:
            double.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Close with a reset instead of an orderly end."""
        fd = self.writer.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(fd)) as double:
            double.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has closed its end."""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass


class RawServer:
    """Where it listens, and the connections that were made to it."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.peers: list[Peer] = []

    @property
    def requests(self) -> list[Request]:
        """Every request, by connection."""
        return [request for peer in self.peers for request in peer.requests]


@asynccontextmanager
async def serving(
    play: Callable[[Peer], Awaitable[None]],
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RawServer]:
    """A server that plays ``play`` on every connection and closes the connection afterwards.

    What ``play`` asserts fails the test. The client leaving ends it without a failure.
    """
    tasks: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, len(server.peers) + 1)
        server.peers.append(peer)
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await play(peer)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as failure:  # noqa: BLE001  the test is to fail with it
            failures.append(failure)
        finally:
            peer.ended = True
            writer.close()
            tasks.discard(task)

    listener = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    where = f"[{host}]" if ":" in host else host
    server = RawServer(f"{'https' if tls else 'http'}://{where}:{port}")
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for peer in server.peers:
            peer.writer.transport.abort()
    for failure in failures:
        raise failure


def always(*answers: bytes) -> Callable[[Peer], Awaitable[None]]:
    """A play that gives every request the next of these answers, over and over, and stays."""

    async def play(peer: Peer) -> None:
        async for _ in peer.incoming():
            await peer.send(answers[(len(peer.requests) - 1) % len(answers)])

    return play


def once(*pieces: bytes) -> Callable[[Peer], Awaitable[None]]:
    """A play that answers one request with these bytes and closes."""

    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(*pieces)

    return play


@dataclass(frozen=True)
class Answer:
    """A whole answer as the client saw it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def whole(response: Response) -> bytes:
    """The rest of a body."""
    pieces = []
    async with asyncio.timeout(PATIENCE):
        while piece := await response.read():
            pieces.append(piece)
    return b"".join(pieces)


async def ask(
    pool: Pool,
    base: str,
    method: str = "GET",
    body: bytes = b"",
    target: bytes = b"/",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Answer:
    """One exchange to its end."""
    async with asyncio.timeout(PATIENCE):
        response = await pool.request(method, base, target, headers, body)
    try:
        return Answer(response.status, response.headers, await whole(response))
    finally:
        response.close()


def cut(data: bytes, places: Iterator[int] | list[int]) -> list[bytes]:
    """``data`` in pieces, cut at ``places``."""
    edges = [0, *sorted(place for place in places if 0 < place < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]
