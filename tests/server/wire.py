"""A client that sends bytes as they are written and shows an answer as it was sent."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Seconds after which a test gives up waiting. Generous: the machine may be busy.
PATIENCE = 30.0

Pairs = list[tuple[str, str]]


@dataclass
class Answer:
    """An answer. ``complete`` is False when the connection ended before the body did."""

    status: int
    headers: Pairs
    body: bytes = b""
    complete: bool = False
    pieces: list[bytes] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str:
        """The one value of a header; an error when there are none or several."""
        (value,) = self.all(name)
        return value

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Wire:
    """One raw connection. Use as an async context manager; leaving it closes the connection."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()

    def abort(self) -> None:
        """Hang up at once."""
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await within(self.writer.drain())

    async def request(
        self, method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Send a request with a Host, and with a Content-Length when there is a body."""
        await self.send(request_bytes(method, target, headers, body))

    async def head(self) -> Answer:
        """Read the head of an answer."""
        raw = await within(self.reader.readuntil(b"\r\n\r\n"))
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        pairs = [tuple(line.split(": ", 1)) for line in lines]
        return Answer(int(first.split(" ", 2)[1]), pairs)  # type: ignore[arg-type]

    async def piece(self, answer: Answer) -> bytes:
        """The next chunk of a chunked body as the server sent it; empty at its end.

        Raises:
            EOFError: the connection ended before the body did.
        """
        size = int(await within(self.reader.readuntil(b"\r\n")), 16)
        data = (await within(self.reader.readexactly(size + 2)))[:-2]
        answer.pieces.append(data)
        answer.body += data
        answer.complete = not data
        return data

    async def finish(self, answer: Answer, *, method: str = "GET") -> Answer:
        """Read the rest of the body."""
        length = answer.all("content-length")
        try:
            if method == "HEAD" or answer.status in (204, 304):
                answer.complete = True
            elif answer.all("transfer-encoding"):
                while await self.piece(answer):
                    pass
            elif length:
                while len(answer.body) < int(length[0]):
                    data = await within(self.reader.read(1 << 20))
                    if not data:
                        return answer
                    answer.body += data
                answer.complete = True
            else:
                answer.body += await within(self.reader.read())
                answer.complete = True
        except (EOFError, ConnectionError):
            answer.complete = False
        return answer

    async def answer(self, *, method: str = "GET") -> Answer:
        """Read a whole answer."""
        return await self.finish(await self.head(), method=method)

    async def ended(self) -> bytes:
        """Wait for the server to close; what it sent until then."""
        try:
            return await within(self.reader.read())
        except ConnectionError:
            return b""


def request_bytes(
    method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway.localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def ask(
    port: int,
    method: str,
    target: str,
    body: Any = b"",
    headers: Iterable[tuple[str, str]] = (),
) -> Answer:
    """One request on a connection of its own. A ``body`` that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = list(headers)
    if data is not body:
        pairs.append(("Content-Type", "application/json"))
    async with Wire(port) as wire:
        await wire.request(method, target, pairs, data)
        return await wire.answer(method=method)


def chat(model: str | None, text: str = "hi", **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    named = {} if model is None else {"model": model}
    return {**named, "messages": [{"role": "user", "content": text}], **more}


async def within(awaitable: Any, seconds: float = PATIENCE) -> Any:
    """Await for at most ``seconds``."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def eventually(
    holds: Callable[[], object], what: str = "", seconds: float = PATIENCE
) -> None:
    """Poll until ``holds`` returns something true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what or f"{holds} did not come true"
        await asyncio.sleep(0.01)
