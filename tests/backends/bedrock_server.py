"""A local ``bedrock-runtime`` that speaks the wire protocol: JSON, and event streams in frames."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from binascii import crc32
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.http1.raw_server import CHUNKED, Peer, Request, chunk, serving, sized

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

_PATH = re.compile(rb"POST /model/([^/]+)/(converse|converse-stream|count-tokens) HTTP/1.1")
_SIGNED = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/bedrock/aws4_request, "
    rb"SignedHeaders=[^ ]*host[^ ]*x-amz-date[^ ]*, Signature=[0-9a-f]{64}"
)
USAGE = {"inputTokens": 11, "outputTokens": 5, "totalTokens": 16}


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """A message of ``application/vnd.amazon.eventstream``; numbers are big endian.

    Its length, that of its headers, a CRC of the two, headers, payload, a CRC of all before.
    """
    packed = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    whole = prelude + struct.pack(">I", crc32(prelude)) + packed + payload
    return whole + struct.pack(">I", crc32(whole))


def frame(kind: str, **members: Any) -> bytes:
    """An event."""
    return message(
        {":event-type": kind, ":content-type": "application/json", ":message-type": "event"},
        json.dumps(members).encode(),
    )


def exception(kind: str, said: str) -> bytes:
    """An exception within a stream."""
    return message(
        {
            ":exception-type": kind,
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        json.dumps({"message": said}).encode(),
    )


def block(at: int, *deltas: dict[str, Any], start: dict[str, Any] | None = None) -> list[bytes]:
    """The frames of one block of an answer."""
    place = {"contentBlockIndex": at}
    frames = [frame("contentBlockStart", start=start, **place)] if start else []
    frames += [frame("contentBlockDelta", delta=delta, **place) for delta in deltas]
    return [*frames, frame("contentBlockStop", **place)]


def ending(reason: str = "end_turn", usage: dict[str, int] = USAGE, **fields: Any) -> list[bytes]:
    """How an answer ends."""
    stop = frame("messageStop", stopReason=reason, **fields)
    return [stop, frame("metadata", usage=usage, metrics={"latencyMs": 5})]


START = frame("messageStart", role="assistant")
#: Two words and their end.
HELLO = (START, *block(0, {"text": "Hello"}, {"text": " you"}), *ending())


def whole(*content: dict[str, Any], reason: str = "end_turn", **members: Any) -> Whole:
    """The answer of ``converse``."""
    said = content or ({"text": "Hello you"},)
    return Whole(
        {
            "output": {"message": {"role": "assistant", "content": list(said)}},
            "stopReason": reason,
            "usage": USAGE,
            "metrics": {"latencyMs": 5},
            **members,
        }
    )


@dataclass(frozen=True)
class Refusal:
    """An answer with an error's status."""

    status: int
    code: str
    said: str = "No."
    headers: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Whole:
    """An answer in one piece."""

    body: dict[str, Any]


class Stay:
    """Nothing more comes until the client leaves."""


class Cut:
    """The connection ends in the middle of a frame."""


@dataclass(frozen=True)
class Stream:
    """An answer in frames; an ``asyncio.Event`` among them is waited for."""

    steps: tuple[bytes | asyncio.Event | Stay | Cut, ...] = HELLO


Reply = Refusal | Whole | Stream | Stay


@dataclass(frozen=True)
class Call:
    """A request, its path and its signature read. ``region`` is empty with a bearer's ``key``."""

    operation: str
    model: str
    body: dict[str, Any]
    key: str
    region: str
    request: Request


@dataclass
class Bedrock:
    """What was asked, and what is going on. Replies are taken in turn; the last one stays."""

    base: str = ""
    replies: list[Reply] = field(default_factory=lambda: [Stream()])
    calls: list[Call] = field(default_factory=list)
    #: Calls that are being answered, connections that are open, calls that the client left.
    open: int = 0
    connections: int = 0
    left: int = 0

    def answers(self, *replies: Reply) -> None:
        """What to answer from now on."""
        self.replies = list(replies)

    def on(self, operation: str) -> list[Call]:
        """The calls of one operation."""
        return [call for call in self.calls if call.operation == operation]

    @property
    def call(self) -> Call:
        """The only one."""
        (call,) = self.calls
        return call

    async def play(self, peer: Peer) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            async for request in peer.incoming():
                self.calls.append(_read(request))
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                self.open += 1
                try:
                    await self._reply(peer, reply)
                finally:
                    self.open -= 1
        finally:
            self.connections -= 1

    async def _reply(self, peer: Peer, reply: Reply) -> None:
        if isinstance(reply, Stay):
            await self._stay(peer)
        elif isinstance(reply, Refusal):
            first = b"HTTP/1.1 %d Refused\r\n" % reply.status
            kind = b"x-amzn-ErrorType: " + reply.code.encode()
            said = json.dumps({"message": reply.said}).encode()
            await peer.send(sized(said, kind, *reply.headers, first=first))
        elif isinstance(reply, Whole):
            await peer.send(sized(json.dumps(reply.body).encode()))
        else:
            await self._stream(peer, reply)

    async def _stream(self, peer: Peer, reply: Stream) -> None:
        head = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: ")
        await peer.send(head + b"application/vnd.amazon.eventstream\r\n\r\n")
        for step in reply.steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, Stay):
                return await self._stay(peer)
            elif isinstance(step, Cut):
                await peer.send(chunk(HELLO[1])[:20])
                return peer.shut()
            else:
                try:
                    await peer.send(chunk(step))
                except ConnectionError:
                    self.left += 1
                    raise
        await peer.send(chunk(b""))
        return None

    async def _stay(self, peer: Peer) -> None:
        await peer.gone()
        self.left += 1


def _read(request: Request) -> Call:
    path = _PATH.fullmatch(request.line)
    assert path, request.line
    (signature,) = request.all(b"authorization")
    body = json.loads(request.body)
    operation, model = path[2].decode(), unquote(path[1].decode())
    if signature.startswith(b"Bearer "):
        return Call(operation, model, body, signature[7:].decode(), "", request)
    signed = _SIGNED.fullmatch(signature)
    assert signed, signature
    (date,) = request.all(b"x-amz-date")
    assert re.fullmatch(rb"\d{8}T\d{6}Z", date)
    return Call(operation, model, body, signed[1].decode(), signed[2].decode(), request)


@asynccontextmanager
async def bedrock_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[Bedrock]:
    """A server on this machine."""
    server = Bedrock()
    async with serving(server.play, tls=tls) as raw:
        server.base = raw.base
        yield server
