"""One client connection: one request at a time, answers parsed by httptools."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from llmstack.http1.response import Broken, Response, TooLate, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bodies up to this size go out in one piece with the request's head.
SMALL = 64 * 1024

#: Bytes of an answer's head, interim answers included, or of the trailer or the extensions of a
#: chunked body, after which the answer is given up; what has arrived at once may be more.
OVERHEAD = 64 * 1024


class Connection(asyncio.Protocol):
    """The protocol of one connection. ``on_lost`` is called once when it has ended."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self.idle_since = 0.0
        self.loop: asyncio.AbstractEventLoop | None = None  # once it has been asked something
        self._closed = False
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._head: asyncio.Future[Response] | None = None
        self._response: Response | None = None
        self._overhead = 0  # bytes received since the request, the head, or a piece of body
        self._bodiless = False
        self._keep = False

    async def request(
        self, head: bytes, body: bytes, *, bodiless: bool, limit: float | None = None
    ) -> Response:
        """Send a request and wait for the head of its answer.

        ``bodiless`` says that the answer has no body whatever its headers say (HEAD). ``limit`` is
        how many seconds the head may take once the request has been sent; twice that at most.

        Raises:
            Unreachable: the connection ended before the head of an answer was complete.
            TooLate: the head did not come within ``limit``.
        """
        if self._transport is None or self.closed:
            raise Unreachable("the connection was closed", connected=False)
        self._overhead = 0
        self._bodiless = bodiless
        self._keep = False
        self._response = None
        loop = self.loop
        if loop is None:  # found out once: it takes a system call
            loop = self.loop = asyncio.get_running_loop()
        self._head = loop.create_future()
        if len(body) <= SMALL:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        if limit is None:
            return await self._head
        return await self._head_within(limit, self._head)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended or is about to."""
        return self._closed or self._transport is None or self._transport.is_closing()

    @property
    def silent(self) -> bool:
        """Whether a request that failed here failed before the first byte of an answer."""
        return self._overhead == 0

    @property
    def reusable(self) -> bool:
        """Whether request and answer are complete and the server lets us send another request."""
        return (
            self._keep
            and not self.closed
            and self._transport is not None
            and self._transport.get_write_buffer_size() == 0
        )

    def close(self) -> None:
        """End the connection at once; an answer that still comes is abandoned."""
        self._closed = True
        if self._transport:
            self._transport.abort()

    async def _head_within(self, limit: float, head: asyncio.Future[Response]) -> Response:
        try:
            while True:
                sending = self._transport and self._transport.get_write_buffer_size()
                await asyncio.wait({head}, timeout=limit)
                if head.done():
                    return head.result()
                if not sending:
                    raise TooLate(f"no answer began within {limit:g} s")
        finally:
            head.cancel()  # so that nobody misses what becomes of it

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._head is None and (self._response is None or self._response.complete):
            self.close()  # nobody asked
            return
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._abandon(f"the answer is not HTTP/1.1: {error}")
        except httptools.HttpParserUpgrade:
            self._abandon("the answer switches to another protocol")
        else:
            if self._overhead > OVERHEAD:
                self._abandon(f"the answer has a head or trailer of more than {OVERHEAD} bytes")

    def eof_received(self) -> bool:  # noqa: D102
        response = self._response
        if response and not response.complete and self._until_close(response):
            response.finish()
        # Nothing more can come, so nothing that is still to be sent matters.
        self._abandon("the connection was closed")
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._closed = True
        self._fail(str(exc) if exc else "the connection was closed")
        self._on_lost(self)

    # The parser's side.

    def on_message_begin(self) -> None:  # noqa: D102
        if self._head is None:
            self.close()  # a second answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        if self._head is not None:  # else a trailer
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:  # noqa: D102
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < 200 or self._head is None:  # 100 Continue, 103 Early Hints
            return
        self._overhead = 0
        self._response = Response(status, headers, self._pause, self._resume)
        head, self._head = self._head, None
        if not head.done():
            head.set_result(self._response)
        if self._bodiless:
            self._response.finish()

    def on_body(self, data: bytes) -> None:  # noqa: D102
        self._overhead = 0
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

    def _abandon(self, why: str) -> None:
        self._fail(why)
        self.close()

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
