"""Our server with an application that a test writes, and a client whose every byte it controls."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.http1 import ServerConnection, Service
from tests.http1.raw_server import PATIENCE, until

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from llmstack.http1.exchange import App, Message, Scope

HOST = b"Host: here\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def post(body: bytes, *lines: bytes, path: bytes = b"/") -> bytes:
    """A request with a length; ``lines`` are more headers."""
    more = b"".join(line + b"\r\n" for line in lines)
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + more
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@dataclass
class Echo:
    """An application that notes what it is asked and answers with the body, or ``answer``."""

    answer: bytes | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    status: int = 200
    scopes: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body = await read(receive)
        self.bodies.append(body)
        out = body if self.answer is None else self.answer
        headers = [*self.headers, (b"content-length", b"%d" % len(out))]
        await start(send, self.status, headers)
        await send({"type": "http.response.body", "body": out})


async def read(receive: Any) -> bytes:
    """A whole body."""
    pieces = []
    while True:
        message: Message = await receive()
        assert message["type"] == "http.request", "the client left"
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


async def start(send: Any, status: int = 200, headers: Any = ()) -> None:
    """The head of an answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def body(send: Any, data: bytes, *, more: bool = False) -> None:
    """A piece of an answer."""
    await send({"type": "http.response.body", "body": data, "more_body": more})


@dataclass(frozen=True)
class Answer:
    """An answer as it was sent."""

    line: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def status(self) -> int:
        """The status."""
        return int(self.line.split()[1])

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


@dataclass
class Client:
    """One connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        """Send bytes."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The next answer."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            line, *lines = head.split(b"\r\n")[:-2]
            headers = tuple((k, v) for k, _, v in (one.partition(b": ") for one in lines))
            answer = Answer(line, headers, b"")
            if bodiless or answer.status in {100, 204, 304}:
                return answer
            if sizes := answer.all(b"content-length"):
                data = await self.reader.readexactly(int(sizes[0]))
            elif answer.all(b"transfer-encoding"):
                data = await self.chunks()
            else:
                data = await self.reader.read()
            return Answer(line, headers, data)

    async def chunks(self) -> bytes:
        """A chunked body to its end."""
        data = bytearray()
        while True:
            size = int(await self.reader.readline(), 16)
            piece = await self.reader.readexactly(size + 2)
            assert piece.endswith(b"\r\n")
            data += piece[:-2]
            if not size:
                return bytes(data)

    async def ended(self) -> bytes:
        """What still comes until the server closes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()


@dataclass
class Served:
    """A server in this loop."""

    service: Service
    port: int

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()

    async def say(self, *pieces: bytes) -> bytes:
        """Everything that comes back for these bytes until the server closes."""
        async with self.client() as client:
            await client.send(*pieces)
            return await client.ended()


@asynccontextmanager
async def serving(
    app: App,
    *,
    keep_alive: float = 60.0,
    websocket: Callable[[asyncio.Transport, bytes], None] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Served]:
    """Run ``app``. Afterwards no connection and no task may be left."""
    service = Service(app, keep_alive, websocket)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerConnection(service), "127.0.0.1", 0, ssl=tls)
    try:
        yield Served(service, server.sockets[0].getsockname()[1])
        for connection in tuple(service.connections):
            connection.shutdown()
        await until(lambda: not service.connections)
        await until(lambda: not service.tasks)
    finally:
        server.close()
        for task in tuple(service.tasks):
            task.cancel()
