"""A scripted upstream on a socket: OpenAI's APIs, and Anthropic's where a test wants them.

What it does wrong is queued with ``next``; without that it answers every request well.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.backends.translated import APIS
from llmstack.dialects.translation.reply import (
    Finished,
    Origin,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

CHAT = "/v1/chat/completions"
WORDS = ("Hello", " from", " upstream.")
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 5,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
CALL = {"name": "get_weather", "arguments": '{"city":"Paris"}'}


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


@dataclass
class Fault:
    """What goes wrong with one request.

    ``status`` with ``body`` and ``retry_after`` answers with an error. ``silent`` never answers.
    ``wait`` holds the answer's head back until it is set, ``pause`` what comes after the first
    chunk of a stream. ``after`` is what follows that chunk: ``cut`` closes the connection,
    ``silence`` says nothing more, ``error`` sends an error in the stream. ``drop`` closes the
    connection before any answer.
    """

    status: int = 0
    body: Any = None
    retry_after: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    silent: bool = False
    drop: bool = False
    wait: asyncio.Event | None = None
    pause: asyncio.Event | None = None
    after: str = ""


@dataclass
class UpstreamServer:
    """Where it listens, what it speaks and what it has seen.

    ``speaks`` are paths; any other is a 404. ``key`` is what requests must show, if not empty.
    ``strict`` refuses members that OpenAI does not have, ``options`` False any
    ``stream_options``. ``prefix`` is what its paths lie below. ``aborted`` counts answers that the
    client did not wait for.
    """

    port: int = 0
    scheme: str = "http"
    prefix: str = ""
    key: str = ""
    strict: bool = False
    options: bool = True
    speaks: set[str] = field(
        default_factory=lambda: {CHAT, "/v1/completions", "/v1/embeddings", "/v1/models"}
    )
    models: Any = field(default_factory=lambda: {"object": "list", "data": [{"id": "served"}]})
    requests: list[Seen] = field(default_factory=list)
    aborted: int = 0
    open: int = 0
    _faults: list[Fault] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, without ``/v1``."""
        return f"{self.scheme}://127.0.0.1:{self.port}{self.prefix}"

    @property
    def last(self) -> Seen:
        """The last request."""
        return self.requests[-1]

    def next(self, *faults: Fault) -> None:
        """What is wrong with the next requests, one after another."""
        self._faults += faults

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open += 1
        try:
            with suppress(EOFError, ConnectionError):
                while await self._turn(reader, writer):
                    pass
        finally:
            self.open -= 1
            writer.close()

    async def _turn(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        seen = await _receive(reader)
        self.requests.append(seen)
        fault = self._faults.pop(0) if self._faults else Fault()
        if fault.drop:
            if fault.wait:
                await fault.wait.wait()
            return False
        answering = asyncio.ensure_future(self._answer(seen, fault, writer))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.aborted += 1
                return False
            return answering.result() and not leaving.done()
        except ConnectionError:
            self.aborted += 1
            return False
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, seen: Seen, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        if fault.silent:
            await asyncio.Event().wait()
        if fault.wait:
            await fault.wait.wait()
        if fault.status:
            return await _send(writer, fault.status, fault.body, fault)
        path = seen.target.partition("?")[0].removeprefix(self.prefix)
        if self.key and not self._knows(seen):
            error = {"message": f"Incorrect API key {self.key}", "code": "invalid_api_key"}
            return await _send(writer, 401, {"error": error})
        if path not in self.speaks:
            return await _send(writer, 404, {"error": {"message": f"Invalid URL ({path})"}})
        if path == "/v1/models":
            return await _send(writer, 200, self.models)
        body = seen.json
        if refused := self._refused(path, body):
            return await _send(writer, 400, {"error": {"message": refused, "code": None}})
        if path == "/v1/messages/count_tokens":
            return await _send(writer, 200, {"input_tokens": 42})
        if path == "/v1/embeddings":
            data = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}]
            usage = {"prompt_tokens": 2, "total_tokens": 2}
            return await _send(
                writer,
                200,
                {"object": "list", "data": data, "model": body["model"], "usage": usage},
            )
        if not body.get("stream"):
            return await _send(writer, 200, _whole(path, seen.body))
        return await _stream(writer, list(_chunks(path, seen.body)), fault)

    def _knows(self, seen: Seen) -> bool:
        bearer = seen.all("authorization") == [f"Bearer {self.key}"]
        return bearer or seen.all("x-api-key") == [self.key]

    def _refused(self, path: str, body: Any) -> str:
        if not self.options and "stream_options" in body:
            return "Unknown field: stream_options"
        strange = {"top_k", "min_p", "repetition_penalty"} & set(body)
        if self.strict and path == CHAT and strange:
            return f"Unrecognized request argument supplied: {sorted(strange)}"
        return ""


@asynccontextmanager
async def serving(
    server: UpstreamServer | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[UpstreamServer]:
    """Run ``server``, a plain one if None; its connections end with the block."""
    server = server or UpstreamServer()
    tasks: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await server.play(reader, writer)
        except asyncio.CancelledError:
            pass  # the block is over
        finally:
            tasks.discard(task)

    listener = await asyncio.start_server(play, "127.0.0.1", server.port, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    server.scheme = "https" if tls else "http"
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


async def _receive(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.split("\r\n")[:-2]
    method, target, _ = line.split(" ")
    pairs = (line.partition(": ") for line in lines)
    headers = tuple((name.lower(), value) for name, _, value in pairs)
    size = dict(headers).get("content-length", "0")
    return Seen(method, target, headers, await reader.readexactly(int(size)))


async def _send(
    writer: asyncio.StreamWriter, status: int, body: Any, fault: Fault | None = None
) -> bool:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(data)}"]
    lines.append("content-type: application/json")
    if fault:
        lines += [f"retry-after: {fault.retry_after}"] if fault.retry_after else []
        lines += [f"{name}: {value}" for name, value in fault.headers]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    await writer.drain()
    return True


async def _stream(writer: asyncio.StreamWriter, chunks: list[bytes], fault: Fault) -> bool:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    writer.write(head + b"set-cookie: a=b\r\n\r\n")
    for number, chunk in enumerate(chunks):
        writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        await writer.drain()
        if number:
            continue
        if fault.pause:
            await fault.pause.wait()
        if fault.after == "cut":
            return False
        if fault.after == "silence":
            await asyncio.Event().wait()
        if fault.after == "error":
            error = b'data: {"error":{"message":"boom","code":502}}\n\n'
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(error), error))
            await writer.drain()
            return True
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _chunks(path: str, raw: bytes) -> list[bytes]:
    """A stream's pieces; those of chats and completions written as OpenAI writes them."""
    body = json.loads(raw)
    if path in (CHAT, "/v1/completions"):
        chunks = _chat_chunks(body) if path == CHAT else _text_chunks(body)
        counted = (body.get("stream_options") or {}).get("include_usage")
        base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "up"}
        told = [
            {**base, "choices": [one], **({"usage": None} if counted else {})} for one in chunks
        ]
        if counted:
            told.append({**base, "choices": [], "usage": USAGE})
        return [b"data: " + json.dumps(one).encode() + b"\n\n" for one in told] + [
            b"data: [DONE]\n\n"
        ]
    conversation = APIS[path].read(raw)
    writer = APIS[path].stream(Origin("1", "up", 1), conversation)
    return [writer.start(), *map(writer.take, _events(body)), writer.end()]


def _chat_chunks(body: Any) -> list[Any]:
    deltas: list[Any] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in WORDS]
    if body.get("tools"):
        call = {"index": 0, "id": "call_1", "type": "function"}
        deltas.append({"tool_calls": [{**call, "function": {**CALL, "arguments": ""}}]})
        pieces = (CALL["arguments"][:6], CALL["arguments"][6:])
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": one}}]} for one in pieces]
    told = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    reason = "tool_calls" if body.get("tools") else "stop"
    return [*told, {"index": 0, "delta": {}, "finish_reason": reason}]


def _text_chunks(body: Any) -> list[Any]:
    told: list[Any] = [{"index": 0, "text": word, "finish_reason": None} for word in WORDS]
    return [*told, {"index": 0, "text": "", "finish_reason": "stop"}]


def _whole(path: str, raw: bytes) -> Any:
    body = json.loads(raw)
    text = "".join(WORDS)
    base = {"id": "1", "created": 1, "model": "up", "usage": USAGE}
    if path == "/v1/completions":
        choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
        return {**base, "object": "text_completion", "choices": [choice]}
    if path == CHAT:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if body.get("tools"):
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": CALL}]
        reason = "tool_calls" if body.get("tools") else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {**base, "object": "chat.completion", "choices": [choice]}
    answer = APIS[path].whole(Origin("1", "up", 1), APIS[path].read(raw), _events(body))
    return json.loads(answer)


def _events(body: Any) -> list[Any]:
    events: list[Any] = [TextDelta(word) for word in WORDS]
    if body.get("tools"):
        events += [ToolStart(0, "call_1", CALL["name"]), ToolDelta(0, CALL["arguments"])]
    reason = "tool_calls" if body.get("tools") else "stop"
    return [*events, Usage(11, 5, cached=3), Finished(reason)]
