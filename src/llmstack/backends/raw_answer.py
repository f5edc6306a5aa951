"""An upstream's answer that passes as it comes, in the API that the client speaks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from llmstack.dialects.translation import chat_reply, messages_error
from llmstack.dialects.translation.chat_told import usage_of
from llmstack.dialects.translation.reply import Failed
from llmstack.http1 import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.backends.protocol import Headers
    from llmstack.dialects.translation.reply import Usage
    from llmstack.dialects.usage_filter import UsageFilter
    from llmstack.http1 import Response

#: Between us and the upstream; clients have no use for them.
_THEIRS = frozenset({b"alt-svc", b"set-cookie", b"strict-transport-security"})
#: Bytes of an answer in one piece that are kept to read the tokens.
_HELD: Final = 256 * 1024

_decoder = msgspec.json.Decoder()


class RawAnswer:
    """What ``response`` says. ``idle`` bounds the silence between its pieces, 0 does not.

    An event stream that breaks off or falls silent ends in an error event and whatever else ends a
    stream of the API ``path``; ``problem`` tells. Any other body raises ``Broken``. ``events``
    takes out what was asked for on our own account, ``hidden`` takes secrets of ours out of headers
    and out of the pieces of a stream, which may tell an error that repeats them.
    """

    def __init__(
        self,
        response: Response,
        path: str,
        *,
        idle: float = 0.0,
        events: UsageFilter | None = None,
        counted: bool = False,
        hidden: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._response = response
        self._path = path
        self._idle = idle or None
        # What is compressed although nobody asked for it can be neither read nor added to.
        plain = (response.header(b"content-encoding") or b"identity") == b"identity"
        self._stream = plain and is_stream(response)
        self._events = events if self._stream else None
        self._body: list[bytes] | None = [] if counted and plain and not self._stream else None
        self._size = 0
        self._over = False
        self.status = response.status
        self.headers = passing_headers(response, hidden)
        self._hidden = hidden
        if self._stream:  # which may end otherwise than the upstream meant it to
            self.headers = [pair for pair in self.headers if pair[0] != b"content-length"]
        self.usage: Usage | None = None
        self.problem = ""

    @property
    def exhausted(self) -> bool:
        """Whether the whole body has been read."""
        if self._events is None and not self._over and self._response.exhausted:
            self._finish()
        return self._over

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case ``name``), or None."""
        return next((value for key, value in self.headers if key == name), None)

    async def read(self) -> bytes:
        """What has arrived, waiting for something; empty at the end of the body.

        Raises:
            Broken: a body that is no event stream broke off.
        """
        while not self._over:
            try:
                async with asyncio.timeout(self._idle):
                    data = await self._response.read()
            except TimeoutError:
                self._response.close()
                return self._broken(504, f"nothing came for {self._idle:g} s")
            except Broken as error:
                return self._broken(502, str(error))
            if not data:
                return self._finish()
            if self._stream:
                data = self._hidden(data)
            if self._events is None:
                self._keep(data)
                return data
            if told := self._events.feed(data):
                return told
        return b""

    def close(self) -> None:
        """Let go of the upstream. May be repeated."""
        self._response.close()

    def _keep(self, data: bytes) -> None:
        if self._body is not None:
            self._body.append(data)
            self._size += len(data)
            if self._size > _HELD:
                self._body = None

    def _finish(self) -> bytes:
        self._over = True
        if self._events is not None:
            told = self._events.end()
            self.usage = self._events.usage
            self.problem = self.problem or self._events.problem
            return told
        if self._body:
            self.usage = _usage(b"".join(self._body))
        return b""

    def _broken(self, status: int, why: str) -> bytes:
        self.problem = f"the upstream's answer broke off: {why}"
        if not self._stream:
            self._over = True
            raise Broken(why)
        self._finish()  # half a line is of no use to anybody
        code = "timeout" if status == 504 else "bad_gateway"
        return broken_end(Failed(status, self.problem, code), self._path)


def passing_headers(response: Response, hidden: Callable[[bytes], bytes] = bytes) -> Headers:
    """The headers that are for the client. ``hidden`` takes secrets out of their values."""
    return [
        (name, hidden(value))
        for name, value in response.headers
        if name not in _THEIRS and not name.startswith(b"access-control-")
    ]


def is_stream(response: Response) -> bool:
    """Whether an answer comes as server-sent events."""
    return (response.header(b"content-type") or b"").lower().startswith(b"text/event-stream")


def broken_end(failed: Failed, path: str) -> bytes:
    """What ends a stream of the API ``path`` that cannot go on.

    It begins with blank lines, because the stream may have broken off within an event.
    """
    if path.startswith("/v1/messages"):
        return b"\n\nevent: error\ndata: " + messages_error.error_body(failed) + b"\n\n"
    told = msgspec.json.encode(chat_reply.error_object(failed))
    if path == "/v1/responses":
        error = {"type": "error", "code": failed.code, "message": failed.message, "param": None}
        told = msgspec.json.encode({**error, **msgspec.json.decode(told)})
        return b"\n\nevent: error\ndata: " + told + b"\n\n"
    return b"\n\ndata: " + told + b"\n\ndata: [DONE]\n\n"


def _usage(body: bytes) -> Usage | None:
    try:
        told = _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return usage_of(told) if isinstance(told, dict) else None
