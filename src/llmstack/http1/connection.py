"""One client connection: one request at a time, answers parsed by httptools."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from llmstack.http1.response import Broken, Response, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bodies up to this size go out in one piece with the request's head.
SMALL = 64 * 1024


class Connection(asyncio.Protocol):
    """The protocol of one connection. ``on_lost`` is called once when it has ended."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self.idle_since = 0.0
        self.closed = False
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._head: asyncio.Future[Response] | None = None
        self._response: Response | None = None
        self._bodiless = False
        self._keep = False

    async def request(self, head: bytes, body: bytes, *, bodiless: bool) -> Response:
        """Send a request and wait for the head of its answer.

        ``bodiless`` says that the answer has no body whatever its headers say (HEAD).

        Raises:
            Unreachable: the connection ended before an answer began.
        """
        assert self._transport is not None
        self._bodiless = bodiless
        self._keep = False
        self._response = None
        self._head = asyncio.get_running_loop().create_future()
        if len(body) <= SMALL:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        return await self._head

    @property
    def reusable(self) -> bool:
        """Whether the last answer is complete and the server lets us send another request."""
        response = self._response
        return self._keep and not self.closed and response is not None and response.complete

    def close(self) -> None:
        """End the connection at once; an answer that still comes is abandoned."""
        self.closed = True
        if self._transport:
            self._transport.abort()

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._head is None and (self._response is None or self._response.complete):
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"the answer is not HTTP/1.1: {error}")
            self.close()

    def eof_received(self) -> bool:  # noqa: D102
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self.closed = True
        response = self._response
        if response and not response.complete and exc is None and self._until_close(response):
            response.finish()
        else:
            self._fail(str(exc) if exc else "the connection was closed")
        self._on_lost(self)

    # The parser's side.

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:  # noqa: D102
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < 200 or self._head is None:  # 100 Continue, 103 Early Hints
            return
        self._response = Response(status, headers, self._pause, self._resume)
        head, self._head = self._head, None
        if not head.done():
            head.set_result(self._response)
        if self._bodiless:
            self._response.finish()

    def on_body(self, data: bytes) -> None:  # noqa: D102
        if self._response and not self._response.complete:
            self._response.feed(data)

    def on_message_complete(self) -> None:  # noqa: D102
        if self._response and not self._response.complete:
            self._keep = self._parser.should_keep_alive()
            self._response.finish()

    def _pause(self) -> None:
        if self._transport and not self.closed:
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport and not self.closed:
            self._transport.resume_reading()

    def _fail(self, why: str) -> None:
        head, self._head = self._head, None
        if head and not head.done():
            head.set_exception(Unreachable(why))
        if self._response and not self._response.complete:
            self._response.fail(Broken(why))

    @staticmethod
    def _until_close(response: Response) -> bool:
        """Whether the body of ``response`` ends with the connection (RFC 9112, section 6.3)."""
        return (
            response.header(b"content-length") is None
            and response.header(b"transfer-encoding") is None
        )
