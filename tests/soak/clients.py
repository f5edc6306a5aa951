"""Clients of a soak: each asks one model after another, plain or streaming, and may leave early."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

#: Seconds after which a request that has no end counts as stuck.
DEADLINE = 30.0

#: What a request may end with besides a status.
BROKEN, LEFT, STUCK = -1, -2, -3


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended. ``status`` is BROKEN for a connection that ended early.

    ``whole`` says that the answer was complete and the one that was asked for.
    """

    model: str
    begin: float
    end: float
    status: int
    whole: bool = False
    said: str = ""


class Wrong(Exception):
    """An answer that belongs to somebody else, or is no HTTP."""


class Client:
    """One connection, kept while it can be."""

    def __init__(self, port: int, rng: Random) -> None:
        self._port = port
        self._rng = rng
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, model: str, number: int) -> Outcome:
        """One request; whatever happens is in the outcome."""
        stream = self._rng.random() < 0.4
        leaves = self._rng.random() < 0.08
        pause = self._rng.choice([0, 0, 0.002, 0.01])
        wish = {"model": model, "id": number, "pieces": 3, "pause": pause, "stream": stream}
        if leaves:
            wish["pause"] = 0.05
        begin = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE):
                if leaves:
                    patience = self._rng.choice([0.0, 0.02, 0.08])
                    return await self._leave(model, wish, patience)
                status, whole, said = await self._talk(wish, stream=stream)
        except TimeoutError:
            self.close()
            return Outcome(model, begin, time.monotonic(), STUCK)
        except (OSError, EOFError) as why:
            self.close()
            return Outcome(model, begin, time.monotonic(), BROKEN, said=str(why))
        return Outcome(model, begin, time.monotonic(), status, whole, said)

    async def _leave(self, model: str, wish: dict[str, object], patience: float) -> Outcome:
        begin = time.monotonic()
        with suppress(TimeoutError, OSError, EOFError):
            async with asyncio.timeout(patience):
                await self._talk(wish, stream=bool(wish["stream"]))
        self.close()
        return Outcome(model, begin, time.monotonic(), LEFT)

    async def _talk(self, wish: dict[str, object], *, stream: bool) -> tuple[int, bool, str]:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader
        body = json.dumps(wish).encode()
        self._writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json"
            b"\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(head.split(" ", 2)[1])
        if "chunked" in head:
            data = b"".join([chunk async for chunk in self._chunks(self._reader)])
        else:
            size = next(line[15:] for line in head.split("\r\n") if line[:15] == "content-length:")
            data = await self._reader.readexactly(int(size))
        if "connection: close" in head:
            self.close()
        if status != 200:
            return status, False, data.decode()
        return status, _whole(data.decode(), wish, stream=stream), data.decode()[-200:]

    @staticmethod
    async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)

    def close(self) -> None:
        """Drop the connection."""
        if self._writer:
            self._writer.close()
        self._reader = self._writer = None


def _whole(text: str, wish: dict[str, object], *, stream: bool) -> bool:
    """Whether ``text`` is all that was asked for. Raises Wrong if it is somebody else's."""
    if not stream:
        answer = json.loads(text)
        if answer["id"] != wish["id"]:
            raise Wrong(text)
        return bool(answer["pieces"] == wish["pieces"])
    events = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    done = events[-1:] == ["[DONE]"]
    pieces = [json.loads(event) for event in events if event.startswith("{")]
    if any(piece.get("id", wish["id"]) != wish["id"] for piece in pieces):
        raise Wrong(text)
    # An event of ours says why a stream ends early; it has no id.
    return done and [piece.get("piece") for piece in pieces] == list(range(3))
