"""The way back of a request in Ollama's dialect: an OpenAI answer goes in, an Ollama answer out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from llmstack.dialects.ollama_answer import Answer, AnswerStream, Moment, UnreadableAnswer
from llmstack.dialects.ollama_embeddings import embeddings_from_openai
from llmstack.dialects.ollama_piece import error_text
from llmstack.server.asgi import BODY_LIMIT

if TYPE_CHECKING:
    from llmstack.dialects.ollama_request import OllamaRequest
    from llmstack.server.asgi import Headers, Message, Send

#: Headers that describe the body that went in.
_OF_BODY = frozenset({b"content-type", b"content-length", b"content-encoding", b"etag"})
_JSON, _NDJSON = b"application/json; charset=utf-8", b"application/x-ndjson"


class OllamaSend:
    """Takes the place of a request's ``send``. Call ``finish`` when the request is over.

    Lines leave as their events come. An answer that is no stream is held until it is whole.
    """

    def __init__(self, send: Send, request: OllamaRequest) -> None:
        self._send = send
        self._request = request
        self._begun = time.perf_counter()
        kind = cast("Literal['chat', 'generate']", request.kind)
        self._answer = Answer(kind, request.model)
        self._stream: AnswerStream | None = None
        self._status = 0
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._size = 0
        self._over = False

    async def __call__(self, message: Message) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            await self._start(message["status"], message["headers"])
            return
        data, last = message.get("body", b""), not message.get("more_body")
        if self._stream is not None:
            await self._pass(self._stream, data, last=last)
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > BODY_LIMIT:
            await self._fail("the model's answer is too large")
        elif last:
            await self._whole(b"".join(self._parts))

    async def finish(self) -> None:
        """Say so if the answer never came to its end."""
        if self._over:
            return
        if self._stream is not None:
            await self._pass(self._stream, b"", last=True)
        elif self._status:
            await self._fail("the model's answer broke off")

    async def _start(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = [pair for pair in headers if pair[0].lower() not in _OF_BODY]
        if self._request.ignored:
            names = ", ".join(self._request.ignored).encode("ascii", "replace")
            clean = bytes(byte if 32 <= byte < 127 else 63 for byte in names)
            self._headers.append((b"x-llmstack-ignored", clean))
        kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
        if status == 200 and kind.startswith(b"text/event-stream"):
            self._stream = AnswerStream(self._answer)
            await self._head(status, _NDJSON)

    async def _pass(self, stream: AnswerStream, data: bytes, *, last: bool) -> None:
        if self._over:
            return
        lines = stream.feed(data, self._moment())
        if last:
            lines += stream.end(self._moment())
        self._over = stream.ended
        if lines:
            message = {"type": "http.response.body", "body": lines, "more_body": not self._over}
            await self._send(message)

    async def _whole(self, body: bytes) -> None:
        if self._status != 200:
            await self._fail(_message(body) or f"status {self._status}", self._status)
            return
        try:
            answer = self._translated(body)
        except UnreadableAnswer as error:
            await self._fail(str(error))
            return
        await self._end(200, answer)

    def _translated(self, body: bytes) -> dict[str, Any]:
        moment = self._moment()
        if self._request.kind in ("embed", "embeddings"):
            return embeddings_from_openai(self._request, body, moment)
        return self._answer.whole(body, moment)

    async def _fail(self, message: str, status: int = 502) -> None:
        await self._end(status, {"error": message})

    async def _end(self, status: int, answer: dict[str, Any]) -> None:
        if self._over:
            return
        self._over = True
        body = msgspec.json.encode(answer)
        streamed = self._request.stream and status == 200
        await self._head(status, _NDJSON if streamed else _JSON, len(body) + streamed)
        body += b"\n" if streamed else b""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _head(self, status: int, kind: bytes, size: int | None = None) -> None:
        headers = [(b"content-type", kind), *self._headers]
        if size is not None:
            headers.append((b"content-length", b"%d" % size))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def _moment(self) -> Moment:
        return Moment(now(), round((time.perf_counter() - self._begun) * 1e9))


def now() -> str:
    """The present time as Ollama writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _message(body: bytes) -> str:
    """The message of an error's body, whatever server wrote it."""
    try:
        return error_text(msgspec.json.decode(body))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return body[:500].decode("utf-8", "replace").strip()
